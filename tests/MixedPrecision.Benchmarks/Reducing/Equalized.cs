using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Benchmarks.Reducing;

/// <summary>
/// Cross-layer equalization (arXiv 1906.04721), exact in floats: channels of what a convolution gives are divided by powers of two, and the weights of all that read them, behind activations that let factors through, multiplied. Weights have a scale for each output channel, so that dividing costs them nothing: what is
/// to gain is one range for channels of like size.
/// </summary>
internal static class Equalized
{
    private static readonly double[] Strengths = [0, 0.25, 0.5, 0.75, 1];

    /// <summary>Channels smaller than the largest by more count as if by this.</summary>
    private const float LeastShare = 1 / 256f;

    private static readonly HashSet<string> Homogeneous = ["Relu", "LeakyRelu", "PRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Identity"];

    /// <returns>The model with equalized channels, how many values, and how many of them moved.</returns>
    public static (ModelProto Model, int Values, int Moved) Of(Workspace workspace, Func<LayerSite, LayerStatistics> statistics)
    {
        GraphView view = workspace.Partition.View;
        LayerSite[] convolutions = [.. workspace.Partition.Layers.Where(l => l.Kind == LayerKind.Conv).Select(l => workspace.Sites[l.Name])];
        var byNode = convolutions.ToDictionary(s => s.Layer.Node);
        Dictionary<string, float[]> divided = [], multiplied = [];
        int values = 0, moved = 0;
        foreach (LayerSite producer in convolutions)
        {
            var readers = new List<LayerSite>();
            if (!Collect(producer.Layer.Output, readers) || readers.Count == 0 || (producer.Layer.Bias is not null && !producer.IsBiasConstant))
            {
                continue;
            }

            values++;
            float[] best = Best(readers, workspace, statistics);
            if (best.Any(s => s != best[0]))
            {
                moved++;
                divided[producer.Layer.Name] = best;
                readers.ForEach(r => multiplied[r.Layer.Name] = best);
            }
        }

        ModelProto model = workspace.Model.Proto.Clone();
        Dictionary<string, NodeProto> nodes = model.Graph.Node.Where(n => n.Output.Count > 0).ToDictionary(n => n.Output[0]);
        foreach (LayerSite site in convolutions.Where(s => divided.ContainsKey(s.Layer.Name) || multiplied.ContainsKey(s.Layer.Name)))
        {
            float[] weight = workspace.Weight(site.Layer.Weight).Values<float>().ToArray();
            float[]? over = divided.GetValueOrDefault(site.Layer.Name), times = multiplied.GetValueOrDefault(site.Layer.Name);
            int outputs = (int)site.Layer.WeightShape![0], perGroup = (int)site.Layer.WeightShape[1], elements = weight.Length / outputs / perGroup, count = outputs / (int)site.Node.Int("group", 1);
            for (int i = 0; i < weight.Length; i++)
            {
                int output = i / elements / perGroup, input = (output / count * perGroup) + (i / elements % perGroup);
                weight[i] = weight[i] * (times?[input] ?? 1) / (over?[output] ?? 1);
            }

            NodeProto node = nodes[site.Layer.Output];
            node.Input[1] = Add(Tensor.Of<float>(weight, [.. site.Layer.WeightShape]), node.Input[1]);
            if (over is not null && site.Layer.Bias is string bias)
            {
                node.Input[2] = Add(Tensor.Of<float>([.. workspace.Weight(bias).Values<float>().ToArray().Select((b, i) => b / over[i])], outputs), bias);
            }

            string Add(Tensor tensor, string hint)
            {
                string name = $"{hint}/equalized/{site.Layer.Name}";
                model.Graph.Initializer.Add(tensor.ToProto(name));
                return name;
            }
        }

        return (model, values, moved);

        // Whether all that reads a value lets factors through, to convolutions that take them.
        bool Collect(string value, List<LayerSite> readers)
        {
            if (view.IsOutput(value))
            {
                return false;
            }

            foreach (int reader in view.Consumers(value))
            {
                NodeProto node = view.Nodes[reader];
                if (byNode.TryGetValue(reader, out LayerSite? site) && site.Layer.Input == value && site.Layer.Weight != value)
                {
                    readers.Add(site);
                }
                else if (!Homogeneous.Contains(node.Operator()) || node.Input[0] != value || node.Output.Count != 1 || !Collect(node.Output[0], readers))
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>Of the strengths the one with which rounding what is read and the weights that read it is expected to change their outputs least, all alike.</summary>
    private static float[] Best(List<LayerSite> readers, Workspace workspace, Func<LayerSite, LayerStatistics> statistics)
    {
        float[] largest = [.. Enumerable.Range(0, statistics(readers[0]).Largest.Length).Select(c => readers.Max(r => statistics(r).Largest[c]))];
        float least = LeastShare * largest.Max();
        float[][] candidates = [.. Strengths.Select(strength => largest.Select(l => least > 0 ? (float)Math.ScaleB(1, (int)Math.Round(strength * Math.Log2(Math.Max(l, least)))) : 1).ToArray())];
        return candidates.MinBy(s => readers.Sum(r => Error(r, s, largest, workspace.Weight(r.Layer.Weight).Values<float>(), statistics(r).Power)))!;
    }

    private static double Error(LayerSite site, float[] scales, float[] largest, ReadOnlySpan<float> weight, double[] power)
    {
        int outputs = (int)site.Layer.WeightShape![0], perGroup = (int)site.Layer.WeightShape[1], elements = weight.Length / outputs / perGroup, count = outputs / (int)site.Node.Int("group", 1);
        double step = largest.Select((l, c) => l / scales[c]).Max() / 255, error = 0;
        double[] squares = new double[outputs], most = new double[outputs], moved = new double[outputs];
        for (int i = 0; i < weight.Length; i++)
        {
            int output = i / elements / perGroup, input = (output / count * perGroup) + (i / elements % perGroup);
            double value = (double)weight[i] * scales[input];
            squares[output] += value * value;
            most[output] = Math.Max(most[output], Math.Abs(value) / 127);
            moved[output] += power[input] / scales[input] / scales[input];
        }

        for (int output = 0; output < outputs; output++)
        {
            error += (step * step * squares[output]) + (most[output] * most[output] * moved[output]);
        }

        return error;
    }
}
