using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Onnx;

public class RoundTripTests
{
    [Theory]
    [InlineData("docarea")]
    [InlineData("doclm")]
    [InlineData("textline-orientation")]
    [InlineData("yolox-nano")]
    [InlineData("ppocr-det")]
    [InlineData("silero-vad")]
    [InlineData("ppocr-rec")]
    public void LoadingAndWritingKeepsEveryByte(string name)
    {
        string path = SharedFolder.Model(name);
        using OnnxModel model = OnnxModel.Load(path);
        Assert.True(File.ReadAllBytes(path).AsSpan().SequenceEqual(model.Proto.ToByteArray()), "the written bytes differ from the file's");
    }

    [Fact]
    public void FieldsTheSchemaDoesNotKnowSurvive()
    {
        // Field 20 (training_info) of ModelProto is not in the schema; length-delimited, 3 bytes.
        byte[] unknown = [0xa2, 0x01, 0x03, 0x0a, 0x01, 0x78];
        byte[] known = new ModelProto { IrVersion = 8, Graph = new GraphProto { Name = "g" } }.ToByteArray();
        byte[] bytes = [.. known, .. unknown];
        Assert.Equal(bytes, ModelProto.Parser.ParseFrom(bytes).ToByteArray());
    }
}
