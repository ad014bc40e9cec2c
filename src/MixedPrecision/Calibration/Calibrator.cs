using MixedPrecision.Calibration.Data;
using MixedPrecision.Calibration.Formats;
using MixedPrecision.Calibration.Losses;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>All that calibration reads.</summary>
/// <param name="Sites">Every layer of the partition, by name.</param>
/// <param name="Formats">Names of the formats to judge; the baseline may be among them.</param>
/// <param name="Threads">Threads within an operator; 0 leaves the choice to ONNX Runtime.</param>
public sealed record CalibrationRequest(
    OnnxModel Model,
    Partition Partition,
    IReadOnlyDictionary<string, TensorType> Types,
    IReadOnlyDictionary<string, LayerSite> Sites,
    IReadOnlyList<string> Formats,
    LossFunction Loss,
    IReadOnlyList<Sample> Samples,
    int Threads);

/// <summary>
/// Sensitivities by one forward and one backward pass a sample (paper, section 3), sub-graph by sub-graph: forward through the cuts, keeping
/// only the values that cross them; then backward, each sub-graph with a gradient model of its own that computes its inside anew. Samples go
/// in groups, so that what is prepared for a sub-graph serves many of them while the values at the cuts stay within <see cref="CutBytes"/>.
/// </summary>
public static class Calibrator
{
    /// <summary>Bytes that the values at cuts of one group of samples may take.</summary>
    private const long CutBytes = 512L << 20;

    /// <param name="progress">Told the fraction that is done.</param>
    public static Sensitivities Run(CalibrationRequest request, Action<double> progress, CancellationToken cancel)
    {
        HashSet<string> operands = [.. request.Partition.Layers.SelectMany(l => l.HasWeight ? new[] { l.Input } : [l.Input, l.Weight])];
        HashSet<string> wanted = DependentOnLayers(request.Partition);
        wanted.UnionWith(operands);
        SessionSettings settings = SessionSettings.Plain with { Threads = request.Threads };
        var programs = new List<SubgraphProgram>();
        try
        {
            foreach (Subgraph subgraph in request.Partition.Subgraphs)
            {
                cancel.ThrowIfCancellationRequested();
                ExtractedSubgraph extracted = Extraction.Extract(request.Model, request.Partition, request.Types, subgraph.Nodes, new ExtractionOptions(WeightsAsInputs: true));
                programs.Add(SubgraphProgram.Create(
                    request.Model, extracted, [.. subgraph.Layers.Select(l => request.Sites[l.Name])], request.Formats, wanted, operands, settings));
            }

            return new Pass(request, programs, progress, cancel).Run();
        }
        finally
        {
            programs.ForEach(p => p.Dispose());
        }
    }

    /// <summary>The values that depend on the output of some layer: through them gradients flow back to layers.</summary>
    private static HashSet<string> DependentOnLayers(Partition partition)
    {
        GraphView view = partition.View;
        HashSet<int> layers = [.. partition.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Node)];
        var dependent = new HashSet<string>();
        for (int node = 0; node < view.Nodes.Count; node++)
        {
            if (layers.Contains(node) || view.Inputs[node].Any(dependent.Contains))
            {
                dependent.UnionWith(view.Nodes[node].Output);
            }
        }

