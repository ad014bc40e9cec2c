using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Structures;

/// <summary>
/// Sum in place of an Add whose result a LayerNormalization alone reads. ONNX Runtime makes SkipLayerNormalization of those two, a loop over single numbers that takes longer than both; it does so only
/// where it knows that both addends have one shape of three dimensions. Of a Sum it makes nothing else.
/// </summary>
internal static class ResidualSum
{
    private static readonly Kernel Kernel = new("Sum");

    public static IEnumerable<Rewrite> Find(StructureSite site) => site.Subgraph.Timed.Select(n => site.Partition.View.Nodes[n])
        .Where(n => n.Operator() == "Add" && IsFused(site, n)).Select(n => new Rewrite(n.Output[0], Kernel, e => e.Builder.NodeTo(n.Output, "Sum", "", n.Input)));

    private static bool IsFused(StructureSite site, NodeProto add)
    {
        GraphView view = site.Partition.View;
        string sum = add.Output[0];
        return !view.IsOutput(sum) && !add.Input.Any(view.Constants.Contains)
            && site.Types.TryGetValue(add.Input[0], out TensorType? first) && site.Types.TryGetValue(add.Input[1], out TensorType? second) && first.ElementType == ElementType.Float
            && first.Shape is { Count: 3 } sizes && second.Shape is { Count: 3 } others && sizes.Zip(others).All(s => AreSame(s.First, s.Second))
            && IsNormalized(view, [.. view.Consumers(sum).Select(r => view.Nodes[r])], sum);
    }

    private static bool AreSame(Dimension a, Dimension b) => a.Size is long size ? b.Size == size : a.Symbol is { Length: > 0 } symbol && b.Symbol == symbol;

    /// <summary>Whether a LayerNormalization alone reads a value, written out or not: its mean and what is left without that, whose square the runtime knows as a Pow.</summary>
    private static bool IsNormalized(GraphView view, NodeProto[] readers, string sum) =>
        readers is [{ OpType: "LayerNormalization" } norm] ? norm.Input[0] == sum
        : readers.Count(r => r.OpType == "ReduceMean") == 1 && readers.Where(r => r.OpType != "ReduceMean").ToArray() is { Length: 1 or 2 } centred && centred.All(r => r.OpType == "Sub" && r.Input[0] == sum)
            && centred.SelectMany(r => view.Consumers(r.Output[0])).Any(r => view.Nodes[r].OpType == "Pow");
}
