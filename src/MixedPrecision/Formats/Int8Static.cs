using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>
/// 8-bit integers on both sides and in between, in ranges that calibration data show (ONNX QuantizeLinear-13, DequantizeLinear-13). Activation: x ≈ sₓ(q − z), unsigned, one range for the value, that of calibration; what lies outside is cut. Weight: w ≈ s_c·q,
/// signed, one scale for each output channel. The result is rounded to 8 bits in its own range, which absorbs a Relu or Clip behind it, and stays so for the next layer that reads it so. ONNX Runtime runs the pattern as one QLinearConv, which sums in 32-bit
/// integers. x64 processors without VNNI add products in pairs in 16 bits: there weights have 7 bits, with which no sum saturates. Applies to convolutions in float32 with constant weights.
/// </summary>
internal static class Int8Static
{
    private const int FirstOpset = 13;

    public static NumberFormat Of(FormatId id)
    {
        bool isFull = id["weights"] == FormatFamilies.Full;
        int limit = isFull ? 127 : 63;
        return new NumberFormat(
            Name: id.Text,
            Version: 5,
            KernelIdentity: "QLinearConv(u8s8,guards)",
            TimePerMac: 0.25,
            WhyNot: WhyNot,
            Prepare: (site, weight) => Prepare(site, weight, limit),
            Emit: Emit,
            InputNoise: null,
            WeightBlock: 0,
            WeightSteps: (site, weight) => Scales(site, weight, limit),
            Kernels: _ => [new("QLinearConv"), new("com.microsoft.QLinearConv")],
            Disagreement: Math.Sqrt(2),
            Bytes: site => site.Layer.Parameters + (5L * site.Layer.WeightShape![0]))
        {
            Opset = FirstOpset,
            IsFor = kind => kind == LayerKind.Conv,
            NeedsExactSums = isFull,
            ReadsRanges = true,
            HeldWeight = HeldWeight,
        };
    }

    private static string? WhyNot(LayerSite site) => site.Layer.Kind switch
    {
        LayerKind.ConvTranspose => "ONNX Runtime has no transposed convolution in integers",
        LayerKind.Conv => site.Input.ElementType != ElementType.Float || site.Weight.ElementType != ElementType.Float ? $"the layer computes in {ElementType.Name(site.Input.ElementType)}; the kernel takes float"
            : site.Layer.Bias is not null && !site.IsBiasConstant ? "what it adds is computed; the kernel takes constants"
            : site.IsObserved && site.Ranges is null ? "what it reads or gives is no finite number on some sample"
            : null,
        _ => "it is for convolutions",
    };

    private static Tensor[] Prepare(LayerSite site, Tensor weight, int limit)
    {
        float[] scales = Scales(site, weight, limit);
        var quantized = new byte[weight.Count];
        int size = quantized.Length / scales.Length;
        ReadOnlyMemory<byte> bytes = weight.Bytes;
        Parallel.For(0, scales.Length, channel => Rounding.ToSigned(
            System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes.Span).Slice(channel * size, size), scales[channel], limit, quantized.AsSpan(channel * size, size)));
        return [new Tensor(ElementType.Int8, weight.Shape, quantized), Tensor.Of<float>(scales, scales.Length)];
    }

    private static float[] Scales(LayerSite site, Tensor weight, int limit)
    {
        var scales = new float[site.Layer.WeightShape![0]];
        int size = (int)(weight.Count / scales.Length);
        for (int channel = 0; channel < scales.Length; channel++)
        {
            (float low, float high) = Rounding.Range(weight.Values<float>().Slice(channel * size, size));
            scales[channel] = MathF.Max(high, -low) is > 0 and float largest ? largest / limit : 1;
        }

        return scales;
    }

    private static void Emit(LayerEmission e)
    {
        GraphBuilder b = e.Builder;
        LayerRanges ranges = e.Site.Ranges ?? throw new InvalidOperationException($"nothing was observed of '{e.Site.Layer.Name}'");
        string x = Dequantize(b, Quantized(e, e.Input, ranges.Input), ranges.Input);
        string zeros = b.Constant(new Tensor(ElementType.Int8, [e.Site.Layer.WeightShape![0]], new byte[e.Site.Layer.WeightShape[0]]), "zero_points");
        string w = b.Node("DequantizeLinear", [e.Constants[0], e.Constants[1], zeros], Attributes.Of("axis", 0));
        string y = b.Node("Conv", e.Bias is string bias ? [x, w, bias] : [x, w], [.. e.Site.Node.Attribute]);
        string rounded = Quantize(b, y, ranges.Output);
        e.Shared[Key(e.Output)] = [rounded];
        b.NodeTo([e.Output], "DequantizeLinear", "", [rounded, b.Scalar(ranges.Output.Scale), ZeroPoint(b, ranges.Output)]);
    }

    private static Tensor HeldWeight(IReadOnlyList<Tensor> constants)
    {
        var weight = new float[constants[0].Count];
        ReadOnlySpan<sbyte> quantized = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, sbyte>(constants[0].Bytes.Span);
        ReadOnlySpan<float> scales = constants[1].Values<float>();
        int size = weight.Length / scales.Length;
        for (int i = 0; i < weight.Length; i++)
        {
            weight[i] = quantized[i] * scales[i / size];
        }

        return Tensor.Of<float>(weight, constants[0].Shape);
    }

    /// <summary>A value in 8 bits: as the layer gave it that computed it, or made once for all that read it; whoever else reads it sees it rounded too.</summary>
    private static string Quantized(LayerEmission e, string value, ValueRange range)
    {
        if (!e.Shared.TryGetValue(Key(value), out string[]? known))
        {
            string rounded = Quantize(e.Builder, value, range);
            e.Shared.Add(Key(value), known = [rounded]);
            e.Held.Add(value, new HeldEmission(rounded, () => Dequantize(e.Builder, rounded, range)));
        }

        return known[0];
    }

    private static string Key(string value) => $"int8-static {value}";

    private static string Quantize(GraphBuilder b, string value, ValueRange range) => b.Node("QuantizeLinear", [value, b.Scalar(range.Scale), ZeroPoint(b, range)]);

    private static string Dequantize(GraphBuilder b, string rounded, ValueRange range) => b.Node("DequantizeLinear", [rounded, b.Scalar(range.Scale), ZeroPoint(b, range)]);

    private static string ZeroPoint(GraphBuilder b, ValueRange range) => b.Constant(Tensor.Scalar((byte)range.ZeroPoint), "zero_point");
}
