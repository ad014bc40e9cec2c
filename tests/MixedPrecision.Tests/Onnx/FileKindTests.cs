using System.Text;
using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Onnx;

/// <summary>A file of another kind is named in the error that refuses it.</summary>
public class FileKindTests
{
    [Theory]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n", "git lfs pull")]
    [InlineData("\x20\0\0\0ORTM\0\0\0\0\0\0", "ONNX Runtime's own format")]
    [InlineData("\x1C\0\0\0TFL3\0\0\0\0\0\0", "TensorFlow Lite")]
    [InlineData("PK\x03\x04\x14\0\0\0", "zip archive")]
    [InlineData("\x80\x02}q\0X", "pickle")]
    [InlineData("\x1F\x8B\x08\0", "gzip")]
    [InlineData("GGUF\x03\0\0\0", "GGUF")]
    [InlineData("\n<!DOCTYPE html><html><head><title>404</title></head></html>", "web page")]
    [InlineData("\xEF\xBB\xBF<html lang=en>", "web page")]
    [InlineData("\x02\0\0\0\0\0\0\0{}", "safetensors")]
    [InlineData("", "empty")]
    public void IsNamed(string content, string word)
    {
        Diagnostic error = Refusal(Encoding.Latin1.GetBytes(content));
        Assert.Equal(Codes.ModelNotOnnx, error.Code);
        Assert.Contains(word, error.Message);
    }

    [Fact]
    public void OthersAreRefusedByWhatIsWrong() => Assert.Contains("holds no graph", Refusal(new ModelProto { IrVersion = 8 }.ToByteArray()).Message);

    private static Diagnostic Refusal(byte[] content)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.Combine("model.onnx"), content);
        return Assert.Throws<MixedPrecisionException>(() => OnnxModel.Load(folder.Combine("model.onnx"))).Diagnostic;
    }
}
