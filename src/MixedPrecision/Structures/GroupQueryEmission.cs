using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>Writes an attention as GroupQueryAttention: projections go in as they are, and the result is what the next layer reads.</summary>
internal static class GroupQueryEmission
{
    /// <summary>A sink of this score takes no weight, and the kernel's path in tiles has no sinks.</summary>
    private const float NoSink = -1e30f;

    public static void Write(AttentionReader reader, GroupQueryPlan plan, StructureEmission emission, bool isTiled)
    {
        Attention attention = plan.Attention;
        GraphBuilder b = emission.Builder;
        string query = Flat(b, attention.Query), key = Flat(b, attention.Key), value = Flat(b, attention.Value);
        string[] lengths = Lengths(plan, emission, query);
        string[] tables = ["", ""];
        bool turnsInside = plan.Tables is { Form: RotaryForm.Stored or RotaryForm.PerRow } && attention.Query.HeadSize % 16 == 0;
        if (plan.Tables is not null)
        {
            tables = Tables(reader, plan, emission, query, turnsInside);
            if (!turnsInside)
            {
                query = Turned(emission, attention.Query, query, tables);
                key = Turned(emission, attention.Key, key, tables);
                tables = ["", ""];
            }
        }

        bool hasPresent = isTiled || attention.Key.Past is not null || plan.PresentKey is not null || plan.PresentValue is not null;
        string bias = plan.IsCausal || attention.Masks.Count == 0 ? "" : Bias(plan, emission, lengths);
        string sink = isTiled || !hasPresent ? "" : emission.Constant(Tensor.Of<float>([.. Enumerable.Repeat(NoSink, (int)attention.Query.Heads)], attention.Query.Heads), "sink");
        string[] inputs = [query, key, value, attention.Key.Past ?? "", attention.Value.Past ?? "", lengths[0], lengths[1], tables[0], tables[1], "", bias, sink];
        List<AttributeProto> attributes =
        [
            Attributes.Of("num_heads", attention.Query.Heads), Attributes.Of("kv_num_heads", attention.Key.Heads), Attributes.Of("scale", (float)attention.Scale),
            Attributes.Of("do_rotary", turnsInside ? 1 : 0),
        ];
        if (!plan.IsCausal)
        {
            attributes.Add(Attributes.Of("causal", 0));
        }

        string[] outputs = hasPresent ? [attention.Output, plan.PresentKey ?? b.Fresh("present"), plan.PresentValue ?? b.Fresh("present")] : [attention.Output];
        void Kernel(GraphBuilder target, string[] names) =>
            target.NodeTo(names, "GroupQueryAttention", "com.microsoft", inputs[..(Array.FindLastIndex(inputs, i => i.Length > 0) + 1)], [.. attributes]);

        if (plan.NeedsBranch)
        {
            OtherBranch.Write(reader, plan, emission, lengths[2], Kernel);
        }
        else
        {
            Kernel(b, outputs);
        }
    }

    /// <summary>[batch, rows, heads·size] of what may stand as [batch, rows, heads, size].</summary>
    private static string Flat(GraphBuilder b, HeadPath path) =>
        path.IsFlat ? path.Rows : b.Reshape0(path.Rows, 0, 0, path.Heads * path.HeadSize);

    /// <summary>Length of each sequence less one, and of all; with a branch also whether the kernel takes the sizes. Made once for a model.</summary>
    private static string[] Lengths(GroupQueryPlan plan, StructureEmission emission, string query)
    {
        string name = $"lengths {plan.Sizes}";
        if (emission.Shared.TryGetValue(name, out string[]? known))
        {
            return known;
        }

        GraphBuilder b = emission.Builder;
        ScoreSizes sizes = plan.Sizes;
        if (sizes.Batch.Constant is long batch && sizes.Total.Constant is long total)
        {
            return emission.Shared[name] =
            [
                emission.Constant(Tensor.Of<int>([.. Enumerable.Repeat((int)total - 1, (int)batch)], batch), "lengths"),
                emission.Constant(Tensor.Scalar((int)total), "length"),
            ];
        }

        string At(string shape, long axis) => b.Gather(shape, b.Constant(Tensor.Scalar(axis), "axis"), 0);
        string shape = b.Shape(query);
        string rows = At(shape, 1), all = rows, fits = "";
        if (plan.Attention.Key.Past is string past)
        {
            string before = At(b.Shape(past), 2);
            all = b.Add(rows, before);
            if (plan.NeedsBranch)
            {
                // One sequence, one row or no past: (batch − 1)·(rows − 1)·past = 0.
                string one = b.Scalar(1, ElementType.Int64);
                fits = b.Equal(b.Mul(b.Mul(b.Sub(At(shape, 0), one), b.Sub(rows, one)), before), b.Scalar(0, ElementType.Int64));
            }
        }

        string length = b.Cast(all, ElementType.Int32);
        return emission.Shared[name] = [b.Expand(b.Sub(length, b.Scalar(1, ElementType.Int32)), b.Gather(shape, b.Integers(0), 0)), length, fits];
    }

