namespace MixedPrecision.Onnx.Lowering;

/// <summary>
/// Sequences whose elements are known when the model is lowered: what reads them reads the elements instead. Exporters write such for lists of tensors, as in splits and
/// stacks. Others are left as they are.
/// </summary>
internal static class SequenceForms
{
    public static void At(LoweringContext c)
    {
        if (Elements(c, c.X) is { } elements && c.Constants.Integers(c.Input(1)) is [long index] && Within(index, elements.Count) is int place)
        {
            c.Return(elements[place]());
        }
        else
        {
            c.Keep();
        }
    }

    /// <summary>Joined along an axis, or along a new one.</summary>
    public static void Joined(LoweringContext c)
    {
        if (Elements(c, c.X) is not { Count: > 0 } elements)
        {
            c.Keep();
            return;
        }

        long axis = c.Node.Int("axis", 0);
        bool isNew = c.Node.Int("new_axis", 0) == 1;
        c.Return(c.B.Concat(axis, [.. elements.Select(e => isNew ? c.B.Unsqueeze(e(), axis) : e())]));
    }

    /// <summary>The elements of a sequence, each made when it is asked for; null when they are not known.</summary>
    private static List<Func<string>>? Elements(LoweringContext c, string sequence)
    {
        NodeProto? node = c.B.Nodes.FindLast(n => n.Output.Contains(sequence));
        switch (node?.OpType)
        {
            case "Identity":
                return Elements(c, node.Input[0]);
            case "SequenceEmpty":
                return [];
            case "SequenceConstruct":
                return [.. node.Input.Select(i => (Func<string>)(() => i))];
            case "SplitToSequence":
                return Parts(c, node);
            case "SequenceInsert":
            case "SequenceErase":
                return Changed(c, node);
            default:
                return null;
        }
    }

    private static List<Func<string>>? Changed(LoweringContext c, NodeProto node)
    {
        bool inserts = node.OpType == "SequenceInsert";
        string position = node.Input.ElementAtOrDefault(inserts ? 2 : 1) ?? "";
        if (Elements(c, node.Input[0]) is not { } elements)
        {
            return null;
        }

        // An element may be inserted behind the last one.
        int count = elements.Count + (inserts ? 1 : 0);
        long? given = position.Length == 0 ? count - 1 : c.Constants.Integers(position) is [long constant] ? constant < 0 ? constant + elements.Count : constant : null;
        if (given is null || Within(given.Value, count) is not int place)
        {
            return null;
        }

        if (inserts)
        {
            elements.Insert(place, () => node.Input[1]);
        }
        else
        {
            elements.RemoveAt(place);
        }

        return elements;
    }

    private static List<Func<string>>? Parts(LoweringContext c, NodeProto node)
    {
        string x = node.Input[0];
        if (c.Type(x).Shape is not { } shape)
        {
            return null;
        }

        long axis = node.Int("axis", 0);
        axis = axis < 0 ? axis + shape.Count : axis;
        string split = node.Input.ElementAtOrDefault(1) ?? "";
        if (split.Length == 0)
        {
            bool kept = node.Int("keepdims", 1) == 1;
            Func<string> One(long at) => () => kept ? c.B.Slice(x, axis, at, at + 1) : c.B.Squeeze(c.B.Slice(x, axis, at, at + 1), axis);
            return shape[(int)axis].Size is long count ? [.. Enumerable.Range(0, (int)count).Select(at => One(at))] : null;
        }

        if (c.Constants.Find(split) is not { } given || c.Constants.Integers(split) is not { } sizes)
        {
            return null;
        }

        if (given.Rank == 0)
        {
            if (shape[(int)axis].Size is not long total || sizes[0] < 1)
            {
                return null;
            }

            sizes = [.. Enumerable.Range(0, (int)((total + sizes[0] - 1) / sizes[0])).Select(i => Math.Min(sizes[0], total - (i * sizes[0])))];
        }

        var parts = new List<Func<string>>();
        long start = 0;
        foreach (long size in sizes)
        {
            long from = start;
            parts.Add(() => c.B.Slice(x, axis, from, from + size));
            start += size;
        }

        return parts;
    }

    private static int? Within(long index, int count) => index < -count || index >= count ? null : (int)(index < 0 ? index + count : index);
}
