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

    /// <summary>By definition: the layers before each number of layers at which some value is reached by, or reaches, every layer.</summary>
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

        int[] done = [];
        foreach (int[] ahead in before.Values)
        {
            yield return string.Join(' ', ahead.Except(done).Order());
            done = ahead;
        }
    }
}
