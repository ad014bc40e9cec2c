namespace MixedPrecision.Onnx;

/// <summary>The order in which ONNX wants nodes to stand: what a node reads, also in graphs inside of it, is computed before it.</summary>
public static class TopologicalOrder
{
    /// <summary>Nodes in such an order; those that may stand where they stood keep their order.</summary>
    /// <exception cref="ArgumentException">The nodes form a cycle.</exception>
    public static IReadOnlyList<NodeProto> Of(IReadOnlyList<NodeProto> nodes)
    {
        Dictionary<string, int> producers = nodes.SelectMany((node, index) => node.Output.Where(o => o.Length > 0).Select(o => (o, index))).ToDictionary(o => o.o, o => o.index);
        int[][] needed = [.. nodes.Select(n => (int[])[.. GraphView.InputsOf(n).Where(producers.ContainsKey).Select(i => producers[i]).Distinct()])];
        int[] waiting = [.. needed.Select(n => n.Length)];
        ILookup<int, int> readers = needed.SelectMany((own, index) => own.Select(n => (Needed: n, Reader: index))).ToLookup(n => n.Needed, n => n.Reader);
        var ready = new PriorityQueue<int, int>(Enumerable.Range(0, nodes.Count).Where(i => waiting[i] == 0).Select(i => (i, i)));
        var ordered = new List<NodeProto>(nodes.Count);
        while (ready.TryDequeue(out int next, out _))
        {
            ordered.Add(nodes[next]);
            foreach (int reader in readers[next].Where(reader => --waiting[reader] == 0))
            {
                ready.Enqueue(reader, reader);
            }
        }

        return ordered.Count == nodes.Count ? ordered : throw new ArgumentException("the nodes form a cycle");
    }
}
