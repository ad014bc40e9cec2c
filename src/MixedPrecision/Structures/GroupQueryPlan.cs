using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>Attention of which it is proven that GroupQueryAttention computes it.</summary>
/// <param name="Attention">What is replaced.</param>
/// <param name="Sizes">Of its scores.</param>
/// <param name="Sides">Its masks and tables.</param>
/// <param name="IsCausal">Whether later rows are hidden, as the kernel does by itself.</param>
/// <param name="Added">Masks that are added to the scores.</param>
/// <param name="PresentKey">Keys of all rows that are read elsewhere, or null.</param>
/// <param name="PresentValue">Values of all rows that are read elsewhere, or null.</param>
/// <param name="Tables">How positions enter: see <see cref="RotaryTables"/>; null where there is no rotation.</param>
internal sealed record GroupQueryPlan(Attention Attention, ScoreSizes Sizes, SideValues Sides, bool IsCausal, IReadOnlyList<Mask> Added, string? PresentKey, string? PresentValue, RotaryTables? Tables)
{
    /// <summary>Whether rows may see nothing, and have to become zeros.</summary>
    public bool HasEmptyRows => Attention.EmptyFrom is not null && Added.Count > 0;

    public IEnumerable<string> Outputs => new[] { Attention.Output, PresentKey, PresentValue }.OfType<string>();

    /// <summary>
    /// The kernel refuses several rows of several sequences at once behind rows of before, which the model takes: there the model's own nodes have to stay, in the other branch of an If.
    /// </summary>
    public bool NeedsBranch => Sizes.Past.Constant != 0 && Sizes.Batch.Constant != 1 && Sizes.Rows.Constant != 1;

    /// <summary>Whether the kernel does the rotation: it wants one table for all sequences.</summary>
    public bool TurnsInside => Tables is { Form: RotaryForm.Stored or RotaryForm.PerRow } && Attention.Query.HeadSize % 16 == 0;

    /// <summary>The plan, or null where something is not as the kernel has it.</summary>
    /// <param name="own">Nodes of the sub-graph.</param>
    public static GroupQueryPlan? Of(AttentionReader reader, Attention attention, IReadOnlySet<int> own)
    {
        (HeadPath query, HeadPath key, HeadPath value) = (attention.Query, attention.Key, attention.Value);
        bool isGrouped = query.Repeats == 1 && query.Past is null && value.Rotation is null && value.Scale == 1
            && key.Repeats == value.Repeats && key.Heads == value.Heads && query.Heads == key.Heads * key.Repeats
            && new[] { key, value }.All(p => p.HeadSize == query.HeadSize && p.Batch.Equals(query.Batch) && p.RowCount.Equals(query.RowCount));
        bool isFloat = new[] { query.Rows, key.Rows, value.Rows }.All(r => reader.Types.TryGetValue(r, out TensorType? type) && type.ElementType == ElementType.Float);
        if (!isGrouped || !isFloat || query.HeadSize % 8 != 0 || (key.Past is null) != (value.Past is null) || (key.Rotation is null) != (query.Rotation is null))
        {
            return null;
        }

        if (key.Past is not null && !new[] { key, value }.All(p => reader.Shape(p.Past!, 4) is [_, var heads, _, var size] && heads.Constant == p.Heads && size.Constant == p.HeadSize))
        {
            return null;
        }

        var sizes = new ScoreSizes(query.Batch, Size.Of(query.Heads), query.RowCount, key.Past is null ? Size.Of(0) : reader.Shape(key.Past, 4)![2]);
        bool isMaskCausal = attention.Masks is [var only] && (only.Form == MaskForm.Added || only.Else <= CausalMask.Hidden)
            && reader.Proven(only.Value, $"{only.Form} {sizes}", c => CausalMask.Holds(c, only.Form, sizes));
        IReadOnlyList<Mask> added = isMaskCausal ? [] : attention.Masks;
        if (!added.All(m => IsAddend(reader, m, sizes, attention.EmptyFrom is not null)))
        {
            return null;
        }

        var readers = new OutsideReaders(reader.View, own, attention);
        if (attention.Inner.Any(readers.Has) || (key.IsScaledBefore && (key.Past is not null || readers.Has(key.Present))))
        {
            return null;
        }

        RotaryTables? tables = null;
        if (query.Rotation is not null && (tables = RotaryTables.Of(reader, query, key, sizes)) is null)
        {
            return null;
        }

        var sides = new SideValues(reader, attention, sizes);
        string[] needed = [.. added.Select(m => m.Value), .. tables?.Values ?? []];
        return !needed.All(sides.Has) ? null : new GroupQueryPlan(
            attention, sizes, sides, isMaskCausal || attention.IsCausal, added, readers.Has(key.Present) ? key.Present : null, readers.Has(value.Present) ? value.Present : null, tables);
    }

    /// <summary>Whether a mask can be added to the scores [batch, heads, rows, total]; where rows may see nothing, they are the same for all heads.</summary>
    private static bool IsAddend(AttentionReader reader, Mask mask, ScoreSizes sizes, bool isForAllHeads)
    {
        if (reader.Shapes.Of(mask.Value) is not { Length: <= 4 } shape || !reader.Types.TryGetValue(mask.Value, out TensorType? type))
        {
            return false;
        }

        Size[] whole = [.. Enumerable.Repeat(Size.Of(1), 4 - shape.Length), .. shape];
        Size[] wanted = [sizes.Batch, sizes.Heads, sizes.Rows, sizes.Total];
        return type.ElementType == (mask.Form == MaskForm.Added ? ElementType.Float : ElementType.Bool) && whole.Take(2).Zip(wanted).All(s => s.First.Constant == 1 || s.First.Equals(s.Second))
            && (!isForAllHeads || whole[1].Constant == 1);
    }
}

/// <summary>Whether values of an attention are read by something that stays when it is replaced.</summary>
/// <param name="own">Nodes of its sub-graph.</param>
internal sealed class OutsideReaders(GraphView view, IReadOnlySet<int> own, Attention attention)
{
    private readonly HashSet<int> replaced = [.. attention.Inner.Append(attention.Output).Select(v => view.Producer(v)!.Value)];

    public bool Has(string? value)
    {
        var seen = new HashSet<string>();
        var open = new Stack<string>(value is null ? [] : [value]);
        while (open.TryPop(out string? current))
        {
            if (view.IsOutput(current))
            {
                return true;
            }

            foreach (int reader in view.Consumers(current).Where(r => !replaced.Contains(r)))
            {
                if (!own.Contains(reader))
                {
                    return true;
                }

                foreach (string output in view.Nodes[reader].Output.Where(o => o.Length > 0 && seen.Add(o)))
                {
                    open.Push(output);
                }
            }
        }

        return false;
    }
}
