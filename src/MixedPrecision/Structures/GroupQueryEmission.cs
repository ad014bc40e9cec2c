using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures;

/// <summary>Writes an attention as GroupQueryAttention: projections go in as they are, and the result is what the next layer reads.</summary>
internal static class GroupQueryEmission
{
    /// <summary>The kernel's path in tiles has no sinks, and one of this score takes no weight: masks may hide with the lowest finite number.</summary>
    private const float NoSink = float.NegativeInfinity;

    public static void Write(AttentionReader reader, GroupQueryPlan plan, StructureEmission emission, bool isTiled)
    {
        Attention attention = plan.Attention;
        GraphBuilder b = emission.Builder;
        string query = Flat(b, attention.Query), key = Flat(b, attention.Key), value = Flat(b, attention.Value);
        var numbers = new SizeValues(emission, plan.Sizes, query, attention.Key.Past);
        (string lengths, string length) = numbers.Lengths();
        string[] tables = plan.Tables is null or { Form: RotaryForm.Operator } ? ["", ""] : Tables(reader, plan, emission, numbers);
        if (plan.Tables is not null && !plan.TurnsInside)
        {
            string place = plan.Tables.Form == RotaryForm.Operator ? "" : Place(plan, numbers);
            query = Turned(b, attention.Query, query, tables, place);
            key = Turned(b, attention.Key, key, tables, place);
            tables = ["", ""];
        }

        bool hasPresent = isTiled || attention.Key.Past is not null || plan.PresentKey is not null || plan.PresentValue is not null;
        string bias = plan.Added.Count == 0 ? "" : GroupQueryMasks.Bias(plan, emission, numbers);
        string sink = isTiled || !hasPresent ? "" : emission.Constant(Tensor.Of<float>([.. Enumerable.Repeat(NoSink, (int)attention.Query.Heads)], attention.Query.Heads), "sink");
        string[] inputs = [query, key, value, attention.Key.Past ?? "", attention.Value.Past ?? "", lengths, length, .. tables, "", bias, sink];
        AttributeProto[] attributes =
        [
            Attributes.Of("num_heads", attention.Query.Heads), Attributes.Of("kv_num_heads", attention.Key.Heads), Attributes.Of("scale", (float)attention.Scale),
            Attributes.Of("do_rotary", plan.TurnsInside ? 1 : 0), .. plan.IsCausal ? Array.Empty<AttributeProto>() : [Attributes.Of("causal", 0)],
        ];
        string[] outputs = hasPresent ? [attention.Output, plan.PresentKey ?? b.Fresh("present"), plan.PresentValue ?? b.Fresh("present")] : [attention.Output];
        string seeing = plan.HasEmptyRows ? GroupQueryMasks.Seeing(reader, plan, emission, numbers) : "";
        void Kernel(GraphBuilder target, string[] names)
        {
            string result = plan.HasEmptyRows ? target.Fresh("attention") : names[0];
            target.NodeTo([result, .. names[1..]], "GroupQueryAttention", "com.microsoft", inputs[..(Array.FindLastIndex(inputs, i => i.Length > 0) + 1)], attributes);
            if (plan.HasEmptyRows)
            {
                target.NodeTo([names[0]], "Mul", "", [result, seeing]);
            }
        }


        if (plan.NeedsBranch)
        {
            OtherBranch.Write(reader, plan, emission, numbers.IsSimple(), Kernel);
        }
        else
        {
            Kernel(b, outputs);
        }
    }

    /// <summary>[batch, rows, heads·size] of what may stand as [batch, rows, heads, size].</summary>
    private static string Flat(GraphBuilder b, HeadPath path) => path.IsFlat ? path.Rows : b.Reshape0(path.Rows, 0, 0, path.Heads * path.HeadSize);

    /// <summary>Halves of the tables as the kernels take them, [places, size / 2].</summary>
    private static string[] Tables(AttentionReader reader, GroupQueryPlan plan, StructureEmission emission, SizeValues numbers)
    {
        RotaryTables tables = plan.Tables!;
        long half = plan.Attention.Query.HeadSize / 2;
        if (tables.Form == RotaryForm.Stored)
        {
            return [.. new[] { tables.Cosines, tables.Sines }.Select(t => emission.Constant(FirstHalf(Weights.Read(reader.Model, reader.View, t)!), "rotary"))];
        }

        return [.. tables.Values.Select(t => plan.Sides.Write(Behind(reader, emission, t), emission, numbers)).Select(table => numbers.Made($"half of {table} {plan.TurnsInside} {plan.Sizes}", b =>
        {
            string rows = b.Reshape0(b.Slice(table, -1, 0, half), -1, half);

            // The kernel looks up the row at past + i.
            return !plan.TurnsInside || plan.Attention.Key.Past is null ? rows
                : b.Concat(0, b.Filled(b.Concat(0, numbers.Past, b.Integers(half)), 0, ElementType.Float), rows);
        }))];
    }

    /// <summary>What a table is a view of with other ones among its sizes, as far as it is at hand: blocks share that.</summary>
    private static string Behind(AttentionReader reader, StructureEmission emission, string table)
    {
        while (reader.Maker(table) is { OpType: "Unsqueeze" or "Squeeze" } view && reader.Behind(table) == view.Output[0] && emission.Has(view.Input[0]))
        {
            table = view.Input[0];
        }

        return table;
    }

    /// <summary>
    /// The row of the table for each row of each sequence: of a stored table the place in the sequence, one number to count from; of one computed for all sequences, rows one by one.
    /// </summary>
    private static string Place(GroupQueryPlan plan, SizeValues numbers) => plan.Tables!.Form switch
    {
        RotaryForm.PerSequence => numbers.Made($"places {plan.Sizes}", b =>
        {
            string count = b.Node("Reshape", [b.Mul(numbers.Batch, numbers.Rows), b.Constant(Tensor.Of<long>([], 0), "scalar")]);
            return b.Node("Reshape", [b.Range(count), b.Concat(0, numbers.Batch, numbers.Rows)]);
        }),
        RotaryForm.Stored when plan.Attention.Key.Past is not null => numbers.Past,
        _ => numbers.Builder.Integers(0),
    };

    private static string Turned(GraphBuilder b, HeadPath path, string rows, string[] tables, string place)
    {
        string turned = b.Fresh("turned");
        AttributeProto heads = Attributes.Of("num_heads", path.Heads);
        if (path.Rotation!.Operator is { } own)
        {
            b.NodeTo([turned], own.OpType, own.Domain, [rows, .. own.Input.Skip(1)], [.. own.Attribute.Where(a => a.Name != "num_heads").Select(a => a.Clone()), heads]);
        }
        else
        {
            b.NodeTo([turned], "RotaryEmbedding", "com.microsoft", [rows, place, .. tables], heads);
        }

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
