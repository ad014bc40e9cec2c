using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Structures;

/// <summary>
/// Projections of one input to queries, keys and values, and the attention between them, in one kernel (com.microsoft.QAttention): the input is quantized at run time and the
/// weights are signed with a scale for each column, as int8-dynamic has them, with the same sums; products and softmax are computed in float.
/// </summary>
internal static class QuantizedAttention
{
    public static readonly Structure Structure = new(StructureNames.QuantizedAttention, 1, Match);

    /// <summary>DynamicQuantizeLinear came with it.</summary>
    private const int FirstOpset = 11;

    private static StructureMatch? Match(StructureSite site) =>
        site.Model.Opset >= FirstOpset && ProjectedAttention.Find(site, NumberFormats.Get(FormatFamilies.Int8Dynamic)) is { } found
            ? new StructureMatch(found.Fixed, [found.Attention.Output], [new Kernel("com.microsoft.QAttention")], e => Emit(e, found, site.Model.Opset))
            : null;

    private static void Emit(StructureEmission e, ProjectedAttention found, int opset)
    {
        IReadOnlyList<Tensor>[] prepared = [.. found.Projections.Select(p => e.Prepared(p.Layer))];
        int size = found.Size, inputs = (int)prepared[0][0].Shape[0];
        var weights = new byte[3L * inputs * size];
        var scales = new float[3 * size];
        for (int part = 0; part < 3; part++)
        {
            ReadOnlySpan<byte> values = prepared[part][0].Bytes.Span;
            (int columns, int first) = ((int)prepared[part][0].Shape[1], found.Projections[part].First);
            prepared[part][1].Values<float>().Slice(first, size).CopyTo(scales.AsSpan(part * size));
            for (int row = 0; row < inputs; row++)
            {
                values.Slice((row * columns) + first, size).CopyTo(weights.AsSpan(((row * 3) + part) * size));
            }
        }

        string weight = e.Constant(new Tensor(ElementType.Int8, [inputs, 3 * size], weights), $"{found.Projections[0].Layer}/attention/weight");
        string scale = e.Constant(Tensor.Of<float>(scales, 3 * size), $"{found.Projections[0].Layer}/attention/scale");
        string[] x = Int8Dynamic.Quantize(e.Builder, e.Shared, found.Projections[0].InputOf(e));
        string rows = found.Projections[0].Apart(e, x[0], inputs);
        found.Attention.Write(e, "QAttention", [rows, weight, found.Bias(e), x[1], scale, found.Padding?.Emit(e) ?? "", x[2]], found.Attributes, found.Padding, opset);
    }
}
