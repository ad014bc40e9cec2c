using Google.Protobuf;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Tests.Autodiff;

namespace MixedPrecision.Tests.Data;

public sealed class SyntheticInputsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    [Theory]
    [InlineData("docarea")]
    [InlineData("doclm")]
    [InlineData("textline-orientation")]
    [InlineData("yolox-nano")]
    [InlineData("ppocr-det")]
    [InlineData("ppocr-rec")]
    [InlineData("silero-vad")]
    public void RealModelsRunOnThem(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        (IReadOnlyList<Sample> samples, string sizes) = SyntheticInputs.Make(model, SharedFolder.Model(name), new Dictionary<string, long>(), 3);
        using Session session = Session.Open(SharedFolder.Model(name), SessionSettings.Default);
        Assert.Equal(3, samples.Count);
        Assert.All(samples, s => session.Run(s.Inputs));
        Assert.Contains(model.Inputs.First().Name, sizes);
        // Samples differ from each other, and are the same the next time.
        string First(Sample s) => Convert.ToHexString(s.Inputs[model.Inputs.First().Name].Bytes.Span);
        Assert.NotEqual(First(samples[0]), First(samples[1]));
        Assert.Equal(samples.Select(First), SyntheticInputs.Make(model, SharedFolder.Model(name), new Dictionary<string, long>(), 3).Samples.Select(First));
    }

    [Fact]
    public void TokensStayBelowTheTableAndMasksAreOnes()
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model("docarea"));
        IReadOnlyList<Sample> samples = SyntheticInputs.Make(model, SharedFolder.Model("docarea"), new Dictionary<string, long> { ["sequence"] = 40 }, 16).Samples;
        Assert.All(samples, s => Assert.Equal([1L, 40], s.Inputs["input_ids"].Shape));
        Assert.All(samples.SelectMany(s => s.Inputs["attention_mask"].Values<long>().ToArray()), v => Assert.Equal(1, v));
        long[] tokens = [.. samples.SelectMany(s => s.Inputs["input_ids"].Values<long>().ToArray())];
        Assert.All(tokens, t => Assert.InRange(t, 0, 8191));
        Assert.True(tokens.Max() > 7000);
    }

    [Fact]
    public void FloatsAreStandardNormalAndPixelsFromZeroToOne()
    {
        float[] plain = Draw(2, 30).SelectMany(s => s.Inputs["x"].Values<float>().ToArray()).ToArray();
        Assert.InRange(plain.Average(), -0.1, 0.1);
        Assert.InRange(plain.Average(v => v * v), 0.9, 1.1);
    }

    [Fact]
    public void AModelThatRunsOnNoSizeIsAnError()
    {
        // 7 numbers in one axis: no size that is tried.
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Draw(2, 1, b => b.Node("Reshape", ["x", b.Constant(Tensor.Of<long>([-1, 7], 2))]))).Diagnostic;
        Assert.Equal(Codes.SyntheticInputsFail, diagnostic.Code);
    }

    public void Dispose() => folder.Dispose();

    private IReadOnlyList<Sample> Draw(int rank, int count, Func<GraphBuilder, string>? body = null)
    {
        using OnnxModel model = TestModels.Of(["x"], ["y"], b => b.NodeTo(["y"], "Identity", "", [body?.Invoke(b) ?? "x"]), rank: rank);
        model.Graph.Output[0] = new TensorType(ElementType.Float, null).ToProto("y");
        File.WriteAllBytes(folder.Combine("model.onnx"), model.Proto.ToByteArray());
        return SyntheticInputs.Make(model, folder.Combine("model.onnx"), new Dictionary<string, long>(), count).Samples;
    }
}
