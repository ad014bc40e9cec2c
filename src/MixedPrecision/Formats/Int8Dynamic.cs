using System.Buffers;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>
/// 8-bit integers on both sides. Activation: x ≈ sₓ(q − z), unsigned, range of each run's tensor including 0, sₓ = (max − min)/255
/// (ONNX DynamicQuantizeLinear-11). Weight: w ≈ s_c·q, signed, one scale per output column. The product is summed in 32-bit integers (ONNX MatMulInteger-10) and
/// multiplied by sₓ·s_c. x64 processors without VNNI add the products of inputs 2i and 2i + 1 in 16 bits, which saturate beyond 255·128. Paired: s_c is the largest sum of two such
/// weights of one sign, over 127, so that with both rounded the result is the same on every processor. Full: s_c is the largest weight over 127, for processors with VNNI or AMX. ONNX Runtime fuses this pattern into one kernel, and layers that read
/// one activation share its quantization. Products of two activations quantize both per tensor; they have a format of their own, since what they gain and lose is another matter.
/// Applies to matrices in float32, and to LSTM (<see cref="RecurrentWeights"/>). Not to convolutions: ONNX Runtime's ConvInteger is many times slower than Conv in float.
/// </summary>
internal static class Int8Dynamic
{
    private const int WeightLimit = 127;
    private const int FirstOpset = 11;

    /// <summary>The scale of an output column.</summary>
    public delegate float ScaleOf(ReadOnlySpan<float> column);

    public static NumberFormat Of(FormatId id) => id["operands"] switch
    {
        FormatFamilies.Products => Format(id, WhyNoProduct, kind => kind == LayerKind.ActivationMatMul, prepare: (_, _) => [], steps: (_, _) => [], bytes: _ => 0),
        FormatFamilies.Full => OfWeights(id, column => Scale(Largest(column)), largestPair: null) with { NeedsExactSums = true },
        _ => OfWeights(id, column => Scale(Rounding.LargestPair(column)), largestPair: WeightLimit + 1),
    };

    private static NumberFormat OfWeights(FormatId id, ScaleOf scaleOf, int? largestPair) => Format(
        id,
        WhyNoWeight,
        kind => kind is not (LayerKind.ActivationMatMul or LayerKind.Embedding),
        (site, weight) => site.IsRecurrent ? RecurrentWeights.Prepare(site, weight, scaleOf, WeightLimit) : Prepare(site, weight, scaleOf, largestPair, ReadsMoments(id) ? site.Moments : null),
        (site, weight) => Scales(site, weight, scaleOf),
        site => ((long)site.InputSize * site.OutputSize) + ((site.IsRecurrent ? 5L : 4L) * site.OutputSize));

    private static NumberFormat Format(
        FormatId id,
        Func<LayerSite, string?> whyNot,
        Func<LayerKind, bool> isFor,
        Func<LayerSite, Tensor, IReadOnlyList<Tensor>> prepare,
        Func<LayerSite, Tensor, float[]> steps,
        Func<LayerSite, long> bytes) => new(
        Name: id.Text,
        Version: 3,
        KernelIdentity: id["operands"] == FormatFamilies.Products ? "MatMulInteger(u8u8,dynamic)" : "MatMulInteger(u8s8,dynamic)",
        TimePerMac: 0.25,
        WhyNot: site => site.Layer.Kind is LayerKind.Conv or LayerKind.ConvTranspose
            ? "ONNX Runtime's integer convolution with dynamic ranges is slower than the one in float" : whyNot(site),
        Prepare: prepare,
        Emit: Emit,
        InputNoise: InputNoise,
        WeightBlock: 0,
        WeightSteps: steps,
        Kernels: site => site.IsRecurrent ? [new($"com.microsoft.{RecurrentWeights.Kernel}")] : [new("com.microsoft.DynamicQuantizeMatMul"), new("com.microsoft.MatMulIntegerToFloat")],
        Disagreement: Math.Sqrt(2),
        Bytes: bytes)
        {
            IsFor = isFor,
            BalancesChannels = ReadsMoments(id),
            ReadsMoments = ReadsMoments(id),
        };

    private static bool ReadsMoments(FormatId id) => id["operands"] != FormatFamilies.Products && id[FormatFamilies.PreparationName] == FormatFamilies.Gptq;

    private static string? WhyNoWeight(LayerSite site) => site.Layer.Kind == LayerKind.ActivationMatMul
        ? $"both operands are activations; '{FormatFamilies.Int8Dynamic}({FormatFamilies.Products})' is the format for these"
        : site.IsRecurrent ? null : site.WhyNoWeightMatrix();

    private static string? WhyNoProduct(LayerSite site) =>
        site.Layer.Kind != LayerKind.ActivationMatMul ? $"one operand is a constant weight; '{FormatFamilies.Int8Dynamic}' is the format for these"
        : site.WhyNotFloat()
            ?? (site.Opset < FirstOpset ? $"the model's opset {site.Opset} has no DynamicQuantizeLinear; it came with {FirstOpset}"
                : site.Input.Rank is null || site.Weight.Rank is null ? "the number of dimensions of an operand is known only from data"
                : site.Input.Rank < 2 || site.Weight.Rank < 2 ? "an operand is a vector; the kernel takes matrices" : null);

