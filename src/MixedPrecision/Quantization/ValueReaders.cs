using MixedPrecision.Onnx;

namespace MixedPrecision.Quantization;

/// <summary>How often each value of a graph is read, by nodes, graphs inside of them and the graph's outputs, and which node computes it.</summary>
internal sealed class ValueReaders(GraphProto graph)
{
    private readonly Dictionary<string, int> readers = graph.Node.SelectMany(GraphView.InputsOf).Concat(graph.Output.Select(o => o.Name)).CountBy(v => v).ToDictionary();
    private readonly Dictionary<string, NodeProto> producers = ProducersOf(graph.Node);

    /// <summary>By value, the node that computes it.</summary>
    public static Dictionary<string, NodeProto> ProducersOf(IEnumerable<NodeProto> nodes) =>
        nodes.SelectMany(n => n.Output.Where(o => o.Length > 0).Select(o => (Output: o, Node: n))).ToDictionary(p => p.Output, p => p.Node);

    /// <summary>By value, the nodes that read it, each once; graphs inside of nodes are not looked into.</summary>
    public static ILookup<string, NodeProto> ReadersOf(IEnumerable<NodeProto> nodes) =>
        nodes.SelectMany(n => n.Input.Distinct().Select(i => (Value: i, Node: n))).ToLookup(r => r.Value, r => r.Node);

    /// <summary>Values that nothing reads once some readings are gone, and the nodes that only computed such values.</summary>
    /// <param name="values">Values that may have lost their readers.</param>
    /// <param name="gone">How many readings of a value do not count.</param>
    public (IReadOnlySet<string> Values, IReadOnlySet<NodeProto> Nodes) Unread(IEnumerable<string> values, IReadOnlyDictionary<string, int> gone)
    {
        var lost = new Dictionary<string, int>(gone);
        var dropped = new HashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        var unread = new HashSet<string>();
        var open = new Queue<string>(values);
        bool IsRead(string value) => readers.GetValueOrDefault(value) > lost.GetValueOrDefault(value);
        while (open.TryDequeue(out string? value))
        {
            if (IsRead(value) || !unread.Add(value)
                || !producers.TryGetValue(value, out NodeProto? producer) || producer.Output.Any(IsRead) || !dropped.Add(producer))
            {
                continue;
            }

            foreach (string input in GraphView.InputsOf(producer))
            {
                lost[input] = lost.GetValueOrDefault(input) + 1;
                open.Enqueue(input);
            }
        }

        return (unread, dropped);
    }

    /// <summary>
    /// Removes from a graph those of some values that nothing reads any more and that are no outputs, with what only they were computed from: exporters that fold
    /// nothing leave a Transpose between the stored weight and the layer. An input keeps its default, without which an app would have to feed it.
    /// </summary>
    public static void Drop(GraphProto graph, IReadOnlyCollection<string> values)
    {
        (IReadOnlySet<string> unread, IReadOnlySet<NodeProto> dropped) = new ValueReaders(graph).Unread(values, new Dictionary<string, int>());
        HashSet<string> inputs = [.. graph.Input.Select(i => i.Name)];
        Remove(graph.Initializer, t => unread.Contains(t.Name) && !inputs.Contains(t.Name));
        Remove(graph.ValueInfo, v => unread.Contains(v.Name));
        Remove(graph.Node, dropped.Contains);
    }

    private static void Remove<T>(Google.Protobuf.Collections.RepeatedField<T> field, Predicate<T> unwanted)
    {
        List<T> kept = [.. field.Where(item => !unwanted(item))];
        if (kept.Count != field.Count)
        {
            field.Clear();
            field.AddRange(kept);
        }
    }
}
