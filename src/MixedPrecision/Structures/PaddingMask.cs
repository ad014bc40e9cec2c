using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>
/// A mask that keeps whole keys from all queries of a sequence, as padding has it: com.microsoft's attention operators take it as 32-bit integers [batch, keys], where what is not
/// positive is masked, and add a fill to the scores there. That a model's mask is one is shown by computing it for several sizes, from inputs of zeros and ones, which is all
/// that such inputs are taken to hold.
/// </summary>
/// <param name="Mask">The mask.</param>
/// <param name="Fill">What is added to the scores of masked keys.</param>
/// <param name="EmptyGivesZero">Whether a sequence of which all keys are masked gets zeros, and not what softmax gives.</param>
internal sealed record PaddingMask(ScoreMask Mask, float Fill, bool EmptyGivesZero)
{
    /// <summary>Numbers in place of symbols, in their order; where there are more, they start again.</summary>
    private static readonly long[][] Numbers = [[1, 1], [1, 4], [2, 3], [3, 5]];

    /// <summary>Fills found, by value and how it is read; 0 for what is no padding.</summary>
    private static readonly ConditionalWeakTable<Partition, ConcurrentDictionary<string, float>> Known = [];

    /// <summary>The padding mask that an attention's only mask is, or null.</summary>
    public static PaddingMask? Of(StructureSite site, AttentionPattern attention)
    {
        if (attention.Masks is not [ScoreMask mask])
        {
            return null;
        }

        // What the mask was expanded from gives the same; the first that lies as needed decides for all.
        var reader = new AttentionReader(site.Model, site.Partition.View, site.Types);
        if (mask.Forms.FirstOrDefault(f => f.Shape[0].Equals(attention.Batch) && (f.Shape[1].Constant == 1 || f.Shape[1].Constant == attention.Heads) && f.Shape[3].Equals(attention.Keys) && reader.Shape(f.Value, 4) is not null) is not { Value: { } value })
        {
            return null;
        }

        float fill = Known.GetOrCreateValue(site.Partition).GetOrAdd($"{value} {mask.Fill} {mask.FillsTrue}", _ => FillOf(mask, Outcomes(reader, value)));
        bool emptyGivesZero = fill <= attention.EmptyFrom;
        return fill < 0 && (mask.Fill is null || ScoreMask.IsAbsorbing(fill)) ? new PaddingMask(mask, emptyGivesZero ? float.MinValue : fill, emptyGivesZero) : null;
    }

    /// <summary>Adds the mask as the operators take it, once for a model.</summary>
    public string Emit(StructureEmission e)
    {
        (string value, IReadOnlyList<Size> shape) = Mask.Forms.First(f => e.Has(f.Value));
        string key = $"padding-mask {value}";
        if (e.Shared.TryGetValue(key, out string[]? known))
        {
            return known[0];
        }

        GraphBuilder b = e.Builder;
        string head = shape[1].Constant == 1 ? value : b.Gather(value, b.Integers(0), 1);
        string row = shape[2].Constant == 1 ? head : b.Gather(head, b.Integers(0), 2);
        string keys = b.Reshape0(row, 0, -1);
        string kept = Mask.Fill is null ? b.Greater(keys, b.Scalar(Math.Max(Fill, float.MinValue) / 2)) : Mask.FillsTrue ? b.Not(keys) : keys;
        e.Shared.Add(key, [b.Cast(kept, ElementType.Int32)]);
        return e.Shared[key][0];
    }

    /// <summary>Adds a product of a result, [batch, queries, features], with 0 for sequences of which all keys are masked and 1 for the others. No number that comes in may be infinite.</summary>
    public string WithoutEmpty(StructureEmission e, string result, string output, int opset)
    {
        string mask = Emit(e), key = $"filled {mask}";
        GraphBuilder b = e.Builder;
        if (!e.Shared.TryGetValue(key, out string[]? known))
        {
            string any = opset >= 18 ? b.Node("ReduceMax", [mask, b.Integers(1)]) : b.Node("ReduceMax", [mask], Attributes.Of("axes", [1L]));
            e.Shared.Add(key, known = [b.Reshape0(b.Cast(any, ElementType.Float), 0, 1, 1)]);
        }

        return b.NodeTo([output], "Mul", "", [result, known[0]])[0];
    }

    /// <summary>A mask for several sizes, each with inputs of ones, of zeros, and at random. Empty when activations enter, or it does not run.</summary>
    internal static IReadOnlyList<Tensor> Outcomes(AttentionReader reader, string value)
    {
        using Computation? computation = Computation.Of(reader.Model, reader.View, reader.Types, reader.Shapes, value);
        string[] symbols = [.. computation?.Symbols.Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>()];
        var random = new Random(1);
        Tensor?[] outcomes = computation is null ? [] :
        [
            .. from numbers in Numbers
               from next in new Func<byte>[] { () => 1, () => 0, () => (byte)random.Next(2) }
               select computation.Run(symbols.Select((s, i) => (s, numbers[i % numbers.Length])).ToDictionary(), (type, shape) => Bits(type, shape, next)),
        ];
        return outcomes.Contains(null) ? [] : [.. outcomes.OfType<Tensor>()];
    }

    /// <summary>The one number beside 0 that outcomes hold; 0 where there is none, or several, or rows or heads of a sequence differ.</summary>
    private static float FillOf(ScoreMask mask, IReadOnlyList<Tensor> outcomes)
    {
        var fills = new HashSet<float>();
        foreach (Tensor outcome in outcomes)
        {
            float[]? values = mask.Fill is not float fill ? outcome.ElementType == ElementType.Float ? outcome.Values<float>().ToArray() : null
                : outcome.ElementType == ElementType.Bool ? [.. outcome.Values<bool>().ToArray().Select(v => v == mask.FillsTrue ? fill : 0)] : null;
            (int rows, int keys) = ((int)(outcome.Shape[1] * outcome.Shape[2]), (int)outcome.Shape[3]);
            if (values is null || values.Chunk(rows * keys).Any(sequence => sequence.Chunk(keys).Any(row => !row.SequenceEqual(sequence.Take(keys)))))
            {
                return 0;
            }

            fills.UnionWith(values.Where(v => v != 0));
        }

        return fills.Count == 1 ? fills.Single() : 0;
    }

    private static Tensor Bits(TensorType type, long[] shape, Func<byte> next)
    {
        byte[] values = [.. Enumerable.Range(0, checked((int)Tensor.ElementCount(shape))).Select(_ => next())];
        return type.ElementType switch
        {
            ElementType.Int64 => Tensor.Of<long>([.. values.Select(v => (long)v)], shape),
            ElementType.Int32 => Tensor.Of<int>([.. values.Select(v => (int)v)], shape),
            ElementType.Bool => Tensor.Of<bool>([.. values.Select(v => v != 0)], shape),
            _ => Tensor.Of<float>([.. values.Select(v => (float)v)], shape),
        };
    }
}
