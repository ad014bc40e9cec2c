using Google.Protobuf.Collections;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures;

/// <summary>
/// An If of the main graph whose condition is the same in every run, since it follows from constants and from sizes that are fixed, with the branch that it takes. Exporters write such for layers that take
/// inputs of several ranks; what stands inside of a branch is no layer.
/// </summary>
/// <param name="Output">The first value that the If gives.</param>
/// <param name="Read">All values that it reads, those of both branches included.</param>
/// <param name="Branch">The branch taken.</param>
/// <param name="IsOfRuntime">Whether ONNX Runtime takes the branch by itself, since the condition is constant.</param>
internal sealed record DecidedBranch(string Output, IReadOnlyList<string> Read, GraphProto Branch, bool IsOfRuntime)
{
    private static readonly IReadOnlyDictionary<string, string> None = new Dictionary<string, string>();

    /// <summary>All of a model's main graph whose outputs are tensors.</summary>
    public static IReadOnlyList<DecidedBranch> Find(AttentionReader reader)
    {
        var found = new List<DecidedBranch>();
        foreach ((NodeProto node, int index) in reader.View.Nodes.Select((n, i) => (n, i)).Where(n => n.n.Operator() == "If" && n.n.Input.Count == 1))
        {
            string[] outputs = [.. node.Output.Where(o => o.Length > 0)];
            if (outputs.Length > 0 && outputs.All(o => reader.Types.TryGetValue(o, out TensorType? type) && type.ElementType != 0) && Condition(reader, node.Input[0]) is bool holds
                && node.Attribute(holds ? "then_branch" : "else_branch")?.G is { Input.Count: 0 } branch && branch.Output.Count >= node.Output.Count)
            {
                found.Add(new DecidedBranch(outputs[0], reader.View.Inputs[index], branch, reader.View.Constants.Contains(node.Input[0])));
            }
        }

        return found;
    }

    /// <summary>
    /// Puts the nodes of branches in place of their Ifs. Values and nodes keep their names unless these are taken; what a branch gives has the name that the If gave it.
    /// </summary>
    /// <param name="graph">A copy of the graph that they were found in.</param>
    public static void Write(GraphProto graph, IReadOnlyList<DecidedBranch> branches)
    {
        Dictionary<string, GraphProto> taken = branches.ToDictionary(b => b.Output, b => b.Branch);
        GraphProto? Taken(NodeProto node) => node.Output.FirstOrDefault(o => o.Length > 0) is string first ? taken.GetValueOrDefault(first) : null;
        NodeProto[] nodes = [.. graph.Node], others = [.. nodes.Where(n => Taken(n) is null)];
        graph.Node.Clear();
        graph.Node.AddRange(others);
        var values = new GraphBuilder([.. GraphBuilder.NamesIn(graph), .. Sparse(graph).Select(t => t.Name), .. nodes.SelectMany(n => n.Output)]);
        var names = new GraphBuilder(others.Select(n => n.Name));
        graph.Node.Clear();
        foreach (NodeProto node in nodes)
        {
            if (Taken(node) is { } branch)
            {
                Append(graph, node, branch.Clone(), values, names);
            }
            else
            {
                graph.Node.Add(node);
            }
        }
    }

    private static void Append(GraphProto graph, NodeProto node, GraphProto branch, GraphBuilder values, GraphBuilder names)
    {
        HashSet<string> computed = [.. branch.Node.SelectMany(n => n.Output)];
        var given = new Dictionary<string, string>();
        var copied = new List<(ValueInfoProto From, string To)>();
        foreach ((string output, ValueInfoProto own) in node.Output.Zip(branch.Output).Where(o => o.First.Length > 0))
        {
            // A value from outside, an initializer, and one that is given twice keep their names.
            if (!computed.Contains(own.Name) || !given.TryAdd(own.Name, output))
            {
                copied.Add((own, output));
            }
        }

        Rename(branch, None, given, values);
        foreach (NodeProto inner in branch.Node.Where(n => n.Name.Length > 0))
        {
            inner.Name = names.Fresh(inner.Name);
        }

        graph.Initializer.AddRange(branch.Initializer);
        graph.SparseInitializer.AddRange(branch.SparseInitializer);
        graph.Node.AddRange(branch.Node);
        graph.Node.AddRange(copied.Select(c => new NodeProto { OpType = "Identity", Name = names.Fresh($"{c.To}/copy"), Input = { c.From.Name }, Output = { c.To } }));
    }

