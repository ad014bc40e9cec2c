using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Formats;

public class FloatNoiseTests
{
    private static readonly FloatType[] Types = [FloatType.Half, FloatType.BFloat16, FloatType.E4M3, FloatType.E5M2];

    public static TheoryData<int, float> Cases() => new(Enumerable.Range(0, 4).SelectMany(t => new[] { (t, 1f), (t, 0.125f) }));

    /// <summary>α = 2^(−2m)/12 of the squares of values with all bits of their mantissa; below and beyond them the error that is really made.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void WeightsHaveRelativeNoiseWithinTheNormalRangeAndTheirTrueErrorOutside(int index, float scale)
    {
        FloatType type = Types[index];
        float[] values = [.. Enumerable.Range(-60, 120).SelectMany(e => new[] { 1.03f, -1.47f, 1.999f }.Select(m => MathF.ScaleB(m, e))), type.SubnormalStep * scale * 1.3f, 0];
        var deviations = new float[values.Length];
        FloatNoise.OfWeights(type, scale, values, deviations);
        float[] rounded = [.. FloatTypeTests.Decode(type, FloatTypeTests.Round(type, values, scale)).Select(v => v * scale)];
        for (int i = 0; i < values.Length; i++)
        {
            float magnitude = MathF.Abs(values[i]);
            bool isNormal = magnitude >= type.SmallestNormal * scale && magnitude <= type.Largest * scale;
            double expected = isNormal ? magnitude * Math.Sqrt(Math.Pow(2, -2 * type.MantissaBits) / 12) : Math.Abs(values[i] - rounded[i]);
            Assert.Equal(expected, deviations[i], expected * 1e-5);
        }
    }

    [Fact]
    public void EveryLengthOfARunIsFilled()
    {
        float[] values = [.. Enumerable.Range(0, 40).Select(i => (i * 0.01f) + 0.001f)];
        var all = new float[40];
        FloatNoise.OfWeights(FloatType.E4M3, 1, values, all);
        Assert.All(Enumerable.Range(0, 41), length =>
        {
            var some = new float[40];
            FloatNoise.OfWeights(FloatType.E4M3, 1, values.AsSpan(0, length), some);
            Assert.Equal(all[..length].Concat(new float[40 - length]), some);
        });
    }

    /// <summary>The graph computes for activations what the loop does for weights.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void ActivationsHaveTheSameNoise(int index, float scale)
    {
        FloatType type = Types[index];
        var random = new Random(3);
        float[] values = [.. Enumerable.Range(0, 500).Select(_ => (random.NextSingle() - 0.5f) * MathF.ScaleB(1, random.Next(-22, scale == 1 ? 18 : 5)))];
        float[] gradient = [.. values.Select(_ => random.NextSingle() - 0.5f)];
        var deviations = new float[values.Length];
        FloatNoise.OfWeights(type, scale, values, deviations);
        double expected = deviations.Zip(gradient, (d, g) => Math.Pow((double)d * g, 2)).Sum();
        Assert.Equal(expected, Noise(type, values, gradient, scale), expected * 1e-4);
    }

    /// <summary>
    /// What α leaves out: a step is the same for all mantissas from 1 to 2, so that noise is not relative within a power of two; where mantissas are spread as powers are, the true variance over the
    /// square of the value is α times the mean of 1/mantissa², 3/(8 ln 2).
    /// </summary>
    [Fact]
    public void TheModelIsAboutTwiceTheTrueNoise()
    {
        var random = new Random(5);
        float[] values = [.. Enumerable.Range(0, 200_000).Select(_ => MathF.Pow(2, (random.NextSingle() * 8) - 4))];
        foreach (FloatType type in Types)
        {
            var deviations = new float[values.Length];
            FloatNoise.OfWeights(type, 1, values, deviations);
            float[] rounded = FloatTypeTests.Decode(type, FloatTypeTests.Round(type, values));
            double truth = values.Zip(rounded, (v, r) => Math.Pow((v - r) / v, 2)).Average(), model = values.Zip(deviations, (v, d) => Math.Pow(d / v, 2)).Average();
            Assert.Equal(3 / (8 * Math.Log(2)), truth / model, 0.01);
        }
    }

    private static float Noise(FloatType type, float[] values, float[] gradient, float scale)
    {
        var graph = new GraphProto { Name = "noise" };
        var b = new GraphBuilder([]);
        string z = b.Constant(Tensor.Of<float>(values, values.Length)), upstream = b.Constant(Tensor.Of<float>(gradient, gradient.Length));
        string noise = FloatNoise.OfActivation(b, type, z, upstream, scale == 1 ? null : b.Scalar(scale));
        b.AppendTo(graph);
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(noise));
        var model = new ModelProto { IrVersion = 9, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 21 });
        using Session session = Session.Create(model, SessionSettings.Default);
        return session.Run(new Dictionary<string, Tensor>())[noise].Values<float>()[0];
    }
}
