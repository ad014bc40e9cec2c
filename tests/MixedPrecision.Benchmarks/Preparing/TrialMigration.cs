using Google.Protobuf;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>Moves powers of two per channel from an activation into the weights that read it, where what makes the activation takes them for free.</summary>
internal static class TrialMigration
{
    private static readonly double[] Strengths = [0, 0.25, 0.5, 0.625, 0.75, 0.875, 1];

    /// <param name="kind">"int8": noise of activations per tensor and of weights per column; "int4": of weights in blocks of 32; a number: that strength for all (SmoothQuant).</param>
    public static int Migrate(OnnxModel model, IReadOnlyDictionary<string, LayerSite> sites, IReadOnlyDictionary<string, LayerMoments> moments, string kind)
    {
        var view = new GraphView(model.Graph);
        int done = 0;
        foreach (IGrouping<string, LayerSite> group in sites.Values.Where(s => s.HasWeightMatrix).GroupBy(s => s.Layer.Input))
        {
            LayerSite[] readers = [.. group];
            if (view.IsOutput(group.Key) || view.Consumers(group.Key).Count != readers.Length || view.Producer(group.Key) is not int node)
            {
                continue;
            }

            List<(string Constant, int Axis)> targets = Targets(model, view, view.Nodes[node], sites);
            if (targets.Count == 0)
            {
                Console.WriteLine($"{group.Key}: made by {view.Nodes[node].OpType}: nowhere to move to");
                continue;
            }

            (double strength, float[] scales) = Choose(model, readers, moments, kind);
            Console.WriteLine($"{group.Key}: strength {strength}, into {string.Join(", ", targets.Select(t => t.Constant))}; scales {scales.Min()} to {scales.Max()}");
            foreach ((string constant, int axis) in targets)
            {
                Scale(model, constant, axis, [.. scales.Select(s => 1 / s)]);
            }

            foreach (LayerSite reader in readers)
            {
                Scale(model, reader.Layer.Weight, reader.IsWeightTransposed ? 1 : 0, scales);
            }

            done++;
        }

        return done;
    }

    private static List<(string Constant, int Axis)> Targets(OnnxModel model, GraphView view, NodeProto node, IReadOnlyDictionary<string, LayerSite> sites)
    {
        bool IsVector(string name) => model.Initializers.TryGetValue(name, out TensorProto? t) && t.Dims.Count == 1 && t.Dims[0] > 1 && view.Consumers(name).Count == 1;
        switch (node.OpType)
        {
            case "LayerNormalization" or "SimplifiedLayerNormalization" or "RMSNormalization":
                return node.Input.Skip(1).All(IsVector) ? [.. node.Input.Skip(1).Select(i => (i, 0))] : [];
            case "Mul" when node.Input.Any(IsVector):
                return [(node.Input.First(IsVector), 0)];
            case "Mul":
                foreach (string input in node.Input)
                {
                    if (view.Consumers(input).Count == 1 && view.Producer(input) is int p && sites.Values.FirstOrDefault(s => s.HasWeightMatrix && s.Layer.Output == input) is { } site
                        && view.Nodes[p].OpType == "MatMul")
                    {
                        return [(site.Layer.Weight, 1)];
                    }
                }

                return [];
            default:
                return [];
        }
    }

    private static (double Strength, float[] Scales) Choose(OnnxModel model, LayerSite[] readers, IReadOnlyDictionary<string, LayerMoments> moments, string kind)
    {
        int inputs = readers[0].InputSize;
        LayerMoments first = moments[readers[0].Layer.Name];
        float[] largest = first.Largest;
        double[] power = [.. Enumerable.Range(0, inputs).Select(k => first.Plain[((long)k * inputs) + k] / first.Rows)];
        (LayerSite Site, float[] Columns, double[] Gradient)[] parts = [.. readers.Select(r => (r, TrialFormat.Columns(r, model.Initializer(r.Layer.Weight)!), kind == "int8" || kind == "int4" ? [.. Enumerable.Repeat(1.0, r.OutputSize)] : moments[r.Layer.Name].DrawnSquares!))];
        double best = double.PositiveInfinity;
        (double, float[]) result = (0, [.. Enumerable.Repeat(1f, inputs)]);
        bool isFixed = double.TryParse(kind, out double given);
        foreach (double strength in isFixed ? [given] : Strengths)
        {
            var scales = new float[inputs];
            for (int k = 0; k < inputs; k++)
            {
                double weight = parts.Max(p => Enumerable.Range(0, p.Site.OutputSize).Max(n => Math.Abs(p.Columns[(n * inputs) + k])));
                double wanted = kind == "int4" ? Math.Pow(Math.Sqrt(power[k]) + 1e-9, strength)
                    : isFixed ? Math.Pow(largest[k] + 1e-9, strength) / Math.Pow(weight + 1e-9, 1 - strength)
                    : Math.Pow(largest[k] + 1e-9, strength);
                scales[k] = (float)Math.Pow(2, Math.Round(Math.Log2(wanted)));
            }

            double noise = Noise(parts, inputs, largest, power, scales, kind);
            if (noise < best)
            {
                (best, result) = (noise, (strength, scales));
            }
        }

        return result;
    }

    private static double Noise((LayerSite Site, float[] Columns, double[] Gradient)[] parts, int inputs, float[] largest, double[] power, float[] scales, string kind)
    {
        double range = Enumerable.Range(0, inputs).Max(k => largest[k] / scales[k]) * 2 / 255, total = 0;
        foreach ((LayerSite site, float[] columns, double[] gradient) in parts)
        {
            var scaled = new float[inputs];
            for (int n = 0; n < site.OutputSize; n++)
            {
                double activation = 0, moved = 0;
                for (int k = 0; k < inputs; k++)
                {
                    scaled[k] = columns[(n * inputs) + k] * scales[k];
                    activation += scaled[k] * scaled[k];
                    moved += power[k] / scales[k] / scales[k];
                }

                if (kind == "int4")
                {
                    for (int start = 0; start < inputs; start += 32)
                    {
                        ReadOnlySpan<float> part = scaled.AsSpan(start, Math.Min(32, inputs - start));
                        float step = Grid.Largest(part) / -8;
                        for (int k = 0; k < part.Length && step != 0; k++)
                        {
                            double error = (Math.Clamp(MathF.Round(part[k] / step), -8, 7) * step) - part[k];
                            total += gradient[n] * error * error * power[start + k] / scales[start + k] / scales[start + k];
                        }
                    }
                }
                else
                {
                    double step = Rounding.LargestPair(scaled) / 127;
                    total += gradient[n] * ((range * range * activation) + (step * step * moved)) / 12;
                }
            }
        }

        return total;
    }

    private static void Scale(OnnxModel model, string name, int axis, float[] factors)
    {
        TensorProto proto = model.Graph.Initializer.First(t => t.Name == name);
        Tensor tensor = model.Initializer(name)!;
        float[] values = tensor.Values<float>().ToArray();
        int inner = axis == tensor.Rank - 1 ? 1 : (int)tensor.Shape[1];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] *= factors[i / inner % factors.Length];
        }

        proto.FloatData.Clear();
        proto.RawData = ByteString.CopyFrom(Tensor.Of<float>(values, tensor.Shape).Bytes.Span);
    }
}
