using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Execution;

public class TypeInferenceTests
{
    [Theory]
    [InlineData("docarea")]
    [InlineData("doclm")]
    [InlineData("textline-orientation")]
    [InlineData("yolox-nano")]
    [InlineData("ppocr-det")]
    [InlineData("silero-vad")]
    [InlineData("ppocr-rec")]
    public void EveryValueOfARealModelHasAnElementType(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        string[] missing = [.. model.Graph.Node.SelectMany(n => n.Output).Where(o => o.Length > 0 && (!types.TryGetValue(o, out var t) || t.ElementType == 0))];
        Assert.Empty(missing);
    }
}