    private static Tensor[] Prepare(LayerSite site, Tensor weight, ScaleOf scaleOf, int? largestPair, InputMoments? moments)
    {
        return moments is null ? Rounded(site, weight, scaleOf, WeightLimit) : Compensated(site, weight, scaleOf, WeightLimit, largestPair, moments);
    }

    /// <summary>The weight matrix in 8 bits as <see cref="Rounded"/> gives it, rounded with what calibration saw.</summary>
    public static Tensor[] Compensated(LayerSite site, Tensor weight, ScaleOf scaleOf, short limit, int? largestPair, InputMoments moments)
    {
        int inputs = site.InputSize, outputs = site.OutputSize;
        var scales = new float[outputs];
        var quantized = new byte[(long)inputs * outputs];
        new WeightGrid(inputs, column => new GridStep(scaleOf(column), (short)-limit, limit), largestPair).Round(site, weight, moments, (column, steps, values) =>
        {
            scales[column] = steps[0].Scale;
            for (int row = 0; row < values.Length; row++)
            {
                quantized[((long)row * outputs) + column] = (byte)values[row];
            }
        });
        return [new Tensor(ElementType.Int8, [inputs, outputs], quantized), Tensor.Of<float>(scales, outputs)];
    }

    /// <summary>The weight matrix in 8 bits, [K, N], each value the nearest, and the scales of its columns, [N].</summary>
    public static Tensor[] Rounded(LayerSite site, Tensor weight, ScaleOf scaleOf, int limit)
    {
        int inputs = site.InputSize, outputs = site.OutputSize;
        var scales = new float[outputs];
        var quantized = new byte[(long)inputs * outputs];
        site.ForEachTile(weight, (first, count, columns) =>
        {
            byte[] tile = ArrayPool<byte>.Shared.Rent(count * inputs);
            for (int column = 0; column < count; column++)
            {
                ReadOnlySpan<float> values = columns.Slice(column * inputs, inputs);
                float scale = scales[first + column] = scaleOf(values);
                Rounding.ToSigned(values, scale, limit, tile.AsSpan(column * inputs, inputs));
            }

            for (int row = 0; row < inputs; row++)
            {
                Span<byte> target = quantized.AsSpan(checked((int)(((long)row * outputs) + first)), count);
                for (int column = 0; column < target.Length; column++)
                {
                    target[column] = tile[(column * inputs) + row];
                }
            }

            ArrayPool<byte>.Shared.Return(tile);
        });
        return [new Tensor(ElementType.Int8, [inputs, outputs], quantized), Tensor.Of<float>(scales, outputs)];
    }

    /// <summary>The scales of a weight matrix's columns, [N].</summary>
    public static float[] Scales(LayerSite site, Tensor weight, ScaleOf scaleOf)
    {
        var scales = new float[site.OutputSize];
        site.ForEachColumn(weight, (column, values) => scales[column] = scaleOf(values));
        return scales;
    }

    private static float Largest(ReadOnlySpan<float> column)
    {
        (float low, float high) = Rounding.Range(column);
        return MathF.Max(high, -low);
    }

    private static float Scale(float largest) => largest > 0 ? largest / WeightLimit : 1;

    private static void Emit(LayerEmission e)
    {
        GraphBuilder b = e.Builder;
        if (e.Site.IsRecurrent)
        {
            RecurrentWeights.Emit(e);
            return;
        }

        if (e.Site.HasWeightMatrix && e.Site.Opset < FirstOpset)
        {
            e.Product("DynamicQuantizeMatMul", "com.microsoft", [e.Input, e.Constants[0], e.Constants[1]]);
            return;
        }

        string[] x = Quantize(b, e.Shared, e.Input);
        (string Values, string Scale, string ZeroPoint) w = e.Site.HasWeightMatrix
            ? (e.Constants[0], e.Constants[1], b.Constant(Tensor.Scalar<sbyte>(0), "zero_point"))
            : Quantize(b, e.Shared, e.Second) is var second ? (second[0], second[1], second[2]) : default;
        string sum = b.Node("MatMulInteger", [x[0], w.Values, x[2], w.ZeroPoint]);
        e.Product("Mul", "", [b.Cast(sum, ElementType.Float), b.Mul(x[1], w.Scale)]);
    }

    /// <summary>Values, scale and zero point of an activation, made once for all layers that read it.</summary>
    public static string[] Quantize(GraphBuilder builder, Dictionary<string, string[]> shared, string activation)
    {
        string key = $"int8-dynamic {activation}";
        if (!shared.TryGetValue(key, out string[]? quantized))
        {
            shared.Add(key, quantized = builder.NodeWithOutputs("DynamicQuantizeLinear", 3, [activation]));
        }

        return quantized;
    }

    /// <summary>Δ²/12 with Δ = (max − min)/255 of the whole tensor.</summary>
    private static string InputNoise(GraphBuilder b, LayerSite site, string x, string gradient)
    {
        string zero = b.Scalar(0);
        string high = b.Node("Max", [b.Node("ReduceMax", [x], Attributes.Of("keepdims", 0)), zero]);
        string low = b.Node("Min", [b.Node("ReduceMin", [x], Attributes.Of("keepdims", 0)), zero]);
        string step = b.Mul(b.Sub(high, low), b.Scalar(1 / (255 * Math.Sqrt(12))));
        return b.Mul(b.Mul(step, step), b.Node("ReduceSumSquare", [gradient], Attributes.Of("keepdims", 0)));
    }
}
