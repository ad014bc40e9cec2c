using System.Buffers;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Formats;

/// <summary>
/// Both operands of a layer rounded to a floating type (paper, section 3) and multiplied as floats; the sums are not rounded. Applies to every layer: the operator itself stays.
/// 16 bits: operands are cast to the type and back, and the weight is stored in it. No operator in between runs in the type: ONNX Runtime's CPU provider has no kernels for bfloat16, and on x64 it casts
/// to float and back around those for float16, which would round results too and gain nothing.
/// 8 bits: a weight is read through DequantizeLinear, with one scale, a power of two: with it, values that have all bits of their mantissa are rounded as without. Activations are cast too, and
/// scaled around that, which is what QuantizeLinear and DequantizeLinear compute: the runtime takes DequantizeLinear on both sides of a product for a pattern of its integer kernels (ONNX Runtime's
/// issue 22269), and moves QuantizeLinear with a constant scale ahead of operators that have no kernels for 8-bit floats, so that the model does not load.
/// </summary>
internal static class FloatFormats
{
    /// <summary>Versions of the operator set that brought what is emitted: Clip with inputs, Cast to bfloat16, floats of 8 bits.</summary>
    private const int ClipOpset = 11;
    private const int BFloat16Opset = 13;
    private const int Float8Opset = 19;

    /// <summary>The range that is assumed of activations that are all zero, or nearly.</summary>
    private const double SmallestRange = 1e-30;

    /// <summary>Values of a weight that one thread takes at a time.</summary>
    private const int PartSize = 1 << 16;

    /// <param name="isScaled">Whether activations of 8 bits are scaled by their largest magnitude in each run, rather than taken as they are.</param>
    public static NumberFormat Of(string name, int version, FloatType type, bool isScaled) => new(
        Name: name,
        Version: version,
        KernelIdentity: $"Cast({ElementType.Name(type.ElementType)}{(isScaled ? ",scaled" : "")})",
        TimePerMac: type.Bits / 32.0,
        WhyNot: site => site.IsRecurrent ? site.WhyNoWeightMatrix() : site.WhyNotFloat() ?? (site.Input.ElementType == type.ElementType ? $"the layer computes in {ElementType.Name(type.ElementType)} already" : null),
        Prepare: (site, weight) => Prepare(type, weight),
        Emit: e => Emit(e, type, isScaled),
        InputNoise: (b, site, x, gradient) => FloatNoise.OfActivation(b, type, x, gradient, isScaled ? Scale(b, type, x) : null),
        WeightBlock: 0,
        WeightSteps: (_, _) => [],
        Kernels: _ => [],
        Disagreement: Math.Sqrt(2),
        Bytes: site => (site.Layer.Parameters * type.Bits / 8) + (site.Layer.HasWeight && type.Bits == 8 ? sizeof(float) : 0))
    {
        IsFor = kind => kind is not (LayerKind.Embedding or LayerKind.Recurrent),
        Opset = type.Bits == 8 ? Float8Opset : type == FloatType.BFloat16 ? BFloat16Opset : ClipOpset,
        WeightNoise = weight => (values, deviations) => FloatNoise.OfWeights(type, WeightScale(type, weight), values, deviations),
    };

    private static float WeightScale(FloatType type, Tensor weight) => type.Bits == 8 ? type.ScaleFor(LargestMagnitude(weight)) : 1;

    /// <summary>The weight's codes in its own shape, and for 8 bits its scale.</summary>
    private static Tensor[] Prepare(FloatType type, Tensor weight)
    {
        float scale = WeightScale(type, weight);
        int bytes = type.Bits / 8;
        var codes = new byte[weight.Count * bytes];
        ForEachPart(weight, (part, values) => type.Round(values, scale, codes.AsSpan(part * PartSize * bytes)));
        var rounded = new Tensor(type.ElementType, weight.Shape, codes);
        return type.Bits == 8 ? [rounded, Tensor.Scalar(scale)] : [rounded];
    }

