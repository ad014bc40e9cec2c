using MixedPrecision.Calibration.Formats;
using MixedPrecision.Calibration.Losses;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>
/// The passes over samples. Forward through the cuts, keeping only the values that cross them; then backward, each sub-graph with a gradient
/// model of its own that computes its inside anew. Samples go in groups, so that what is prepared for a sub-graph serves many of them while the
/// values at the cuts stay within <see cref="CutBytes"/>.
/// </summary>
internal sealed class CalibrationPass(
    CalibrationRequest request, IReadOnlyList<SubgraphProgram> programs, Action<double> progress, CancellationToken cancel)
{
    /// <summary>Bytes that the values at cuts of one group of samples may take.</summary>
    private const long CutBytes = 512L << 20;

    private readonly Dictionary<string, LayerSums> sums = request.Sites.Keys.ToDictionary(n => n, _ => new LayerSums());
    private readonly Dictionary<string, double> operandSums = [];
    private readonly List<double> squareLosses = [];
    private long steps;

    public Sensitivities Run()
    {
        // The first sample goes alone and shows how much its values take.
        int size = 1;
        for (int first = 0; first < request.Samples.Count;)
        {
            SampleState[] group = [.. Enumerable.Range(first, Math.Min(size, request.Samples.Count - first)).Select(i => new SampleState(i, request.Samples[i].Inputs))];
            Forward(group);
            foreach (SampleState sample in group)
            {
                Seed(sample);
            }

            foreach (SubgraphProgram program in programs.Reverse())
            {
                Backward(program, group);
            }

            foreach (SampleState sample in group)
            {
                AddInputs(sample);
            }

            first += group.Length;
            size = (int)Math.Clamp(CutBytes / Math.Max(group[0].Bytes, 1), 1, request.Samples.Count);
        }

        return Result();
    }

    private void Forward(SampleState[] group)
    {
        foreach (SubgraphProgram program in programs)
        {
            IReadOnlyDictionary<string, Tensor> weights = Weights(program);
            foreach (SampleState sample in group)
            {
                foreach ((string name, Tensor value) in program.Forward.Run(Inputs(program.Forward, sample.Values, weights)))
                {
                    sample.Values[name] = value;
                }

                Step();
            }
        }
    }

    /// <summary>The gradients of the loss by the outputs it reads: for the labels, and for labels drawn from the model.</summary>
    private void Seed(SampleState sample)
    {
        IReadOnlyDictionary<string, Tensor> outputs = request.Loss.Outputs.ToDictionary(o => o, o => sample.Values[o]);
        LossTarget target = request.Loss.TargetOf(request.Samples[sample.Number], sample.Number, outputs);
        squareLosses.Add(request.Loss.SquareLoss(outputs, target));
        foreach ((string output, Tensor gradient) in request.Loss.ValueAndGradients(outputs, target).Gradients)
        {
            sample.Gradients[output] = gradient;
        }

        foreach ((string output, Tensor gradient) in request.Loss.DrawnGradients(outputs, target))
        {
            sample.DrawnGradients[output] = gradient;
        }
    }

    private void Backward(SubgraphProgram program, SampleState[] group)
    {
        if (program.Backward is null)
        {
            return;
        }

        IReadOnlyDictionary<string, Tensor> weights = Weights(program);
        LayerProgram[] layers = [.. program.Layers.Where(l => l.OutputGradient is not null)];
        var squaredGradients = layers.Where(l => l.WeightGradient is not null)
            .ToDictionary(l => l, l => new float[Tensor.ElementCount(l.Site.Layer.WeightShape)]);
        var probes = new Dictionary<LayerProgram, FormatProbe>();
        try
        {
            foreach (LayerProgram layer in layers)
            {
                if (FormatProbe.Create(layer.Site, request.Formats, Constant, request.Loss.HasCurvature, request.Threads) is { } probe)
                {
                    probes.Add(layer, probe);
                }
            }

            foreach (SampleState sample in group)
            {
                IReadOnlyDictionary<string, Tensor> results = Run(program, program.Backward, sample, sample.Gradients, weights);
                IReadOnlyDictionary<string, Tensor>? drawn = program.DrawnBackward is null ? null
                    : Run(program, program.DrawnBackward, sample, sample.DrawnGradients, weights);
                foreach ((string operand, string name) in program.Taylor)
                {
                    operandSums[operand] = operandSums.GetValueOrDefault(operand) + Scalar(results[name]);
                }

                foreach (LayerProgram layer in layers)
                {
                    Add(sample, layer, results, drawn, squaredGradients.GetValueOrDefault(layer), probes.GetValueOrDefault(layer));
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
            IEnumerable<NumberFormat> applicable = request.Formats.Select(NumberFormats.Get)
                .Where(f => f != NumberFormats.Baseline && f.WhyNot(layer.Site) is null);
            sums[layer.Site.Layer.Name].AddWeight(layer.Site, Constant(layer.Site.Layer.Weight), squares, applicable);
        }
    }

    /// <summary>Runs one backward model: takes the gradients of the sub-graph's outputs away, adds those of its inputs.</summary>
    private IReadOnlyDictionary<string, Tensor> Run(
        SubgraphProgram program, Session session, SampleState sample, Dictionary<string, Tensor> gradients, IReadOnlyDictionary<string, Tensor> weights)
    {
        var inputs = new Dictionary<string, Tensor>(sample.Values);
        foreach ((string output, string name) in program.Upstream)
        {
            inputs[name] = gradients.Remove(output, out Tensor? gradient) ? gradient : Zeros(sample.Values[output].Shape);
        }

        IReadOnlyDictionary<string, Tensor> results = session.Run(Inputs(session, inputs, weights));
        foreach ((string input, string name) in program.Gradients)
        {
            gradients[input] = gradients.TryGetValue(input, out Tensor? sum) ? Sum(sum, results[name]) : results[name];
        }

        return results;
    }

    private void Add(
        SampleState sample,
        LayerProgram layer,
        IReadOnlyDictionary<string, Tensor> results,
        IReadOnlyDictionary<string, Tensor>? drawn,
        float[]? squaredGradients,
        FormatProbe? probe)
    {
        LayerSums sum = sums[layer.Site.Layer.Name];
        foreach ((string format, string name) in layer.ActivationNoise)
        {
            sum.AddActivationNoise(format, Scalar(results[name]));
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
        foreach ((string format, double delta, double drawnDelta) in probe.Run(
            results[layer.Input], second, results[layer.Site.Layer.Output], results[layer.OutputGradient!], drawn?[layer.OutputGradient!]))
        {
            sum.AddChange(format, delta, 0.5 * drawnDelta * drawnDelta);
        }
    }

    /// <summary>‖x ⊙ ẋ‖² of inputs of the model that layers read: their gradients are complete only when all sub-graphs have added theirs.</summary>
    private void AddInputs(SampleState sample)
    {
        foreach ((string input, Tensor value) in request.Samples[sample.Number].Inputs)
        {
            if (sample.Gradients.TryGetValue(input, out Tensor? gradient))
            {
                var terms = new float[gradient.Count];
                TensorPrimitives.Multiply(gradient.Values<float>(), value.Values<float>(), terms);
                operandSums[input] = operandSums.GetValueOrDefault(input) + TensorPrimitives.SumOfSquares<float>(terms);
            }
        }
    }

    private Sensitivities Result()
    {
        int samples = request.Samples.Count;
        HashSet<string> reachable = [.. programs.SelectMany(p => p.Layers).Where(l => l.OutputGradient is not null).Select(l => l.Site.Layer.Name)];
        return new Sensitivities(request.Loss.Name, samples, squareLosses.Average(), [.. request.Partition.Layers.Select(l => sums[l.Name].Result(
            l.Name,
            reachable.Contains(l.Name),
            samples,
            operandSums.GetValueOrDefault(l.Input) / samples,
            l.HasWeight ? null : operandSums.GetValueOrDefault(l.Weight) / samples))]);
    }

    private Tensor Constant(string name) => Partitioning.Weights.Read(request.Model, request.Partition.View, name)!;

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

    /// <summary>One sample on its way: values that cross cuts, and gradients that are not used up.</summary>
    private sealed class SampleState(int number, IReadOnlyDictionary<string, Tensor> inputs)
    {
        public int Number { get; } = number;

        public Dictionary<string, Tensor> Values { get; } = new(inputs);

        public Dictionary<string, Tensor> Gradients { get; } = [];

        public Dictionary<string, Tensor> DrawnGradients { get; } = [];

        public long Bytes => Values.Values.Sum(v => (long)v.Bytes.Length);
    }
}
