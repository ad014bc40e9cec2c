using MixedPrecision.Diagnostics;

namespace MixedPrecision.Onnx;

/// <summary>
/// A graph indexed by its values: who computes each and who reads it. Nodes are numbered in a topological order that keeps the
/// file's own order wherever that is one. Values read by graphs inside a node (branches, bodies) count as read by the node.
/// </summary>
public sealed class GraphView
{
    private static readonly IReadOnlyList<int> None = [];
    private readonly Dictionary<string, int> producers = [];
    private readonly Dictionary<string, List<int>> consumers = [];

    /// <param name="graph">The graph.</param>
    /// <param name="outer">For a graph inside a node: the values it reads from outside.</param>
    public GraphView(GraphProto graph, IEnumerable<string>? outer = null)
    {
        Graph = graph;
        HashSet<string> given = [.. graph.Input.Select(i => i.Name), .. graph.Initializer.Select(i => i.Name), .. graph.SparseInitializer.Select(i => i.Values?.Name ?? ""), .. outer ?? []];
        string[][] inputs = [.. graph.Node.Select(n => InputsOf(n).Distinct().ToArray())];
        int[] order = Order(graph, inputs, given);
        Nodes = [.. order.Select(i => graph.Node[i])];
        Inputs = [.. order.Select(i => inputs[i])];
        for (int node = 0; node < Nodes.Count; node++)
        {
            foreach (string output in Nodes[node].Output.Where(o => o.Length > 0))
            {
                producers.Add(output, node);
            }

            foreach (string input in Inputs[node])
            {
                if (!consumers.TryGetValue(input, out List<int>? readers))
                {
                    consumers.Add(input, readers = []);
                }

                readers.Add(node);
            }
        }

        Constants = FindConstants(graph);
    }

    public GraphProto Graph { get; }

    /// <summary>The nodes in topological order.</summary>
    public IReadOnlyList<NodeProto> Nodes { get; }

    /// <summary>Per node the values it reads, each once, those that its inner graphs read from outside included.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Inputs { get; }

    /// <summary>Values that depend on nothing that has to be fed: initializers, defaults of inputs too, and what nodes compute from such values alone.</summary>
    public IReadOnlySet<string> Constants { get; }

    /// <summary>The node that computes a value, or null for inputs and initializers.</summary>
    public int? Producer(string value) => producers.TryGetValue(value, out int node) ? node : null;

    /// <summary>The nodes that read a value, ascending.</summary>
    public IReadOnlyList<int> Consumers(string value) => consumers.TryGetValue(value, out List<int>? readers) ? readers : None;

    public bool IsOutput(string value) => Graph.Output.Any(o => o.Name == value);

    /// <summary>The values a node reads: its own inputs, and what its inner graphs take from outside.</summary>
    public static IEnumerable<string> InputsOf(NodeProto node) =>
        node.Input.Where(i => i.Length > 0).Concat(node.Graphs().SelectMany(Captured));

    /// <summary>The values an inner graph reads but does not define.</summary>
    public static IEnumerable<string> Captured(GraphProto inner)
    {
        HashSet<string> defined = [.. inner.Input.Select(i => i.Name), .. inner.Initializer.Select(i => i.Name), .. inner.SparseInitializer.Select(i => i.Values?.Name ?? ""), .. inner.Node.SelectMany(n => n.Output)];
        return inner.Node.SelectMany(InputsOf).Concat(inner.Output.Select(o => o.Name)).Where(v => !defined.Contains(v));
    }

    private static int[] Order(GraphProto graph, string[][] inputs, HashSet<string> given)
    {
        var producer = new Dictionary<string, int>();
        for (int node = 0; node < graph.Node.Count; node++)
        {
            foreach (string output in graph.Node[node].Output.Where(o => o.Length > 0))
            {
                if (given.Contains(output) || !producer.TryAdd(output, node))
                {
                    throw Errors.GraphInvalid(graph.Node[node].DisplayName(), $"the value '{output}' is defined twice");
                }
            }
        }

        var waiting = new int[graph.Node.Count];
        var readers = new List<int>[graph.Node.Count];
        var ready = new PriorityQueue<int, int>();
        for (int node = 0; node < inputs.Length; node++)
        {
            foreach (string input in inputs[node])
            {
                if (producer.TryGetValue(input, out int source))
                {
                    (readers[source] ??= []).Add(node);
                    waiting[node]++;
                }
                else if (!given.Contains(input))
                {
                    throw Errors.GraphInvalid(graph.Node[node].DisplayName(), $"it reads '{input}', which nothing computes");
                }
            }

            if (waiting[node] == 0)
            {
                ready.Enqueue(node, node);
            }
        }

        var order = new List<int>(inputs.Length);
        while (ready.TryDequeue(out int node, out _))
        {
            order.Add(node);
            foreach (int reader in readers[node] ?? [])
            {
                if (--waiting[reader] == 0)
                {
                    ready.Enqueue(reader, reader);
                }
            }
        }

        return order.Count == inputs.Length
            ? [.. order]
            : throw Errors.GraphInvalid(graph.Node[Array.FindIndex(waiting, w => w > 0)].DisplayName(), "it is part of a cycle");
    }

    private HashSet<string> FindConstants(GraphProto graph)
    {
        // An initializer that is also an input has its default value in all that is run here. Layers whose weight an app may replace are left alone.
        HashSet<string> constants = [.. graph.Initializer.Select(i => i.Name)];
        for (int node = 0; node < Nodes.Count; node++)
        {
            if (!RandomOperators.Draws(Nodes[node], _ => true) && Inputs[node].All(constants.Contains))
            {
                constants.UnionWith(Nodes[node].Output.Where(o => o.Length > 0));
            }
        }

        return constants;
    }
}
