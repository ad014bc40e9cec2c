using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>
/// 8-bit integers on both sides and in between, in ranges that calibration data show (ONNX QuantizeLinear-13, DequantizeLinear-13). Activation: x ≈ sₓ(q − z), unsigned, one range for the value, that of calibration; what lies outside is cut. Weight: w ≈ s_c·q,
/// signed, one scale for each output channel. The result is rounded to 8 bits in its own range, which absorbs a Relu or Clip behind it, and stays so for the next layer that reads it so. ONNX Runtime runs the pattern as one QLinearConv, which sums in 32-bit
/// integers. x64 processors without VNNI add products in pairs in 16 bits: there weights have 7 bits, with which no sum saturates. Applies to convolutions in float32 with constant weights, and to matrices, whose result stays in float: what reads it is seldom a
/// layer that could take it in 8 bits.
/// </summary>
internal static class Int8Static
{
    private const int FirstOpset = 13;
    private const string MatrixKernel = "MatMulIntegerToFloat";

    /// <summary>The runtime's direct kernel takes channels of a multiple of this; it writes the other products out first.</summary>
    private const int ChannelBlock = 4;

    /// <summary>The range of σ.</summary>
    private static readonly ValueRange Gate = new(0, 1);

    /// <summary>Of the operators of an activation, the kernels that compute them in integers.</summary>
    private static readonly KeyValuePair<string, string>[] ActivationKernels = [new("Sigmoid", "com.microsoft.QLinearSigmoid"), new("Add", "com.microsoft.QLinearAdd"), new("Mul", "com.microsoft.QLinearMul")];

    /// <summary>Output channels that are rounded together.</summary>
    private const int ChannelTile = 64;

    /// <summary>Output channels from which on the runtime has a direct kernel.</summary>
    private const int FewestOutputs = 16;

    public static NumberFormat Of(FormatId id)
    {
        bool isFull = id["weights"] == FormatFamilies.Full;
        short limit = (short)(isFull ? 127 : 63);
        bool readsMoments = id[FormatFamilies.PreparationName] == FormatFamilies.Gptq;
        return new NumberFormat(
            Name: id.Text,
            Version: 9,
            KernelIdentity: "QLinearConv(u8s8,guards,padded,moves,swishes)",
            TimePerMac: 0.25,
            WhyNot: WhyNot,
            Prepare: (site, weight) => Prepare(site, weight, limit, readsMoments ? site.Moments : null),
            Emit: Emit,
            InputNoise: null,
            WeightBlock: 0,
            WeightSteps: (site, weight) => Scales(site, weight, limit),
            Kernels: site => site.HasWeightMatrix ? [new($"com.microsoft.{MatrixKernel}")] : [new("QLinearConv"), new("com.microsoft.QLinearConv")],
            Disagreement: Math.Sqrt(2),
            Bytes: site => site.HasWeightMatrix ? site.Layer.Parameters + (4L * site.OutputSize) : (site.Layer.Parameters / site.Layer.WeightShape![1] * Channels(site)) + (5L * site.Layer.WeightShape[0]))
        {
            Opset = FirstOpset,
            IsFor = kind => kind is LayerKind.Conv or LayerKind.MatMul or LayerKind.Gemm,
            NeedsExactSums = isFull,
            ReadsMoments = readsMoments,
            ReadsRanges = true,
            HeldWeight = HeldWeight,
            KernelsBeside = site => site.HasWeightMatrix || site.Tail?.Swish is null ? [] : ActivationKernels,
        };
    }

    private static string? WhyNot(LayerSite site) => site.Layer.Kind switch
    {
        LayerKind.ConvTranspose => "ONNX Runtime has no transposed convolution in integers",
        LayerKind.Conv => site.Input.ElementType != ElementType.Float || site.Weight.ElementType != ElementType.Float ? $"the layer computes in {ElementType.Name(site.Input.ElementType)}; the kernel takes float"
            : site.Layer.Bias is not null && !site.IsBiasConstant ? "what it adds is computed; the kernel takes constants"
            : site.IsObserved && site.Ranges is null ? "what it reads or gives is no finite number on some sample"
            : null,
        LayerKind.ActivationMatMul => "both operands are activations; ranges known beforehand are for what is multiplied by weights",
        _ => site.WhyNoWeightMatrix()
            ?? (site.Input.ElementType != ElementType.Float ? $"the layer computes in {ElementType.Name(site.Input.ElementType)}; the kernel takes float"
                : site.IsObserved && site.Ranges is null ? "what it reads is no finite number on some sample" : null),
    };

