using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff;

/// <summary>A node that stops gradients.</summary>
/// <param name="Node">Its name as messages say it.</param>
/// <param name="Operator">With the domain when it is not ONNX's own.</param>
/// <param name="ByNature">True when the operator's gradient is zero (comparisons, rounding); false when it has no rule.</param>
/// <param name="Layers">How many layers before it no gradient reaches by any way.</param>
public sealed record GradientStop(string Node, string Operator, bool ByNature, int Layers);

/// <summary>Says of a graph where gradients end, for `inspect` and for messages.</summary>
public static class Differentiability
{
    private static readonly HashSet<string> LayerOperators = ["MatMul", "Gemm", "Conv", "ConvTranspose"];

    /// <param name="graph">A lowered graph.</param>
    /// <param name="types">What is known of its values.</param>
    /// <returns>The nodes that keep gradients of the outputs from at least one layer, and those without a rule even if they keep none, in topological order.</returns>
    public static IReadOnlyList<GradientStop> Explain(GraphProto graph, IReadOnlyDictionary<string, TensorType> types)
    {
        var view = new GraphView(graph);
        bool Floating(string value) => !types.TryGetValue(value, out TensorType? type) || type.ElementType == 0 || ElementType.IsFloating(type.ElementType);
        HashSet<string> reached = [.. graph.Output.Select(o => o.Name).Where(Floating)];
        var stops = new List<(int Index, bool ByNature)>();
        for (int index = view.Nodes.Count - 1; index >= 0; index--)
        {
            NodeProto node = view.Nodes[index];
            if (!node.Output.Any(reached.Contains))
            {
                continue;
            }

            GradientRow? row = GradientRules.Of(node);
            bool passes = row?.Rule is not null && node.Output.Any(o => reached.Contains(o) && Floating(o));
            if (!passes && (row?.Rule is null || view.Inputs[index].Any(Floating)))
            {
                stops.Add((index, ByNature: row is not null));
            }
            else
            {
                // Values that are not floating are followed to the comparison or rounding they come from.
                reached.UnionWith(view.Inputs[index]);
            }
        }

        stops.Reverse();
        return
        [
            .. stops
                .Select(s => new GradientStop(view.Nodes[s.Index].DisplayName(), view.Nodes[s.Index].Operator(), s.ByNature, Behind(view, s.Index, reached)))
                .Where(stop => stop.Layers > 0 || !stop.ByNature),
        ];
    }

    /// <summary>Layers that the node depends on and whose output no gradient reaches.</summary>
    private static int Behind(GraphView view, int node, HashSet<string> reached)
    {
        var seen = new HashSet<int> { node };
        var stack = new Stack<int>(seen);
        int layers = 0;
        while (stack.TryPop(out int index))
        {
            NodeProto current = view.Nodes[index];
            bool constant = current.Output.All(o => o.Length == 0 || view.Constants.Contains(o));
            if (LayerOperators.Contains(current.Operator()) && !constant && !current.Output.Any(reached.Contains))
            {
                layers++;
            }

            foreach (int producer in view.Inputs[index].Select(view.Producer).OfType<int>().Where(seen.Add))
            {
                stack.Push(producer);
            }
        }

        return layers;
    }
}
