using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Partitioning;

/// <summary>Generated graphs of square float matrices, and a slow reference for their cuts.</summary>
internal static class RandomGraph
{
    /// <summary>Chains with side branches, joins, splits and layers in random places; now and then an integer value or a second output.</summary>
    public static OnnxModel Model(int seed)
    {
        var random = new Random(seed);
        return Graphs.Model([4, 4], b =>
        {
            List<string> values = ["x"];
            string Recent() => values[Math.Max(0, values.Count - 1 - (int)(Math.Abs(random.NextDouble() - random.NextDouble()) * Math.Min(values.Count, 4)))];
            int nodes = random.Next(1, 30);
            for (int node = 0; node < nodes; node++)
            {
                switch (random.Next(6))
                {
                    case 0 or 1:
                        values.Add(b.MatMul(Recent(), b.Weight(node, 4, 4)));
                        break;
                    case 2:
                        values.Add(b.Add(Recent(), Recent()));
                        break;
                    case 3:
                        values.AddRange(b.NodeWithOutputs("Split", 2, [Recent()], Attributes.Of("axis", 0)));
                        break;
                    case 4:
                        values.Add(b.MatMul(Recent(), Recent()));
                        break;
                    default:
                        values.Add(b.Relu(Recent()));
                        break;
                }
            }

            return [values[^1]];
        });
    }

    /// <summary>Blocks of a layer, an activation, a residual sum and another activation.</summary>
    public static OnnxModel Deep(int nodes) => Graphs.Model([4, 4], b =>
    {
        string weight = b.Weight(1, 4, 4);
        string value = "x";
        for (int node = 0; node < nodes; node += 4)
        {
            value = b.Relu(b.Add(value, b.Relu(b.MatMul(value, weight))));
        }

        return [value];
    });

    /// <summary>All values are float matrices: what the partition needs to know, without asking the runtime.</summary>
    public static IReadOnlyDictionary<string, TensorType> Types(OnnxModel model) =>
        GraphBuilder.NamesIn(model.Graph).Distinct().ToDictionary(n => n, _ => new TensorType(ElementType.Float, [Dimension.Of(4), Dimension.Of(4)]));

    /// <summary>
    /// By definition: the layers before each number of layers at which some value is reached by, or reaches, every layer; groups with a product of activations
    /// take in the groups from the first that an operand comes from with no layer between, where all that makes four layers or less.
    /// </summary>
    public static IEnumerable<string> LayersBetweenCuts(Partition partition)
    {
        GraphView view = partition.View;
        int[] layers = [.. partition.Layers.Select(l => l.Node)];
        int count = view.Nodes.Count;
        var reaches = new bool[count, count];
        for (int node = count - 1; node >= 0; node--)
        {
            reaches[node, node] = true;
            foreach (int reader in view.Nodes[node].Output.SelectMany(view.Consumers))
            {
                for (int target = 0; target < count; target++)
                {
                    reaches[node, target] |= reaches[reader, target];
                }
            }
        }

        var before = new SortedDictionary<int, int[]> { [layers.Length] = layers };
        for (int node = 0; node < count; node++)
        {
            foreach (string value in view.Nodes[node].Output)
            {
                int[] ahead = [.. layers.Where(l => reaches[l, node])];
                bool cut = layers.All(l => ahead.Contains(l) || view.Consumers(value).Any(r => reaches[r, l]));
                if (cut && ahead.Length > 0)
                {
                    before[ahead.Length] = ahead;
                }
            }
        }

        var groups = new List<List<List<int>>>();
        int[] done = [];
        foreach (int[] ahead in before.Values)
        {
            List<int> region = [.. ahead.Except(done)];
            done = ahead;
            int[] origins = [.. region.Where(l => !view.Constants.Contains(view.Nodes[l].Input[1])).SelectMany(l => view.Inputs[l]).SelectMany(v => Origins(view, layers, v))];
            int first = groups.FindIndex(g => g.Any(r => r.Any(origins.Contains)));
            groups.Add([region]);
            if (first >= 0 && first < groups.Count - 1 && groups.Skip(first).Sum(g => g.Sum(r => r.Count)) <= 4)
            {
                groups[first] = [.. groups.Skip(first).SelectMany(g => g)];
                groups.RemoveRange(first + 1, groups.Count - first - 1);
            }
        }

        return groups.Select(g => string.Join(' ', g.SelectMany(r => r).Order()));
    }

    private static IEnumerable<int> Origins(GraphView view, int[] layers, string value) =>
        view.Producer(value) is not int node ? [] : layers.Contains(node) ? [node] : view.Inputs[node].SelectMany(i => Origins(view, layers, i));
}