    private static Tensor[] Prepare(LayerSite site, Tensor weight, short limit, InputMoments? moments)
    {
        if (site.HasWeightMatrix)
        {
            return moments is null ? Int8Dynamic.Rounded(site, weight, column => Scale(column, limit), limit)
                : Int8Dynamic.Compensated(site, weight, column => Scale(column, limit), limit, largestPair: null, moments);
        }

        float[] scales = Scales(site, weight, limit);
        int size = (int)(weight.Count / scales.Length), padded = size / (int)weight.Shape[1] * Channels(site);
        var quantized = new byte[padded * scales.Length];
        if (moments is not null)
        {
            Compensate(site, weight, moments, limit, scales, (channel, values) =>
            {
                for (int i = 0; i < values.Length; i++)
                {
                    quantized[(channel * padded) + i] = (byte)values[i];
                }
            });
        }
        else
        {
            ReadOnlyMemory<byte> bytes = weight.Bytes;
            Parallel.For(0, scales.Length, channel => Rounding.ToSigned(
                System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes.Span).Slice(channel * size, size), scales[channel], limit, quantized.AsSpan(channel * padded, size)));
        }

        return [new Tensor(ElementType.Int8, [weight.Shape[0], Channels(site), .. weight.Shape[2..]], quantized), Tensor.Of<float>(scales, scales.Length)];
    }

    /// <summary>Rounds the kernels of a convolution by the moments of the patches that they are multiplied with, group by group, and fits their scales.</summary>
    private static void Compensate(LayerSite site, Tensor weight, InputMoments moments, short limit, float[] scales, Action<int, ReadOnlySpan<short>> take)
    {
        int groups = site.Groups, perGroup = scales.Length / groups, size = site.RowSize, tiles = (perGroup + ChannelTile - 1) / ChannelTile;
        var grid = new WeightGrid(size, channel => new GridStep(Scale(channel, limit), (short)-limit, limit));
        foreach ((int group, InputMoments own) in moments.OfGroups(groups).Index())
        {
            int start = group * perGroup;
            Compensation compensation = own.Compensation();
            Parallel.For(0, tiles, tile =>
            {
                int first = start + (tile * ChannelTile), count = Math.Min(ChannelTile, start + perGroup - first);
                var steps = new GridStep[count];
                var values = new short[count * size];
                for (int channel = 0; channel < count; channel++)
                {
                    steps[channel] = new GridStep(scales[first + channel], (short)-limit, limit);
                }

                compensation.Round(weight.Values<float>().Slice(first * size, count * size), count, grid, steps, values);
                for (int channel = 0; channel < count; channel++)
                {
                    scales[first + channel] = steps[channel].Scale;
                    take(first + channel, values.AsSpan(channel * size, size));
                }
            });
        }
    }

    /// <summary>
    /// Input channels that the layer reads, of each group: as many as it has, or with zeros up to a multiple of four where the runtime's direct kernel needs that. A picture of three colours is
    /// otherwise written out for a product of matrices, which takes longer.
    /// </summary>
    private static int Channels(LayerSite site)
    {
        int channels = (int)site.Layer.WeightShape![1];
        bool isDirect = site.Node.Int("group", 1) == 1 && site.Layer.WeightShape[0] is >= FewestOutputs and var outputs && outputs % ChannelBlock == 0;
        return isDirect ? (channels + ChannelBlock - 1) / ChannelBlock * ChannelBlock : channels;
    }

    private static float[] Scales(LayerSite site, Tensor weight, int limit)
    {
        if (site.HasWeightMatrix)
        {
            return Int8Dynamic.Scales(site, weight, column => Scale(column, limit));
        }

        var scales = new float[site.Layer.WeightShape![0]];
        int size = (int)(weight.Count / scales.Length);
        for (int channel = 0; channel < scales.Length; channel++)
        {
            scales[channel] = Scale(weight.Values<float>().Slice(channel * size, size), limit);
        }

        return scales;
    }

    private static float Scale(ReadOnlySpan<float> channel, int limit)
    {
        (float low, float high) = Rounding.Range(channel);
        return MathF.Max(high, -low) is > 0 and float largest ? largest / limit : 1;
    }

    private static void Emit(LayerEmission e)
    {
        GraphBuilder b = e.Builder;
        LayerRanges ranges = e.Site.Ranges ?? throw new InvalidOperationException($"nothing was observed of '{e.Site.Layer.Name}'");
        if (e.Pooled is string pooled && ranges.Pooled is { } wide)
        {
            Quantized(e, pooled, wide);
        }

        if (e.Source is string source)
        {
            Quantized(e, source, ranges.Input);
        }

        string rounded = Quantized(e, e.Input, ranges.Input);
        if (e.Site.HasWeightMatrix)
        {
            e.Product(MatrixKernel, "com.microsoft", [rounded, e.Constants[0], b.Scalar(ranges.Input.Scale), e.Constants[1], ZeroPoint(b, ranges.Input)]);
            return;
        }

        string x = Dequantize(b, Padded(e, rounded, ranges.Input), ranges.Input);
        string zeros = b.Constant(new Tensor(ElementType.Int8, [e.Site.Layer.WeightShape![0]], new byte[e.Site.Layer.WeightShape[0]]), "zero_points");
        string w = b.Node("DequantizeLinear", [e.Constants[0], e.Constants[1], zeros], Attributes.Of("axis", 0));
        string y = b.Node("Conv", e.Bias is string bias ? [x, w, bias] : [x, w], [.. e.Site.Node.Attribute]);
        Swish? swish = e.Output == e.Site.Tail?.Output ? e.Site.Tail.Swish : null;
        ValueRange given = swish is null && e.Site.Inner is not null ? ranges.Inner! : ranges.Output!;
        string result = swish is null ? Quantize(b, y, given) : Activated(b, y, ranges, swish);
        e.Shared[Key(e.Output)] = [result];
        b.NodeTo([e.Output], "DequantizeLinear", "", [result, b.Scalar(given.Scale), ZeroPoint(b, given)]);
    }

    /// <summary>
    /// An activation x · σ(x) in integers. The logistic σ has a kernel. The piecewise linear one is a sum that is cut where it is rounded, to 0 … 1 / slope, and read in other steps. A factor enters the step of the result, what is added its zero point.
    /// </summary>
    /// <returns>f(x), rounded.</returns>
    private static string Activated(GraphBuilder b, string y, LayerRanges ranges, Swish swish)
    {
        string x = Dequantize(b, Quantize(b, y, ranges.Inner!), ranges.Inner!);
        string gate;
        if (swish.Slope is float slope)
        {
            var shift = ValueRange.Of(swish.Shift / slope, swish.Shift / slope);
            string addend = Dequantize(b, b.Constant(Tensor.Scalar((byte)(byte.MaxValue - shift.ZeroPoint)), "shift"), shift);
            gate = Dequantize(b, Quantize(b, b.Node("Add", [x, addend]), new ValueRange(0, 1 / slope)), Gate);
        }
        else
        {
            gate = Dequantize(b, Quantize(b, b.Node("Sigmoid", [x]), Gate), Gate);
        }

        ValueRange given = ranges.Output!;
        string zeroPoint = b.Constant(Tensor.Scalar((byte)(given.ZeroPoint + given.StepsOf(swish))), "zero_point");
        return b.Node("QuantizeLinear", [b.Node("Mul", [x, gate]), b.Scalar(given.Scale / swish.Factor), zeroPoint]);
    }

    private static Tensor HeldWeight(LayerSite site, IReadOnlyList<Tensor> constants)
    {
        var weight = new float[site.Layer.Parameters];
        ReadOnlySpan<sbyte> quantized = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, sbyte>(constants[0].Bytes.Span);
        ReadOnlySpan<float> scales = constants[1].Values<float>();
        if (site.HasWeightMatrix)
        {
            float alpha = site.Layer.Kind == LayerKind.Gemm ? site.Node.Float("alpha", 1) : 1;
            for (int i = 0; i < weight.Length; i++)
            {
                int column = i % scales.Length, row = i / scales.Length;
                weight[site.IsWeightTransposed ? (column * site.InputSize) + row : i] = alpha == 0 ? 0 : quantized[i] * scales[column] / alpha;
            }

            return Tensor.Of<float>(weight, [.. site.Layer.WeightShape!]);
        }

        int size = weight.Length / scales.Length, padded = quantized.Length / scales.Length;
        for (int i = 0; i < weight.Length; i++)
        {
            weight[i] = quantized[(i / size * padded) + (i % size)] * scales[i / size];
        }

        return Tensor.Of<float>(weight, [.. site.Layer.WeightShape!]);
    }

    /// <summary>A value in 8 bits with the channels that the layer reads, made once for all layers that read as many: what is added stands for 0.</summary>
    private static string Padded(LayerEmission e, string rounded, ValueRange range)
    {
        int[] shape = [.. e.Site.Layer.WeightShape!.Select(d => (int)d)];
        int more = Channels(e.Site) - shape[1];
        if (more == 0)
        {
            return rounded;
        }

        string key = $"int8-static {more} channels more {rounded}";
        if (!e.Shared.TryGetValue(key, out string[]? known))
        {
            var pads = new long[2 * shape.Length];
            pads[shape.Length + 1] = more;
            e.Shared.Add(key, known = [e.Builder.Node("Pad", [rounded, e.Builder.Constant(Tensor.Of<long>(pads, pads.Length), "pads"), ZeroPoint(e.Builder, range)])]);
        }

        return known[0];
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
