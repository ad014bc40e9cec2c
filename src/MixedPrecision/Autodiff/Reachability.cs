using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff;

/// <summary>Which values a gradient can flow to.</summary>
internal static class Reachability
{
    /// <summary>The targets, and all floating values computed from them by operators that a gradient may pass.</summary>
    public static HashSet<string> DependingOn(GraphView view, IReadOnlyDictionary<string, TensorType> types, IEnumerable<string> targets)
    {
        HashSet<string> reached = [.. targets];
        for (int index = 0; index < view.Nodes.Count; index++)
        {
            if (view.Inputs[index].Any(reached.Contains) && !GradientRules.IsZero(view.Nodes[index]))
            {
                reached.UnionWith(view.Nodes[index].Output.Where(o => o.Length > 0 && MayCarryGradient(types, o)));
            }
        }

        return reached;
    }

    /// <summary>The nodes by which a value with a gradient is reached from a node, for messages.</summary>
    public static string Path(GraphView view, NodeProto from, IReadOnlySet<string> seeds)
    {
        var previous = new Dictionary<string, string?>();
        var queue = new Queue<string>();
        foreach (string output in from.Output.Where(o => o.Length > 0))
        {
            previous.Add(output, null);
            queue.Enqueue(output);
        }

        while (queue.TryDequeue(out string? value))
        {
            if (seeds.Contains(value))
            {
                return Describe(value, previous);
            }

            foreach (string output in view.Consumers(value).SelectMany(n => view.Nodes[n].Output).Where(o => o.Length > 0 && previous.TryAdd(o, value)))
            {
                queue.Enqueue(output);
            }
        }

        return "its outputs";
    }

    private static bool MayCarryGradient(IReadOnlyDictionary<string, TensorType> types, string value) =>
        !types.TryGetValue(value, out TensorType? type) || type.ElementType == 0 || ElementType.IsFloating(type.ElementType);

    private static string Describe(string value, Dictionary<string, string?> previous)
    {
        const int Shown = 3;
        var path = new List<string>();
        for (string? step = value; step is not null; step = previous[step])
        {
            path.Add($"'{step}'");
        }

        return path.Count <= 2 * Shown
            ? string.Join(" ← ", path)
            : string.Join(" ← ", path.Take(Shown)) + " ← … ← " + string.Join(" ← ", path.TakeLast(Shown));
    }
}
