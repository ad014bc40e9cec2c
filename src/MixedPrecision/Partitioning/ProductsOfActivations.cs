using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>
/// Products of two activations with the layers that both operands come from. Where one product makes queries, keys and values, or an operand goes around a cut, an attention would
/// fall into several sub-graphs, none of which a fused operator could stand for.
/// </summary>
internal static class ProductsOfActivations
{
    /// <summary>Layers that are joined, at most: an operand from far away joins nothing, since configurations are as many as formats to this power.</summary>
    public const int MostLayers = 4;

    /// <summary>The boundaries without those that part a product from a layer that an operand comes from, first ones first, as long as what is joined has few layers.</summary>
    /// <param name="boundaries">Cuts in order, none before all layers.</param>
    public static Cut[] Joined(GraphView view, IReadOnlyList<Layer> layers, Cut[] boundaries)
    {
        // Whatever the order of the file, layers before a cut come before those behind it.
        int[] ends = [.. boundaries.Select(b => b.LayersBefore), layers.Count];
        int[] counts = [.. ends.Select((end, region) => end - (region == 0 ? 0 : ends[region - 1]))];
        int[] regions = [.. counts.SelectMany((count, region) => Enumerable.Repeat(region, count))];
        Dictionary<int, int> ofNodes = layers.Select((l, place) => (l.Node, regions[place])).ToDictionary();
        int[] sources = [.. Enumerable.Range(0, counts.Length)];
        for (int place = 0; place < layers.Count; place++)
        {
            if (layers[place].Kind == LayerKind.ActivationMatMul)
            {
                int region = regions[place];
                sources[region] = Math.Min(sources[region], Math.Min(First(view, ofNodes, layers[place].Input, region), First(view, ofNodes, layers[place].Weight, region)));
            }
        }

        // The first region of the group that each is in.
        var starts = new int[counts.Length];
        for (int region = 0; region < counts.Length; region++)
        {
            int start = starts[sources[region]];
            starts[region] = sources[region] < region && counts[start..(region + 1)].Sum() <= MostLayers ? start : region;
            Array.Fill(starts, starts[region], starts[region], region - starts[region]);
        }

        return [.. boundaries.Where((_, boundary) => starts[boundary + 1] > boundary)];
    }

    /// <summary>The first region of those layers that a value comes from with no layer between.</summary>
    private static int First(GraphView view, Dictionary<int, int> regions, string value, int own)
    {
        int first = own;
        var seen = new HashSet<string>();
        var open = new Stack<string>([value]);
        while (open.TryPop(out string? next))
        {
            if (!seen.Add(next) || view.Producer(next) is not int node)
            {
                continue;
            }

            if (regions.TryGetValue(node, out int region))
            {
                first = Math.Min(first, region);
            }
            else if (view.Nodes[node].Operator() is not ("Shape" or "Size"))
            {
                foreach (string input in view.Inputs[node])
                {
                    open.Push(input);
                }
            }
        }

        return first;
    }
}
