using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Calibration;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Sensitivities of floating formats: the paper's model within their range, what rounding really does outside of it.</summary>
public sealed class FloatSensitivityTests : IDisposable
{
    private static readonly string[] Formats = ["fp32", "fp16", "bf16", "fp8-e4m3", "fp8-e5m2"];
    private readonly TemporaryFolder folder = new();

    public static TheoryData<string, int, double> Models() => new() { { "fp16", 10, 0.01 }, { "bf16", 7, 1e-4 }, { "fp8-e4m3", 3, 0.03 }, { "fp8-e5m2", 2, 0.01 } };

    /// <summary>d = α·s, s = E‖z ⊙ ż‖² over both operands (paper, section 3), for every kind of layer. Only bfloat16 has no values below its normal range here.</summary>
    [Theory]
    [MemberData(nameof(Models))]
    public void TheNoiseOfALayerIsAlphaTimesItsSensitivity(string format, int mantissa, double tolerance)
    {
        Sensitivities found = Network();
        double alpha = Math.Pow(2, -2 * mantissa) / 12;
        Assert.Equal(["Conv", "ConvTranspose", "MatMul", "Gemm", "MatMul_1"], found.Layers.Select(l => l.Name.Replace("node/", "", StringComparison.Ordinal)));
        Assert.All(found.Layers, l =>
        {
            double expected = alpha * (l.TaylorActivation + l.TaylorWeight);
            Assert.True(expected > 0);
            Assert.Equal(expected, l.Formats[format].Taylor, tolerance * expected);
        });
    }

    /// <summary>The true error is 0.46 α z² in the mean.</summary>
    [Fact]
    public void TheEstimatorsAgreeInScale()
    {
        Sensitivities found = Network();
        foreach (string format in Formats.Skip(1))
        {
            Assert.InRange(found.Layers.Sum(l => l.Formats[format].Measured) / found.Layers.Sum(l => l.Formats[format].Taylor), 0.2, 1);
            Assert.All(found.Layers, l => Assert.True(l.Formats[format].Measured > 0));
        }
    }

    /// <summary>Of one value that is beyond the range, or below it, both estimators take the error that is made: nothing else is left of the layer.</summary>
    [Theory]
    [InlineData("fp16", 70000f, 65504f)]
    [InlineData("fp16", 1.3e-7f, 1.1920929e-7f)]
    [InlineData("fp8-e5m2", 61000f, 57344f)]
    [InlineData("fp8-e5m2", 2.1e-5f, 1.5258789e-5f)]
    public void OutsideOfTheRangeTheTrueErrorCounts(string format, float value, float rounded)
    {
        // A weight of powers of two is exact in all formats, and its own noise is far below.
        const float weight = 0.5f;
        Sensitivities found = Calibrate(
            [1, 1], b => b.NodeTo(["y"], "MatMul", "", ["x", b.Constant(Tensor.Of<float>([weight], 1, 1), "w")]), [.. Enumerable.Range(0, 3).Select(_ => new[] { value })]);
        FormatSensitivity one = Assert.Single(found.Layers).Formats[format];
        double gradient = found.Layers[0].TaylorActivation / ((double)value * value), own = found.Layers[0].TaylorWeight / (weight * weight);
        double error = Math.Pow((double)value - rounded, 2) * gradient;
        Assert.Equal(error, one.Measured, 0.01 * error);
        double alpha = Math.Pow(2, format == "fp16" ? -20 : -4) / 12;
        Assert.Equal(error + (alpha * weight * weight * own), one.Taylor, 0.01 * one.Taylor);
    }

    /// <summary>What Gemm adds may be computed too: it is the same in both forms of the layer.</summary>
    [Fact]
    public void AnAddendThatIsComputedIsNoNoise()
    {
        var random = new Random(4);
        Sensitivities Of(bool isComputed) => Calibrate(
            [2, 8],
            b =>
            {
                string addend = b.Node("Tanh", [b.Constant(LayerModels.Random(7, 6))]);
                b.NodeTo(["y"], "Gemm", "", ["x", Weight(b, 5, 8, 6), isComputed ? b.Add(addend, b.Mul(b.Node("ReduceSum", ["x"], Attributes.Of("keepdims", 0)), b.Scalar(0))) : addend]);
            },
            [.. Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, 16).Select(_ => random.NextSingle()).ToArray())]);
        LayerSensitivity computed = Assert.Single(Of(true).Layers);
        random = new Random(4);
        LayerSensitivity constant = Assert.Single(Of(false).Layers);
        Assert.All(Formats.Skip(1), f => Assert.Equal(constant.Formats[f].Measured, computed.Formats[f].Measured, 1e-4 * constant.Formats[f].Measured));
    }

    public void Dispose() => folder.Dispose();

    /// <summary>Every kind of layer, each operand read by one of them alone.</summary>
    private Sensitivities Network()
    {
        var random = new Random(4);
        return Calibrate(
            [1, 2, 8, 8],
            b =>
            {
                string image = b.Node("Tanh", [b.Node("Conv", ["x", Weight(b, 1, 4, 2, 3, 3), Weight(b, 2, 4)])]);
                string wide = b.Node("ConvTranspose", [image, Weight(b, 3, 4, 3, 2, 2)]);
                string hidden = b.Node("Tanh", [b.MatMul(b.Reshape(wide, b.Integers(1, 147)), Weight(b, 4, 147, 16))]);
                string row = b.Node("Gemm", [hidden, Weight(b, 5, 16, 16), Weight(b, 6, 16)], Attributes.Of("transB", 1), Attributes.Of("alpha", 0.7f));
                string[] halves = b.NodeWithOutputs("Split", 2, [row], Attributes.Of("axis", 1));
                b.NodeTo(["y"], "MatMul", "", [b.Reshape(halves[0], b.Integers(1, 2, 4)), b.Reshape(halves[1], b.Integers(1, 4, 2))]);
            },
            [.. Enumerable.Range(0, 48).Select(_ => Enumerable.Range(0, 128).Select(_ => (random.NextSingle() * 2) - 1).ToArray())]);
    }

    private static string Weight(GraphBuilder b, int seed, params long[] shape) => b.Constant(LayerModels.Random(seed, shape), "w");

    private Sensitivities Calibrate(long[] shape, Action<GraphBuilder> build, float[][] samples)
    {
        using (FileStream stream = File.Create(folder.Combine("model.onnx")))
        {
            LayerModels.Model([("x", shape)], build).WriteTo(stream);
        }

        string Nested(float[] values, ReadOnlySpan<long> sizes)
        {
            if (sizes.IsEmpty)
            {
                return values[0].ToString("R", CultureInfo.InvariantCulture);
            }

            int part = values.Length / (int)sizes[0];
            var parts = new List<string>();
            for (int i = 0; i < sizes[0]; i++)
            {
                parts.Add(Nested(values[(i * part)..((i + 1) * part)], sizes[1..]));
            }

            return $"[{string.Join(",", parts)}]";
        }

        File.WriteAllLines(folder.Combine("data.jsonl"), samples.Select(s => $"{{\"x\": {Nested(s, shape)}}}"));
        using var fixture = new CalibrationFixture(
            folder.Combine("model.onnx"), folder.Combine("data.jsonl"), new CalibrationPolicy(null, LossKind.OutputMse, null, int.MaxValue, null));
        return fixture.Calibrate(Formats);
    }
}
