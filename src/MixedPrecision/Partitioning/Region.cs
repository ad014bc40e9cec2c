using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>
/// What a set of nodes needs and gives when it stands alone. Nodes that compute constants are not bound to a place: they are repeated in every
/// region that needs them, so that a constant never crosses a cut.
/// </summary>
/// <param name="Nodes">Indices of the nodes, ascending, those that compute needed constants included (but no Constant nodes of dense tensors).</param>
/// <param name="Inputs">Values that are read and not constant and not computed inside, in order of first use.</param>
/// <param name="Constants">Stored constants that are needed: initializers and outputs of Constant nodes, in order of first use.</param>
/// <param name="Outputs">Values computed inside that are read outside, are outputs of the model or were asked for, in topological order.</param>
internal sealed record Region(IReadOnlyList<int> Nodes, IReadOnlyList<string> Inputs, IReadOnlyList<string> Constants, IReadOnlyList<string> Outputs)
{
    public static Region Of(GraphView view, IReadOnlySet<string> modelOutputs, IEnumerable<int> nodes, IReadOnlyCollection<string>? furtherOutputs = null)
    {
        SortedSet<int> given = [.. nodes];
        var inside = new SortedSet<int>(given.Where(n => !IsConstant(view, n)));
        HashSet<string> wanted = [.. modelOutputs, .. furtherOutputs ?? []];
        string[] constantOutputs = [.. given.Where(n => IsConstant(view, n)).SelectMany(n => view.Nodes[n].Output).Where(wanted.Contains)];
        string[] outputs =
        [
            .. inside.SelectMany(n => view.Nodes[n].Output).Where(v => v.Length > 0 && (wanted.Contains(v) || view.Consumers(v).Any(r => !inside.Contains(r)))),
            .. constantOutputs,
        ];

        var constantNodes = new HashSet<int>();
        var constants = new OrderedDictionary<string, bool>();
        var inputs = new OrderedDictionary<string, bool>();
        foreach (string value in inside.SelectMany(n => view.Inputs[n]).Concat(constantOutputs))
        {
            if (view.Constants.Contains(value))
            {
                Need(view, value, constantNodes, constants);
            }
            else if (view.Producer(value) is not int source || !inside.Contains(source))
            {
                inputs.TryAdd(value, true);
            }
        }

        inside.UnionWith(constantNodes);
        return new Region([.. inside], [.. inputs.Keys], [.. constants.Keys], outputs);
    }

    /// <summary>The nodes that compute a constant from stored ones, in no order; none when it is stored itself.</summary>
    public static IReadOnlyCollection<int> ConstantNodes(GraphView view, string constant)
    {
        var nodes = new HashSet<int>();
        Need(view, constant, nodes, []);
        return nodes;
    }

    /// <summary>The stored constants that a constant is computed from; itself when it is stored.</summary>
    public static IEnumerable<string> StoredConstants(GraphView view, string constant)
    {
        var stored = new OrderedDictionary<string, bool>();
        Need(view, constant, [], stored);
        return stored.Keys;
    }

    /// <summary>Whether all a node computes is constant.</summary>
    public static bool IsConstant(GraphView view, int node) => view.Nodes[node].Output.Any(view.Constants.Contains);

    /// <summary>Adds what computes a constant. Iterative, since a hostile model may chain any number of nodes.</summary>
    private static void Need(GraphView view, string constant, HashSet<int> nodes, OrderedDictionary<string, bool> stored)
    {
        var open = new Stack<string>([constant]);
        while (open.TryPop(out string? value))
        {
            if (view.Producer(value) is not int node || Weights.IsStored(view.Nodes[node]))
            {
                stored.TryAdd(value, true);
            }
            else if (nodes.Add(node))
            {
                foreach (string input in view.Inputs[node].Reverse())
                {
                    open.Push(input);
                }
            }
        }
    }
}
