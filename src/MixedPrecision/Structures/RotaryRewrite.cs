using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>x·cos + rotate_half(x)·sin of heads in com.microsoft's RotaryEmbedding. Proven: the halves of both tables are equal, and each row of x has its row in them.</summary>
internal static class RotaryRewrite
{
    private static readonly Kernel Kernel = new("com.microsoft.RotaryEmbedding");

    public static IEnumerable<Rewrite> Find(StructureSite site)
    {
        var reader = new AttentionReader(site.Model, site.Partition.View, site.Types);
        return site.Subgraph.Timed.Select(n => reader.View.Nodes[n]).Where(n => n.Operator() == "Add").Select(n => At(reader, n.Output[0])).OfType<Rewrite>();
    }

    private static Rewrite? At(AttentionReader reader, string value)
    {
        if (reader.Shape(value, 4) is not { } shape || shape[3].Constant is not (> 0 and long size) || size % 2 != 0 || !reader.Types.TryGetValue(value, out TensorType? type)
            || type.ElementType != ElementType.Float || RotationReader.Of(reader, value, isHeadsFirst: true) is not var (rotation, turned) || !shape.SequenceEqual(reader.Shapes.Of(turned) ?? []))
        {
            return null;
        }

        // As [batch, heads, rows, size], or as [batch, rows, heads, size]: the tables have no heads.
        foreach (int rowAxis in new[] { 1, 2 })
        {
            (Size rows, Size heads) = rowAxis == 1 ? (shape[2], shape[1]) : (shape[1], shape[2]);
            var sizes = new ScoreSizes(shape[0], heads, rows, Size.Of(0));
            string[] tables = [rotation.Cosines, rotation.Sines];
            if (heads.Constant is > 0 and long count && tables.Select(t => RotaryTables.FormOf(reader, t, rowAxis, size, sizes)).Distinct().ToArray() is [RotaryForm form]
                && tables.All(t => RotaryTables.HasEqualHalves(reader, t, sizes)))
            {
                return new Rewrite(value, Kernel, e => Emit(e, reader, value, turned, tables, form, rowAxis == 1 ? null : count, size));
            }
        }

        return null;
    }

    /// <param name="heads">How many there are where they stand behind rows, else null.</param>
    private static void Emit(StructureEmission e, AttentionReader reader, string value, string turned, string[] tables, RotaryForm form, long? heads, long size)
    {
        GraphBuilder b = e.Builder;
        string[] halves = [.. tables.Select(t => Half(e, reader, t, size / 2))];
        string place = form == RotaryForm.PerRow ? b.Integers(0) : Places(e, reader, tables[0]);
        if (heads is not long count)
        {
            b.NodeTo([value], "RotaryEmbedding", "com.microsoft", [turned, place, .. halves]);
            return;
        }

        string result = b.Fresh("turned");
        b.NodeTo([result], "RotaryEmbedding", "com.microsoft", [b.Reshape0(turned, 0, 0, count * size), place, .. halves], Attributes.Of("num_heads", count));
        b.NodeTo([value], "Reshape", "", [result, b.Integers(0, 0, count, size)]);
    }

    /// <summary>One half of a table as the kernel takes it, [places, half], made once for a model.</summary>
    private static string Half(StructureEmission e, AttentionReader reader, string table, long half)
    {
        if (reader.View.Constants.Contains(table))
        {
            Tensor whole = Weights.Read(reader.Model, reader.View, table)!;
            int count = (int)(whole.Count / (2 * half));
            return e.Constant(Tensor.Of<float>([.. Enumerable.Range(0, count).SelectMany(row => whole.Values<float>().Slice((int)(2 * half * row), (int)half).ToArray())], count, half), "rotary");
        }

        string source = Behind(e, reader, table);
        return Made(e, $"rotary half of {source}", b => b.Reshape0(b.Slice(source, -1, 0, half), -1, half));
    }

    /// <summary>For each row of each sequence its row in a table that has one for each: [batch, rows].</summary>
    private static string Places(StructureEmission e, AttentionReader reader, string table)
    {
        string source = Behind(e, reader, table);
        Size[] shape = reader.Shapes.Of(source)!;
        long rows = Enumerable.Range(1, shape.Length - 2).First(axis => shape.Length == 3 || shape[axis].Constant != 1);
        return Made(e, $"rotary places of {source}", b =>
        {
            string sizes = b.Gather(b.Shape(source), b.Integers(0, rows), 0);
            string count = b.Node("ReduceProd", [sizes], Attributes.Of("keepdims", 0));
            return b.Node("Reshape", [b.Range(count), sizes]);
        });
    }

    /// <summary>What a table is a view of, as far as it is at hand: blocks share that.</summary>
    private static string Behind(StructureEmission e, AttentionReader reader, string table)
    {
        while (reader.Maker(table) is { OpType: "Unsqueeze" } view && reader.Shapes.Of(view.Input[0]) is { Length: >= 2 } && e.Has(view.Input[0]))
        {
            table = view.Input[0];
        }

        return table;
    }

    private static string Made(StructureEmission e, string key, Func<GraphBuilder, string> make)
    {
        if (!e.Shared.TryGetValue(key, out string[]? known))
        {
            e.Shared.Add(key, known = [make(e.Builder)]);
        }

        return known[0];
    }
}