    /// <summary>Masks as one addend [.., rows, total], made once for a model.</summary>
    private static string Bias(GroupQueryPlan plan, StructureEmission emission, string[] lengths)
    {
        string name = $"bias {plan.Sizes} {string.Join(' ', plan.Attention.Masks.Select(m => $"{m.Form} {m.Value} {m.Else}"))}";
        if (emission.Shared.TryGetValue(name, out string[]? known))
        {
            return known[0];
        }

        GraphBuilder b = emission.Builder;
        string bias = b.Sum([.. plan.Attention.Masks.Select(m => m.Form switch
        {
            MaskForm.Keeps => b.Where(m.Value, b.Scalar(0), b.Scalar(m.Else)),
            MaskForm.Hides => b.Where(m.Value, b.Scalar(m.Else), b.Scalar(0)),
            _ => m.Value,
        })]);
        string rows = b.Gather(b.Shape(plan.Attention.Query.Rows), b.Integers(1), 0);
        string total = b.Reshape0(b.Cast(lengths[1], ElementType.Int64), 1);
        return (emission.Shared[name] = [b.Expand(bias, b.Concat(0, b.Integers(1, 1), rows, total))])[0];
    }

    /// <summary>Halves of the tables as the kernels take them, [places, size / 2], and for rotation outside also the place of each row; made once for a model.</summary>
    private static string[] Tables(AttentionReader reader, GroupQueryPlan plan, StructureEmission emission, string query, bool turnsInside)
    {
        RotaryTables tables = plan.Tables!;
        string name = $"tables {tables} {plan.Sizes} {turnsInside}";
        if (tables.Form == RotaryForm.Operator)
        {
            return [];
        }

        if (emission.Shared.TryGetValue(name, out string[]? known))
        {
            return known;
        }

        GraphBuilder b = emission.Builder;
        long half = plan.Attention.Query.HeadSize / 2;
        string Half(string table)
        {
            if (tables.Form == RotaryForm.Stored)
            {
                return emission.Constant(FirstHalf(Weights.Read(reader.Model, reader.View, table)!), "rotary");
            }

            string rows = b.Reshape0(b.Slice(table, -1, 0, half), -1, half);
            if (!turnsInside || plan.Attention.Key.Past is not string past)
            {
                return rows;
            }

            // The kernel looks up the row at past + i.
            string before = b.Gather(b.Shape(past), b.Integers(2), 0);
            return b.Concat(0, b.Filled(b.Concat(0, before, b.Integers(half)), 0, ElementType.Float), rows);
        }

        string[] halves = [Half(tables.Cosines), Half(tables.Sines)];
        return emission.Shared[name] = turnsInside ? halves : [.. halves, Places(plan, emission, query)];
    }

    /// <summary>
    /// The row of the table for each row of each sequence: of a stored table the place in the sequence, one number to count from; of one computed for all sequences, rows one by one.
    /// </summary>
    private static string Places(GroupQueryPlan plan, StructureEmission emission, string query)
    {
        GraphBuilder b = emission.Builder;
        if (plan.Tables!.Form == RotaryForm.PerSequence)
        {
            string shape = b.Node("Slice", [b.Shape(query), b.Integers(0), b.Integers(2), b.Integers(0)]);
            string count = b.Node("ReduceProd", [shape], Attributes.Of("keepdims", 0));
            return b.Node("Reshape", [b.Range(count), shape]);
        }

        return plan.Tables.Form == RotaryForm.Stored && plan.Attention.Key.Past is string past ? b.Gather(b.Shape(past), b.Integers(2), 0) : b.Integers(0);
    }

    private static string Turned(StructureEmission emission, HeadPath path, string rows, string[] tables)
    {
        if (path.Rotation!.Operator is not { } own)
        {
            return emission.Builder.MicrosoftNode("RotaryEmbedding", [rows, tables[2], tables[0], tables[1]], Attributes.Of("num_heads", path.Heads));
        }

        string turned = emission.Builder.Fresh("turned");
        emission.Builder.NodeTo(
            [turned], own.OpType, own.Domain, [rows, .. own.Input.Skip(1)], [.. own.Attribute.Where(a => a.Name != "num_heads").Select(a => a.Clone()), Attributes.Of("num_heads", path.Heads)]);
        return turned;
    }

    private static Tensor FirstHalf(Tensor table)
    {
        int size = (int)table.Shape[^1], places = (int)(table.Count / size);
        var half = new float[places * (size / 2)];
        for (int place = 0; place < places; place++)
        {
            table.Values<float>().Slice(place * size, size / 2).CopyTo(half.AsSpan(place * (size / 2)));
        }

        return Tensor.Of<float>(half, places, size / 2);
    }
}