    private static float LargestMagnitude(Tensor weight)
    {
        var largest = new float[Parts(weight)];
        ForEachPart(weight, (part, values) =>
        {
            (float low, float high) = Rounding.Range(values);
            largest[part] = MathF.Max(high, -low);
        });
        return largest.DefaultIfEmpty(0).Max();
    }

    private static int Parts(Tensor weight) => (int)((weight.Count + PartSize - 1) / PartSize);

    /// <summary>Goes through a weight, half precision as float, on several threads and in no order.</summary>
    private static void ForEachPart(Tensor weight, PartAction action) => Parallel.For(0, Parts(weight), part =>
    {
        float[] rented = ArrayPool<float>.Shared.Rent(PartSize);
        Span<float> values = rented.AsSpan(0, (int)Math.Min(PartSize, weight.Count - ((long)part * PartSize)));
        HalfPrecision.Widen(weight, (long)part * PartSize, values);
        action(part, values);
        ArrayPool<float>.Shared.Return(rented);
    });

    private static void Emit(LayerEmission e, FloatType type, bool isScaled)
    {
        string x = Activation(e, type, isScaled, e.Input);
        string second = e.Site.Layer.HasWeight ? Weight(e, type) : Activation(e, type, isScaled, e.Second);
        NodeProto node = e.Site.Node;

        // Gemm said below version 7 that it broadcasts what it adds.
        e.Builder.NodeTo([e.Output], node.OpType, node.Domain, e.Bias is null ? [x, second] : [x, second, e.Bias], [.. node.Attribute.Where(a => a.Name != "broadcast")]);
    }

    private static string Weight(LayerEmission e, FloatType type)
    {
        string weight = Shared(e, $"weight {string.Join(' ', e.Constants)}", () => type.Bits == 8
            ? e.Builder.Node("DequantizeLinear", [e.Constants[0], e.Constants[1]])
            : e.Builder.Cast(e.Constants[0], ElementType.Float));

        // Behind the rounding: a type with few exponents would round what is divided before to other values.
        return e.Site.OutputScales is { } scales ? e.Builder.Div(weight, e.Builder.Constant(Tensor.Of<float>(scales, scales.Length), "channels")) : weight;
    }

    /// <summary>An activation rounded to the type, made once for all layers that read it.</summary>
    private static string Activation(LayerEmission e, FloatType type, bool isScaled, string x) => Shared(e, $"{ElementType.Name(type.ElementType)} {isScaled} {x}", () =>
    {
        GraphBuilder b = e.Builder;
        if (isScaled)
        {
            string scale = Scale(b, type, x);
            return b.Mul(Round(b.Div(x, scale)), scale);
        }

        // Cast to 16 bits makes an infinity of what is beyond the largest; to 8 it takes the largest.
        return Round(type.Bits == 8 || type.HasRangeOfFloat ? x : b.Node("Clip", [x, b.Scalar(-type.Largest), b.Scalar(type.Largest)]));

        string Round(string value) => b.Cast(b.Cast(value, type.ElementType), ElementType.Float);
    });

    /// <summary>The scale that puts the largest magnitude of an activation at the largest value of the type.</summary>
    private static string Scale(GraphBuilder b, FloatType type, string x)
    {
        string largest = b.Node("ReduceMax", [b.Abs(x)], Attributes.Of("keepdims", 0));
        return b.Mul(b.Max(largest, b.Scalar(SmallestRange)), b.Scalar(1 / type.Largest));
    }

    private static string Shared(LayerEmission e, string key, Func<string> make)
    {
        if (!e.Shared.TryGetValue(key, out string[]? made))
        {
            e.Shared.Add(key, made = [make()]);
        }

        return made[0];
    }

    /// <summary>Reads a part of a weight.</summary>
    private delegate void PartAction(int part, ReadOnlySpan<float> values);
}
