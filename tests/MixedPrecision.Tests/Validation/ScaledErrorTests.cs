using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Verification;
using MixedPrecision.Validation;

namespace MixedPrecision.Tests.Validation;

public class ScaledErrorTests
{
    /// <summary>Of the last layer, whose output is the model's, the error of the model is the layer's own, times the factor.</summary>
    [Theory]
    [InlineData("int8-dynamic")]
    [InlineData("int8-weight")]
    [InlineData("int4-weight(block=32,accuracy=0)")]
    [InlineData("bf16")]
    public void TheErrorOfTheLayerIsMultiplied(string format)
    {
        using var model = new EmittedModel("fp32", format);
        using var preparations = new Preparations();
        Tensor x = SyntheticInput();
        (LayerSite site, NumberFormat rounded) = model.Plan[1];
        float[] exact = Run(model.Model.Proto, x), once = Run(ModelProto.Parser.ParseFrom(File.ReadAllBytes(model.Mixed)), x);
        foreach (double factor in new[] { 1, 4, 0.25 })
        {
            float[] scaled = Run(ScaledError.Emit(model.Model, site, rounded, factor, model.Weight, preparations), x);
            double largest = exact.Zip(once, (a, b) => Math.Abs(a - b)).Max();
            Assert.True(largest > 1e-5, $"the format makes no error: {largest}");
            Assert.All(exact.Zip(once, scaled), y => Assert.Equal(y.First + (factor * (y.Second - y.First)), y.Third, (1e-3 * factor * largest) + 1e-5));
        }
    }

    [Fact]
    public void TheOriginalIsNotChanged()
    {
        using var model = new EmittedModel("fp32", "int8-weight");
        using var preparations = new Preparations();
        ModelProto before = model.Model.Proto.Clone();
        ScaledError.Emit(model.Model, model.Plan[1].Site, model.Plan[1].Format, 2, model.Weight, preparations);
        Assert.Equal(before, model.Model.Proto);
    }

    private static Tensor SyntheticInput()
    {
        var random = new Random(3);
        return Tensor.Of<float>([.. Enumerable.Range(0, 4 * EmittedModel.Inputs).Select(_ => (float)random.NextDouble() - 0.5f)], 4, EmittedModel.Inputs);
    }

    private static float[] Run(ModelProto model, Tensor x)
    {
        using Session session = Session.Create(model, SessionSettings.Default with { Threads = 1 });
        return session.Run(new Dictionary<string, Tensor> { [model.Graph.Input[0].Name] = x }).Values.Single().Values<float>().ToArray();
    }
}
