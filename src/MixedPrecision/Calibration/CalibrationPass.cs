using MixedPrecision.Calibration.Formats;
using MixedPrecision.Calibration.Losses;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>
/// The passes over samples. Forward through the segments, keeping the values that cross them (and operands and outputs of layers, where these
/// fit into memory); then backward, each segment with a gradient model that computes the rest anew. Samples go in groups, so that what is
/// prepared for a segment serves many of them while the values that are kept stay within <see cref="CalibrationMemory.Group"/>.
/// </summary>
internal sealed class CalibrationPass(
    CalibrationRequest request, IReadOnlyList<SegmentInstance> segments, Action<CalibrationUpdate> report, CancellationToken cancel) : IDisposable
{
    /// <summary>Samples of a group: what a stopped calibration loses at most.</summary>
    private const int LargestGroup = 16;

    private static readonly IReadOnlyDictionary<string, Tensor> NoWeights = new Dictionary<string, Tensor>();

    private readonly WeightGradient weightGradient = new(request.Threads, request.Memory.GradientTile);
    private readonly Dictionary<SegmentInstance, FormatProbe> probes = [];
    private CalibrationProgress progress = request.Resume ?? new CalibrationProgress(0, 0, [], [], request.Sites.Keys.ToDictionary(n => n, _ => new LayerSums()));
    private long steps;

    public Sensitivities Run()
    {
        steps = (long)progress.Samples * 2 * segments.Count;
        while (progress.Samples < request.Samples.Count)
        {
            // The first sample goes alone and shows how much its values take.
            int size = Math.Min(Math.Max(progress.GroupSize, 1), request.Samples.Count - progress.Samples);
            SampleState[] group = [.. Enumerable.Range(progress.Samples, size).Select(i => new SampleState(i, request.Samples[i].Inputs))];
            try
            {
                Forward(group);
                long bytes = group.Max(s => s.Bytes);
                foreach (SampleState sample in group)
                {
                    Seed(sample);
                }

                foreach (SegmentInstance segment in segments.Reverse())
                {
                    Backward(segment, group);
                }

                foreach (SampleState sample in group)
                {
                    AddInputs(sample);
                }

                progress = progress with
                {
                    Samples = progress.Samples + size,
                    GroupSize = progress.GroupSize > 0 ? progress.GroupSize : (int)Math.Clamp(request.Memory.Group / Math.Max(bytes, 1), 1, LargestGroup),
                };
            }
            finally
            {
                foreach (SampleState sample in group)
                {
                    sample.Dispose();
                }
            }

            request.Save?.Invoke(progress);
        }

        return Result();
    }

    public void Dispose()
    {
        weightGradient.Dispose();
        foreach (FormatProbe probe in probes.Values)
        {
            probe.Dispose();
        }
    }

    private void Forward(SampleState[] group)
    {
        foreach (SegmentInstance segment in segments)
        {
            using var constants = new ConstantScope(request.Model, request.Partition.View);
            IReadOnlyDictionary<string, Tensor> weights = Weights(segment, constants);
            foreach (SampleState sample in group)
            {
                sample.Add(segment, segment.Program.Forward.RunInPlace(sample.InputsOf(segment, segment.Program.Forward, weights), cancel));
                Step(sample);
            }
        }
    }

    /// <summary>The gradients of the loss by the outputs it reads: for the labels, and for labels drawn from the model.</summary>
    private void Seed(SampleState sample)
    {
        IReadOnlyDictionary<string, Tensor> outputs = request.Loss.Outputs.ToDictionary(o => o, o => sample.Values[o]);
        LossTarget target = request.Loss.TargetOf(request.Samples[sample.Number], sample.Number, outputs);
        progress.SquareLosses.Add(request.Loss.SquareLoss(outputs, target));
        foreach ((string output, Tensor gradient) in request.Loss.ValueAndGradients(outputs, target).Gradients)
        {
            sample.Gradients[output] = gradient;
        }

        if (!request.TakesRise)
        {
            return;
        }

        foreach ((string output, Tensor gradient) in request.Loss.DrawnGradients(outputs, target))
        {
            sample.DrawnGradients[output] = gradient;
        }
    }

    private void Backward(SegmentInstance segment, SampleState[] group)
    {
        if (segment.Program.Backward is not { } backward)
        {
            Array.ForEach(group, Step);
            return;
        }

        using var constants = new ConstantScope(request.Model, request.Partition.View);
        IReadOnlyDictionary<string, Tensor> weights = Weights(segment, constants);
        var squares = segment.Layers.Where(l => l.Site.Layer.HasWeight).ToDictionary(
            l => l.Site.Layer.Name,
            l => new WeightSquares(l.Site, HalfPrecision.Widen(constants.Get(l.Site.Layer.Weight)), WeightSquares.BlockOf(l.Site, Applicable(l.Site))));
        var batches = FormatProbe.Batches(segment.Layers.Select(l => l.Site), request.Formats, request.Memory.Weight / sizeof(float));
        var results = new List<(SampleState Sample, RunResults Results)>();
        try
        {
            foreach (SampleState sample in group)
            {
                Dictionary<string, Tensor> inputs = sample.InputsOf(segment, backward, weights);
                sample.Seed(segment, segment.Program.Upstream, sample.Gradients, inputs);
                sample.Seed(segment, segment.Program.DrawnUpstream, sample.DrawnGradients, inputs);
                RunResults result = backward.RunInPlace(inputs, cancel);
                results.Add((sample, result));
                SampleState.Collect(segment, segment.Program.Upstream, sample.Gradients, result.Tensors);
                SampleState.Collect(segment, segment.Program.DrawnUpstream, sample.DrawnGradients, result.Tensors);
                AddTaylor(segment, sample, result.Tensors, squares);
                if (batches.Count == 1)
                {
                    var changes = new Changes();
                    Probe(SmallProbe(segment, batches[0]), segment, sample, result.Tensors, changes);
                    Add(changes);
                }

                if (batches.Count <= 1)
                {
                    Release(segment, results);
                }

                Step(sample);
            }

            Changes[] tiled = [.. results.Select(_ => new Changes())];
            foreach (IReadOnlyList<ProbeCase> batch in batches.Count > 1 ? batches : [])
            {
                cancel.ThrowIfCancellationRequested();
                using FormatProbe probe = FormatProbe.Create(batch, constants.Get, request.Threads);
                foreach (((SampleState sample, RunResults result), Changes sums) in results.Zip(tiled))
                {
                    Probe(probe, segment, sample, result.Tensors, sums);
                }
            }

            foreach (Changes sums in tiled)
            {
                Add(sums);
            }

            foreach ((LayerSite site, _) in segment.Layers.Where(l => squares.ContainsKey(l.Site.Layer.Name)))
            {
                cancel.ThrowIfCancellationRequested();
                progress.Layers[site.Layer.Name].AddWeight(squares[site.Layer.Name], Applicable(site));
            }
        }
        finally
        {
            Release(segment, results);
        }
    }

    private static void Release(SegmentInstance segment, List<(SampleState Sample, RunResults Results)> results)
    {
        foreach ((SampleState sample, RunResults result) in results)
        {
            result.Dispose();
            sample.Release(segment);
        }

        results.Clear();
    }

    /// <summary>The probe of a segment whose layers are small: made once.</summary>
    private FormatProbe SmallProbe(SegmentInstance segment, IReadOnlyList<ProbeCase> batch)
    {
        if (segments.Count > 1)
        {
            foreach ((SegmentInstance other, FormatProbe old) in probes.Where(p => p.Key != segment))
            {
                old.Dispose();
                probes.Remove(other);
            }
        }

        if (!probes.TryGetValue(segment, out FormatProbe? probe))
        {
            using var constants = new ConstantScope(request.Model, request.Partition.View);
            probes.Add(segment, probe = FormatProbe.Create(batch, constants.Get, request.Threads));
        }

        return probe;
    }

    private void AddTaylor(SegmentInstance segment, SampleState sample, IReadOnlyDictionary<string, Tensor> results, Dictionary<string, WeightSquares> squares)
    {
        foreach ((string operand, string name) in segment.Program.Taylor)
        {
            string original = segment.Originals[operand];
            progress.Operands[original] = progress.Operands.GetValueOrDefault(original) + results[name].Values<float>()[0];
        }

        foreach ((LayerSite site, LayerProgram layer) in segment.Layers)
        {
            foreach ((string format, string name) in layer.ActivationNoise)
            {
                progress.Layers[site.Layer.Name].AddTaylor(format, results[name].Values<float>()[0]);
            }

            if (layer.WeightGradient is not null)
            {
                squares[site.Layer.Name].Add(results[layer.WeightGradient].Values<float>(), 0);
            }
            else if (site.Layer.HasWeight)
            {
                LayerValues values = ValuesOf(segment, sample, layer, results);
                weightGradient.Add(site, values.Input, values.Gradient, squares[site.Layer.Name], cancel);
            }
        }
    }

    private void Probe(FormatProbe probe, SegmentInstance segment, SampleState sample, IReadOnlyDictionary<string, Tensor> results, Changes changes)
    {
        var values = segment.Layers.ToDictionary(l => l.Site.Layer.Name, l => ValuesOf(segment, sample, l.Program, results));
        foreach ((LayerSite site, string format, double delta, double drawnDelta) in probe.Run(values, cancel))
        {
            (double sum, double drawnSum) = changes.GetValueOrDefault((site.Layer.Name, format));
            changes[(site.Layer.Name, format)] = (sum + delta, drawnSum + drawnDelta);
        }
    }

    private void Add(Changes changes)
    {
        foreach (((string layer, string format), (double delta, double drawnDelta)) in changes)
        {
            progress.Layers[layer].AddChange(format, delta, 0.5 * drawnDelta * drawnDelta);
        }
    }

    private static LayerValues ValuesOf(SegmentInstance segment, SampleState sample, LayerProgram layer, IReadOnlyDictionary<string, Tensor> results)
    {
        Tensor Value(string name) => results.TryGetValue(name, out Tensor? value) ? value : sample.Values[segment.Originals[name]];
        return new LayerValues(
            Value(layer.Input),
            layer.Second is null ? null : Value(layer.Second),
            Value(layer.Output),
            results[layer.OutputGradient!],
            layer.DrawnOutputGradient is null ? null : results[layer.DrawnOutputGradient]);
    }

    /// <summary>‖x ⊙ ẋ‖² of inputs of the model that layers read: their gradients are complete only when all segments have added theirs.</summary>
    private void AddInputs(SampleState sample)
    {
        foreach (string input in request.Samples[sample.Number].Inputs.Keys)
        {
            if (sample.Gradients.TryGetValue(input, out Tensor? gradient))
            {
                var terms = new float[gradient.Count];
                TensorPrimitives.Multiply(gradient.Values<float>(), sample.Values[input].Values<float>(), terms);
                progress.Operands[input] = progress.Operands.GetValueOrDefault(input) + TensorPrimitives.SumOfSquares<float>(terms);
            }
        }
    }

    private Sensitivities Result()
    {
        int samples = request.Samples.Count;
        HashSet<string> reachable = [.. segments.SelectMany(p => p.Layers).Select(l => l.Site.Layer.Name)];
        return new Sensitivities(request.Loss.Name, samples, progress.SquareLosses.Average(), [.. request.Partition.Layers.Select(l => progress.Layers[l.Name].Result(
            l.Name,
            reachable.Contains(l.Name),
            samples,
            progress.Operands.GetValueOrDefault(l.Input) / samples,
            l.HasWeight ? null : progress.Operands.GetValueOrDefault(l.Weight) / samples))]);
    }

    private NumberFormat[] Applicable(LayerSite site) =>
        [.. request.Formats.Where(f => f != NumberFormats.Baseline && f.WhyNot(site) is null)];

    private static IReadOnlyDictionary<string, Tensor> Weights(SegmentInstance segment, ConstantScope constants) =>
        segment.Weights.Count == 0 ? NoWeights : segment.Weights.ToDictionary(w => w, w => HalfPrecision.Widen(constants.Get(segment.Originals[w])));

    private void Step(SampleState sample)
    {
        cancel.ThrowIfCancellationRequested();
        report(new CalibrationUpdate(sample.Number, ++steps / (2.0 * segments.Count * request.Samples.Count)));
    }

    /// <summary>⟨y_f − y, ẏ⟩ of one sample by layer and format, for the labels and for drawn ones.</summary>
    private sealed class Changes : Dictionary<(string Layer, string Format), (double Delta, double DrawnDelta)>;
}
