using System.Globalization;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;

namespace MixedPrecision.Tests.Formats;

/// <summary>Weights in blocks: what is packed, read back by the operator's specification, lies within half a step of the weight, and is what the kernel multiplies by.</summary>
public class BlockWeightsTests
{
    private const int Rows = 3;

    public static TheoryData<string> Formats() =>
        [.. FormatFamilies.All.Where(f => f.Name is FormatFamilies.Int8Weight or FormatFamilies.Int4Weight or FormatFamilies.Int2Weight).SelectMany(f => f.All).Select(id => id.Text)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void TheConstantsAreTheWeightWithinHalfAStep(string format)
    {
        (LayerSite site, Tensor weight, float[] decoded) = Decode(format, inputs: 300, outputs: 20);
        float[] steps = NumberFormats.Get(format).WeightSteps(site, weight), values = weight.Values<float>().ToArray();
        int block = NumberFormats.Get(format).WeightBlock, blocks = (300 + block - 1) / block;
        Assert.All(values.Index(), v =>
        {
            float step = Math.Abs(steps[(v.Index % 20 * blocks) + (v.Index / 20 / block)]);

            // What lies at the end of a range may be off by a whole one: the positive end of a symmetric grid, and an end that the rounding of the zero point moved.
            Assert.InRange(Math.Abs(v.Item - decoded[v.Index]), 0, step * 1.0001f);
        });
        Assert.InRange(values.Zip(decoded, (a, b) => Math.Abs(a - b)).Average(), 0, 0.33 * steps.Select(Math.Abs).Average());
    }

    /// <summary>Activations are whole numbers from −127 to 127, which rounding to 8 bits keeps, so that at every accuracy the products are exact but for the order of sums.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void TheKernelMultipliesByTheDecodedWeight(string format)
    {
        const int Inputs = 300, Outputs = 20;
        (LayerSite site, Tensor weight, float[] decoded) = Decode(format, Inputs, Outputs);
        var random = new Random(11);
        float[] x = [.. Enumerable.Range(0, Rows * Inputs).Select(i => i % Inputs % 16 == 0 ? 127f : random.Next(-127, 128))];
        ModelProto model = LayerModels.MatMul(Rows, Inputs, Outputs);
        LayerRewriter.Apply(model, [(site, NumberFormats.Get(format))], _ => weight);
        using Session session = Session.Create(model, SessionSettings.Default);
        float[] found = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(x, Rows, Inputs) })["y"].Values<float>().ToArray();
        for (int row = 0; row < Rows; row++)
        {
            for (int column = 0; column < Outputs; column++)
            {
                double exact = Enumerable.Range(0, Inputs).Sum(i => (double)x[(row * Inputs) + i] * decoded[(i * Outputs) + column]);
                Assert.InRange(found[(row * Outputs) + column] - exact, -0.01, 0.01);
            }
        }
    }

    [Fact]
    public void ZeroPointsMakeTheStepsOfWeightsOfOneSignHalfAsLong()
    {
        (LayerSite site, Tensor weight, _) = Decode("int4-weight", inputs: 64, outputs: 8);
        Tensor positive = Tensor.Of<float>([.. weight.Values<float>().ToArray().Select(v => MathF.Abs(v))], 64, 8);
        double Mean(string format) => NumberFormats.Get(format).WeightSteps(site, positive).Average(MathF.Abs);
        Assert.InRange(Mean("int4-weight(zero-points)") / Mean("int4-weight"), 8.0 / 15 - 0.001, 8.0 / 15 + 0.001);
    }

    [Fact]
    public void OnlyLevelFourRoundsActivations()
    {
        NumberFormat exact = NumberFormats.Get("int4-weight(accuracy=0)"), rounding = NumberFormats.Get("int4-weight");
        Assert.Null(exact.InputNoise);
        Assert.Equal((0, 1), (exact.Disagreement, exact.TimePerMac));
        Assert.NotNull(rounding.InputNoise);
        Assert.Same(rounding.InputNoise, NumberFormats.Get("int4-weight(zero-points)").InputNoise);
        Assert.NotSame(rounding.InputNoise, NumberFormats.Get("int4-weight(block=64)").InputNoise);
    }

    /// <summary>The weight that the constants of a format stand for, [inputs, outputs], by the layout that the operator's specification has.</summary>
    private static (LayerSite Site, Tensor Weight, float[] Decoded) Decode(string text, int inputs, int outputs)
    {
        ModelProto model = LayerModels.MatMul(Rows, inputs, outputs);
        var loaded = new OnnxModel(model, ".", "test");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(loaded);
        Partition partition = Partitioner.Partition(loaded, types);
        LayerSite site = LayerModels.SiteOf(loaded, partition, types, partition.Layers.Single());
        Tensor weight = Weights.Read(loaded, partition.View, site.Layer.Weight)!;
        FormatId id = FormatId.Parse(text);
        int bits = int.Parse(id.Family.Name["int".Length..].Split('-')[0], CultureInfo.InvariantCulture), block = id.Number("block"), blocks = (inputs + block - 1) / block;
        IReadOnlyList<Tensor> constants = NumberFormats.Get(text).Prepare(site, weight);
        Assert.Equal([outputs, blocks, block * bits / 8], constants[0].Shape);
        byte[] packed = constants[0].Bytes.ToArray();
        float[] scales = constants[1].Values<float>().ToArray();
        byte[]? zeros = constants.Count > 2 ? constants[2].Bytes.ToArray() : null;
        Assert.Equal(id["grid"] == FormatFamilies.ZeroPoints, zeros is not null);
        int Value(byte[] bytes, int start, int index) => (bytes[start + (index * bits / 8)] >> (index * bits % 8)) & ((1 << bits) - 1);
        var decoded = new float[inputs * outputs];
        for (int column = 0; column < outputs; column++)
        {
            for (int input = 0; input < inputs; input++)
            {
                int at = (column * blocks) + (input / block), zeroBytes = ((blocks * bits) + 7) / 8;
                int zero = zeros is null ? 1 << (bits - 1) : Value(zeros, column * zeroBytes, input / block);
                decoded[(input * outputs) + column] = scales[at] * (Value(packed, at * block * bits / 8, input % block) - zero);
            }
        }

        return (site, weight, decoded);
    }
}
