using Google.Protobuf;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>
/// A model, equal in floats, whose channels are divided by what the layers that read them are multiplied by. SmoothQuant for 8 bits divides normalizations, by powers of two (strength 0.5); AWQ for
/// fewer those and the columns that make the channels of gated layers, by any scales (arXiv 2306.00978, of its strengths the one with the least error of the weights, each weighted with E[x²]).
/// </summary>
internal static class MovedScales
{
    private static readonly double[] Strengths = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1];

    /// <summary>Moves scales wherever layers alone read what can be divided.</summary>
    /// <param name="sites">Layers with what calibration saw.</param>
    /// <param name="block">Inputs of a block of 4 bits that AWQ is for; null: SmoothQuant.</param>
    /// <returns>How many places, and at how many of them something moved.</returns>
    public static (int Places, int Moved) Apply(OnnxModel model, IReadOnlyDictionary<string, LayerSite> sites, int? block)
    {
        var view = new GraphView(model.Graph);
        IReadOnlyDictionary<string, LayerSite> producers = Balancing.Producers(view, sites);
        int places = 0, moved = 0;
        foreach (IGrouping<string, LayerSite> group in sites.Values.Where(s => s.HasWeightMatrix).GroupBy(s => s.Layer.Input))
        {
            LayerSite[] readers = [.. group];
            if (view.IsOutput(group.Key) || view.Consumers(group.Key).Count != readers.Length || view.Producer(group.Key) is not int node)
            {
                continue;
            }

            (string Name, int Axis)[] divided = block is not null && producers.TryGetValue(readers[0].Layer.Name, out LayerSite? producer)
                ? [(producer.Layer.Weight, 1)] : [.. Vectors(model, view, view.Nodes[node]).Select(v => (v, 0))];
            if (divided.Length == 0)
            {
                continue;
            }

            places++;
            float[] scales = block is int size ? Awq(model, readers, size) : Smooth(model, readers);
            moved += scales.Any(s => s != 1) ? 1 : 0;
            Array.ForEach(divided, d => Multiply(model, d.Name, d.Axis, [.. scales.Select(s => 1 / s)]));
            Array.ForEach(readers, r => Multiply(model, r.Layer.Weight, r.IsWeightTransposed ? 1 : 0, scales));
        }

        return (places, moved);
    }

    /// <summary>The constants of a normalization that its result is linear in.</summary>
    private static string[] Vectors(OnnxModel model, GraphView view, NodeProto node)
    {
        bool IsVector(string name) => model.Initializers.TryGetValue(name, out TensorProto? t) && t.Dims.Count == 1 && t.Dims[0] > 1 && view.Consumers(name).Count == 1;
        return node.OpType switch
        {
            "LayerNormalization" or "SimplifiedLayerNormalization" => node.Input.Skip(1).All(IsVector) ? [.. node.Input.Skip(1)] : [],
            "Mul" => [.. node.Input.Where(IsVector)],
            _ => [],
        };
    }

    private static float[] Smooth(OnnxModel model, LayerSite[] readers)
    {
        float[] largest = readers[0].Moments!.Largest(), weights = new float[readers[0].InputSize];
        foreach (LayerSite reader in readers)
        {
            reader.ForEachColumn(model.Initializer(reader.Layer.Weight)!, (_, values) =>
            {
                lock (weights)
                {
                    for (int k = 0; k < weights.Length; k++)
                    {
                        weights[k] = Math.Max(weights[k], Math.Abs(values[k]));
                    }
                }
            });
        }

        return [.. largest.Zip(weights, (x, w) => Power(Math.Sqrt(x / w)))];
    }

    private static float[] Awq(OnnxModel model, LayerSite[] readers, int block)
    {
        InputMoments moments = readers[0].Moments!;
        double[] power = [.. moments.Read().SelectMany(b => Enumerable.Range(0, b.Size).Select(i => (double)b.Values[(i * b.Size) + i] / moments.Rows))];
        return Strengths.Select(strength => power.Select(p => p > 0 ? (float)Math.Pow(p, strength / 2) : 1).ToArray()).MinBy(scales => readers.Sum(reader =>
        {
            double total = 0;
            reader.ForEachColumn(model.Initializer(reader.Layer.Weight)!, (_, values) =>
            {
                double error = 0;
                float[] scaled = [.. values.ToArray().Zip(scales, (w, s) => w * s)];
                for (int start = 0; start < scaled.Length; start += block)
                {
                    ReadOnlySpan<float> part = scaled.AsSpan(start, Math.Min(block, scaled.Length - start));
                    (float low, float high) = Rounding.Range(part);
                    float step = (high >= -low ? high : low) / -8;
                    for (int i = 0; i < part.Length && step != 0; i++)
                    {
                        double difference = ((Math.Clamp(MathF.Round(part[i] / step), -8, 7) * step) - part[i]) / scales[start + i];
                        error += difference * difference * power[start + i];
                    }
                }

                lock (scales)
                {
                    total += error;
                }
            });
            return total;
        }))!;
    }

    private static float Power(double scale) => double.IsFinite(scale) && scale > 0 ? (float)Math.ScaleB(1, (int)Math.Round(Math.Log2(scale))) : 1;

    private static void Multiply(OnnxModel model, string name, int axis, float[] factors)
    {
        TensorProto proto = model.Initializers[name];
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
