using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Tests.Lowering;

/// <summary>A lowered model computes what the original does, under the same names.</summary>
public class GraphLoweringTests
{
    [Theory]
    [InlineData("docarea")]
    [InlineData("doclm")]
    [InlineData("textline-orientation")]
    [InlineData("yolox-nano")]
    [InlineData("ppocr-det")]
    [InlineData("silero-vad")]
    [InlineData("ppocr-rec")]
    public void RealModelsComputeTheSame(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        using OnnxModel lowered = GraphLowering.Lower(model, TypeInference.Infer(model));
        Dictionary<string, Tensor> inputs = model.Inputs.ToDictionary(i => i.Name, i => Input(i, new Random(3)));
        using Session before = Session.Create(model.Proto, SessionSettings.Plain, model.Folder);
        using Session after = Session.Create(lowered.Proto, SessionSettings.Plain, model.Folder);
        IReadOnlyDictionary<string, Tensor> expected = before.Run(inputs);
        IReadOnlyDictionary<string, Tensor> actual = after.Run(inputs);
        foreach ((string output, Tensor value) in expected)
        {
            Assert.Equal(value.Shape, actual[output].Shape);
            float[] reference = value.Values<float>().ToArray();
            float scale = reference.Max(Math.Abs);
            Assert.All(reference.Zip(actual[output].Values<float>().ToArray()), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= 1e-4 * scale));
        }
    }

    [Fact]
    public void TheOriginalIsNotChanged()
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model("ppocr-rec"));
        ModelProto copy = model.Proto.Clone();
        GraphLowering.Lower(model, TypeInference.Infer(model)).Dispose();
        Assert.Equal(copy, model.Proto);
    }

    /// <summary>Small sizes for what the model leaves open; a chunk of sound has 576 samples.</summary>
    internal static Tensor Input(ValueInfoProto input, Random random)
    {
        TensorType type = TensorType.Read(input.Type);
        long[] shape = [.. type.Shape!.Select((d, axis) => d.Size ?? (axis == 0 ? 1 : axis > 1 ? 64 : input.Name == "input" ? 576 : input.Name == "state" ? 1 : 8))];
        int count = (int)Tensor.ElementCount(shape);
        return type.ElementType == ElementType.Int64
            ? Tensor.Of<long>(Enumerable.Range(0, count).Select(_ => input.Name == "sr" ? 16000 : 1L).ToArray(), shape)
            : Tensor.Of<float>(Enumerable.Range(0, count).Select(_ => random.NextSingle()).ToArray(), shape);
    }
}