        return dependent;
    }

    /// <summary>Sums over samples for one layer.</summary>
    private sealed class LayerSums
    {
        public double TaylorWeight;
        public readonly Dictionary<string, double> Taylor = [];
        public readonly Dictionary<string, List<double>> Deltas = [];
    }

    private sealed class Pass(CalibrationRequest request, List<SubgraphProgram> programs, Action<double> progress, CancellationToken cancel)
    {
        private readonly Dictionary<string, LayerSums> sums = request.Sites.Keys.ToDictionary(n => n, _ => new LayerSums());
        private readonly Dictionary<string, double> operandSums = [];
        private readonly List<double> losses = [];
        private long steps;

        public Sensitivities Run()
        {
            // The first sample goes alone and shows how much its values take.
            int size = 1;
            for (int first = 0; first < request.Samples.Count;)
            {
                int count = Math.Min(size, request.Samples.Count - first);
                long bytes = Group(first, count);
                first += count;
                size = (int)Math.Clamp(CutBytes / Math.Max(bytes, 1), 1, request.Samples.Count);
            }

            return Result();
        }

        /// <summary>Forward and backward for some samples; returns the bytes of one sample's values at cuts.</summary>
        private long Group(int first, int count)
        {
            var values = new Dictionary<string, Tensor>[count];
            var gradients = new Dictionary<string, Tensor>[count];
            for (int i = 0; i < count; i++)
            {
                values[i] = new Dictionary<string, Tensor>(request.Samples[first + i].Inputs);
            }

            foreach (SubgraphProgram program in programs)
            {
                IReadOnlyDictionary<string, Tensor> weights = Weights(program);
                foreach (Dictionary<string, Tensor> known in values)
                {
                    foreach ((string name, Tensor value) in program.Forward.Run(Inputs(program.Forward, known, weights)))
                    {
                        known[name] = value;
                    }

                    Step();
                }
            }

            for (int i = 0; i < count; i++)
            {
                Tensor prediction = values[i][request.Loss.Output];
                Tensor target = request.Loss.TargetOf(request.Samples[first + i], first + i, prediction);
                (double loss, Tensor gradient) = request.Loss.ValueAndGradient(prediction, target);
                losses.Add(request.Loss.SquareLoss(prediction, loss));
                gradients[i] = new Dictionary<string, Tensor> { [request.Loss.Output] = gradient };
            }

            foreach (SubgraphProgram program in Enumerable.Reverse(programs))
            {
                Backward(program, values, gradients);
            }

            foreach (string input in request.Samples[0].Inputs.Keys)
            {
                AddInput(input, values, gradients);
            }

            return values[0].Values.Sum(v => (long)v.Bytes.Length);
        }

        /// <summary>‖x ⊙ ẋ‖² of an input of the model that layers read: its gradient is complete only when all sub-graphs have added theirs.</summary>
        private void AddInput(string input, Dictionary<string, Tensor>[] values, Dictionary<string, Tensor>[] gradients)
        {
            for (int i = 0; i < values.Length; i++)
            {
                if (gradients[i].TryGetValue(input, out Tensor? gradient))
                {
                    var terms = new float[gradient.Count];
                    TensorPrimitives.Multiply(gradient.Values<float>(), values[i][input].Values<float>(), terms);
                    operandSums[input] = operandSums.GetValueOrDefault(input) + TensorPrimitives.SumOfSquares<float>(terms);
                }
            }
        }

        private void Backward(SubgraphProgram program, Dictionary<string, Tensor>[] values, Dictionary<string, Tensor>[] gradients)
        {
            if (program.Backward is null)
            {
                return;
            }

            IReadOnlyDictionary<string, Tensor> weights = Weights(program);
            LayerProgram[] layers = [.. program.Layers.Where(l => l.OutputGradient is not null)];
            var squaredGradients = layers.Where(l => l.WeightGradient is not null).ToDictionary(l => l, l => new float[Tensor.ElementCount(l.Site.Layer.WeightShape)]);
            var probes = new Dictionary<LayerProgram, FormatProbe>();
            try
            {
                foreach (LayerProgram layer in layers)
                {
                    if (FormatProbe.Create(layer.Site, request.Formats, Constant, request.Threads) is { } probe)
                    {
                        probes.Add(layer, probe);
                    }
                }

                for (int i = 0; i < values.Length; i++)
                {
                    var inputs = new Dictionary<string, Tensor>(values[i]);
                    foreach ((string output, string name) in program.Upstream)
                    {
                        inputs[name] = gradients[i].Remove(output, out Tensor? gradient) ? gradient : Zeros(values[i][output].Shape);
                    }

                    IReadOnlyDictionary<string, Tensor> results = program.Backward.Run(Inputs(program.Backward, inputs, weights));
                    foreach ((string input, string name) in program.Gradients)
                    {
                        gradients[i][input] = gradients[i].TryGetValue(input, out Tensor? sum) ? Sum(sum, results[name]) : results[name];
                    }

                    foreach ((string operand, string name) in program.Taylor)
                    {
                        operandSums[operand] = operandSums.GetValueOrDefault(operand) + Scalar(results[name]);
                    }

                    foreach (LayerProgram layer in layers)
                    {
                        Add(layer, results, squaredGradients.GetValueOrDefault(layer), probes.GetValueOrDefault(layer));
                    }

                    Step();
                }
            }
            finally
            {
                foreach (FormatProbe probe in probes.Values)
                {
                    probe.Dispose();
                }
            }

            foreach ((LayerProgram layer, float[] squares) in squaredGradients)
            {
                AddWeightTerms(layer.Site, squares);
            }
        }

        private void Add(LayerProgram layer, IReadOnlyDictionary<string, Tensor> results, float[]? squaredGradients, FormatProbe? probe)
        {
            LayerSums sum = sums[layer.Site.Layer.Name];
            foreach ((string format, string name) in layer.ActivationNoise)
            {
                sum.Taylor[format] = sum.Taylor.GetValueOrDefault(format) + Scalar(results[name]);
            }

            if (squaredGradients is not null)
            {
                ReadOnlySpan<float> gradient = results[layer.WeightGradient!].Values<float>();
                TensorPrimitives.MultiplyAdd(gradient, gradient, squaredGradients, squaredGradients);
            }

            if (probe is null)
            {
                return;
            }

            Tensor? second = layer.Second is null ? null : results[layer.Second];
            foreach ((string format, double delta) in probe.Run(results[layer.Input], second, results[layer.Site.Layer.Output], results[layer.OutputGradient!]))
            {
                if (!sum.Deltas.TryGetValue(format, out List<double>? deltas))
                {
                    sum.Deltas.Add(format, deltas = []);
                }

                deltas.Add(delta);
            }
        }

        /// <summary>Terms that are linear in Σ ẇ² over the group's samples.</summary>
        private void AddWeightTerms(LayerSite site, float[] squaredGradients)
        {
            LayerSums sum = sums[site.Layer.Name];
            Tensor weight = Constant(site.Layer.Weight);
            ReadOnlySpan<float> values = weight.Values<float>();
            double taylor = 0;
            for (int i = 0; i < values.Length; i++)
            {
                taylor += (double)values[i] * values[i] * squaredGradients[i];
            }

            sum.TaylorWeight += taylor;
            foreach (NumberFormat format in request.Formats.Select(NumberFormats.Get).Where(f => f != NumberFormats.Baseline && f.WhyNot(site) is null))
            {
                sum.Taylor[format.Name] = sum.Taylor.GetValueOrDefault(format.Name) + format.WeightNoise(site, weight, squaredGradients);
            }
        }

        private Sensitivities Result()
        {
            int samples = request.Samples.Count;
            HashSet<string> reachable = [.. programs.SelectMany(p => p.Layers).Where(l => l.OutputGradient is not null).Select(l => l.Site.Layer.Name)];
            return new Sensitivities(request.Loss.Name, samples, losses.Average(), [.. request.Partition.Subgraphs.SelectMany(s => s.Layers).Select(layer =>
            {
                LayerSums sum = sums[layer.Name];
                var formats = sum.Deltas.ToDictionary(
                    d => d.Key,
                    d => new FormatSensitivity(sum.Taylor.GetValueOrDefault(d.Key) / samples, d.Value.Average(delta => delta * delta), [.. d.Value]));
                return new LayerSensitivity(layer.Name, reachable.Contains(layer.Name), operandSums.GetValueOrDefault(layer.Input) / samples,
                    (layer.HasWeight ? sum.TaylorWeight : operandSums.GetValueOrDefault(layer.Weight)) / samples, formats);
            })]);
        }

        private Tensor Constant(string name) => MixedPrecision.Partitioning.Weights.Read(request.Model, request.Partition.View, name)!;

        private Dictionary<string, Tensor> Weights(SubgraphProgram program) => program.Extracted.Weights.ToDictionary(w => w, Constant);

        private static Dictionary<string, Tensor> Inputs(Session session, Dictionary<string, Tensor> values, IReadOnlyDictionary<string, Tensor> weights) =>
            session.Inputs.ToDictionary(name => name, name => weights.TryGetValue(name, out Tensor? weight) ? weight : values[name]);

        private static double Scalar(Tensor tensor) => tensor.Values<float>()[0];

        private static Tensor Zeros(long[] shape) => new(ElementType.Float, shape, new byte[Tensor.ByteCount(ElementType.Float, shape)]);

        private static Tensor Sum(Tensor a, Tensor b)
        {
            var sum = new float[a.Count];
            TensorPrimitives.Add(a.Values<float>(), b.Values<float>(), sum);
            return Tensor.Of<float>(sum, a.Shape);
        }

        private void Step()
        {
            cancel.ThrowIfCancellationRequested();
            progress(++steps / (2.0 * programs.Count * request.Samples.Count));
        }
    }
}