    /// <summary>Gives what a graph defines the names it is given, or else its own unless they are taken; likewise graphs inside of it.</summary>
    private static void Rename(GraphProto graph, IReadOnlyDictionary<string, string> outer, IReadOnlyDictionary<string, string> given, GraphBuilder values)
    {
        var names = new Dictionary<string, string>(outer);
        ValueInfoProto[] declared = [.. graph.Input, .. graph.Output, .. graph.ValueInfo];
        TensorProto[] stored = [.. graph.Initializer, .. Sparse(graph)];
        foreach (string own in graph.Input.Select(i => i.Name).Concat(stored.Select(t => t.Name)).Concat(graph.Node.SelectMany(n => n.Output)).Where(v => v.Length > 0).Distinct())
        {
            names[own] = given.GetValueOrDefault(own) ?? values.Fresh(own);
        }

        string Of(string name) => names.GetValueOrDefault(name, name);
        void All(RepeatedField<string> list)
        {
            for (int i = 0; i < list.Count; i++)
            {
                list[i] = Of(list[i]);
            }
        }

        foreach (ValueInfoProto value in declared)
        {
            value.Name = Of(value.Name);
        }

        foreach (TensorProto tensor in stored)
        {
            tensor.Name = Of(tensor.Name);
        }

        foreach (NodeProto node in graph.Node)
        {
            All(node.Input);
            All(node.Output);
            foreach (GraphProto inner in node.Graphs())
            {
                Rename(inner, names, None, values);
            }
        }
    }

    private static IEnumerable<TensorProto> Sparse(GraphProto graph) => graph.SparseInitializer.Select(s => s.Values).OfType<TensorProto>();

    /// <summary>What a condition is in every run, or null where that is not known.</summary>
    private static bool? Condition(AttentionReader reader, string value) =>
        MayBeReplaced(reader, value) ? null
        : reader.View.Constants.Contains(value) ? Weights.Read(reader.Model, reader.View, value) is { ElementType: ElementType.Bool, Count: 1 } constant ? constant.Bytes.Span[0] != 0 : null
        : IsOfFixedSizes(reader, value) && reader.Shapes.Elements(value) is [{ Constant: long holds }] ? holds != 0
        : null;

    /// <summary>Whether it follows from something that an app may replace.</summary>
    private static bool MayBeReplaced(AttentionReader reader, string value)
    {
        if (reader.Model.Defaults.Count == 0)
        {
            return false;
        }

        var seen = new HashSet<string> { value };
        var open = new Stack<string>(seen);
        while (open.TryPop(out string? name))
        {
            if (reader.Model.Defaults.Contains(name))
            {
                return true;
            }

            foreach (string input in reader.View.Producer(name) is int node ? reader.View.Inputs[node].Where(seen.Add) : [])
            {
                open.Push(input);
            }
        }

        return false;
    }

    /// <summary>
    /// Whether every number on the way is known, down to constants and to the sizes picked out of shapes. That two sizes have one symbol is no proof that they are equal: the runtime does not hold an app to it.
    /// </summary>
    private static bool IsOfFixedSizes(AttentionReader reader, string value)
    {
        var seen = new HashSet<string> { value };
        var open = new Stack<string>(seen);
        while (open.TryPop(out string? name))
        {
            if (reader.View.Constants.Contains(name))
            {
                continue;
            }

            if (reader.View.Producer(name) is not int index || reader.Shapes.Elements(name)?.All(e => e?.Constant is not null) != true)
            {
                return false;
            }

            NodeProto node = reader.View.Nodes[index];
            bool isPicked = node.Operator() is "Gather" or "Slice" && reader.Maker(node.Input[0], "Shape") is not null;
            if (node.Operator() is not ("Shape" or "Size"))
            {
                foreach (string input in node.Input.Skip(isPicked ? 1 : 0).Where(i => i.Length > 0 && seen.Add(i)))
                {
                    open.Push(input);
                }
            }
        }

        return true;
    }
}
