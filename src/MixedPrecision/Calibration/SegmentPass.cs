using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>
/// Samples on their way through one segment: holds what is prepared for it, its weights, their squares and the layers in other formats, for as long as samples
/// need it. Several threads may call it for samples of their own.
/// </summary>
internal sealed class SegmentPass : IDisposable
{
    private static readonly IReadOnlyDictionary<string, Tensor> NoWeights = new Dictionary<string, Tensor>();

    private readonly CalibrationRequest request;
    private readonly SegmentInstance segment;
    private readonly WeightGradient weightGradient;
    private readonly CancellationToken cancel;
    private readonly ConstantScope constants;
    private readonly IReadOnlyDictionary<string, Tensor> weights;
    private readonly IReadOnlyList<IReadOnlyList<ProbeCase>> batches;
    private readonly Lazy<IReadOnlyDictionary<string, WeightSquares[]>> squares;
    private readonly Lazy<FormatProbe?> probe;
    private readonly Lazy<IReadOnlyDictionary<string, string>> canonical;

    /// <param name="weightGradient">Shared by all segments.</param>
    /// <param name="isWhole">Whether the segment is the whole of a small model, whose layers are all probed together.</param>
    public SegmentPass(CalibrationRequest request, SegmentInstance segment, WeightGradient weightGradient, bool isWhole, CancellationToken cancel)
    {
        this.request = request;
        this.segment = segment;
        this.weightGradient = weightGradient;
        this.cancel = cancel;
        constants = new ConstantScope(request.Model, request.Partition.View);
        weights = segment.Weights.Count == 0 ? NoWeights : segment.Weights.ToDictionary(w => w, w => HalfPrecision.Widen(constants.Get(segment.Originals[w])));
        batches = FormatProbe.Batches(segment.Layers.Select(l => l.Site), request.Formats, isWhole ? long.MaxValue : request.Memory.Weight / sizeof(float));
        squares = new(() => segment.Layers.ToDictionary(
            l => l.Site.Layer.Name,
            l => l.Site.ByWeight.Select(own => new WeightSquares(own, HalfPrecision.Widen(constants.Get(own.Layer.Weight)), Applicable(l.Site))).ToArray()));
        canonical = new(() => segment.Program.Taylor.Keys.GroupBy(v => segment.Originals[v]).ToDictionary(g => g.Key, g => g.First()));
        probe = new(() => batches.Count == 1 ? FormatProbe.Create(batches[0], constants.Find, request.Threads, request.Preparations) : null);
    }

    public void Forward(SampleState sample) =>
        sample.Add(segment, segment.Program.Forward.RunInPlace(sample.InputsOf(segment, segment.Program.Forward, weights), cancel));

    /// <summary>Backward, and all that is found out on the way; what the segment's forward pass gave is dropped after it.</summary>
    /// <param name="after">Called after each sample's backward pass.</param>
    public void Backward(IReadOnlyList<SampleState> group, Action<SampleState> after)
    {
        var kept = new List<(SampleState Sample, RunResults Results)>();
        try
        {
            foreach (SampleState sample in group)
            {
                if (Backward(sample) is { } results)
                {
                    kept.Add((sample, results));
                }

                // One probe for all formats can run at once; of several, each is made once for all samples.
                if (batches.Count <= 1)
                {
                    Release(kept);
                }

                after(sample);
            }

            foreach (IReadOnlyList<ProbeCase> batch in kept.Count > 0 ? batches : [])
            {
                cancel.ThrowIfCancellationRequested();
                using FormatProbe one = FormatProbe.Create(batch, constants.Find, request.Threads, request.Preparations);
                foreach ((SampleState sample, RunResults results) in kept)
                {
                    Probe(one, sample, results.Tensors);
                }
            }
        }
        finally
        {
            Release(kept);
        }
    }

    public void Dispose()
    {
        if (probe.IsValueCreated)
        {
            probe.Value?.Dispose();
        }

        constants.Dispose();
    }

    private RunResults? Backward(SampleState sample)
    {
        if (segment.Program.Backward is not { } backward)
        {
            return null;
        }

        Dictionary<string, Tensor> inputs = sample.InputsOf(segment, backward, weights);
        sample.Seed(segment, segment.Program.Upstream, sample.Gradients, inputs);
        sample.Seed(segment, segment.Program.DrawnUpstream, sample.DrawnGradients, inputs);
        RunResults results = backward.RunInPlace(inputs, cancel);
        try
        {
            SampleState.Collect(segment, segment.Program.Upstream, sample.Gradients, results.Tensors);
            SampleState.Collect(segment, segment.Program.DrawnUpstream, sample.DrawnGradients, results.Tensors);
            AddTaylor(sample, results.Tensors);
            foreach ((LayerSite site, LayerProgram layer) in request.Observe is null ? [] : segment.Layers)
            {
                Tensor? drawn = layer.DrawnOutputGradient is null ? null : results.Tensors[layer.DrawnOutputGradient];
                request.Observe!(sample.Number, site, Value(layer.Input, sample, results.Tensors), results.Tensors[layer.OutputGradient!], drawn);
            }

            if (probe.Value is { } all)
            {
                Probe(all, sample, results.Tensors);
            }

            return results;
        }
        catch
        {
            results.Dispose();
            throw;
        }
    }

    private void Release(List<(SampleState Sample, RunResults Results)> kept)
    {
        foreach ((SampleState sample, RunResults results) in kept)
        {
            results.Dispose();
            sample.Release(segment);
        }

        kept.Clear();
    }

    private void AddTaylor(SampleState sample, IReadOnlyDictionary<string, Tensor> results)
    {
        foreach ((string operand, string name) in segment.Program.Taylor)
        {
            string original = segment.Originals[operand];
            Tensor value = Value(operand, sample, results), gradient = results[name];
            sample.Terms.AddOperand(original, value, gradient);
            Tensor? drawn = segment.Program.DrawnOperands.TryGetValue(operand, out string? drawnName) ? results[drawnName] : null;
            HeldValues.AddInput(sample.Terms, request.Readers[original], request.Formats, value, gradient, drawn);
            HeldValues.AddPooled(sample.Terms, request.Pools[original], request.Formats, value, gradient, drawn);
        }

        foreach ((LayerSite site, LayerProgram layer) in segment.Layers)
        {
            LayerTerms terms = sample.Terms.Of(site.Layer.Name);
            foreach ((string format, string name) in layer.ActivationNoise)
            {
                terms.AddTaylor(format, results[name].Values<float>()[0]);
            }

            foreach ((int weight, WeightSquares own) in squares.Value[site.Layer.Name].Index())
            {
                WeightSquares.Sums sums = own.Start();
                AddWeight(site, layer, weight, sample, results, own, sums);
                own.AddTo(terms, sums);
            }
        }
    }

    private void AddWeight(
        LayerSite site, LayerProgram layer, int weight, SampleState sample, IReadOnlyDictionary<string, Tensor> results, WeightSquares own, WeightSquares.Sums sums)
    {
        if (layer.WeightGradients.Count > 0)
        {
            own.Add(sums, results[layer.WeightGradients[weight]].Values<float>(), 0);
        }
        else if (site.IsEmbedding)
        {
            EmbeddingGradient.Add(site, Value(layer.Input, sample, results), results[layer.OutputGradient!], (gradient, row) => own.Add(sums, gradient, row));
        }
        else if (GroupedKernelGradient.Applies(site))
        {
            own.Add(sums, GroupedKernelGradient.Of(site, Value(layer.Input, sample, results), results[layer.OutputGradient!]), 0);
        }
        else
        {
            weightGradient.Add(site, Value(layer.Input, sample, results), results[layer.OutputGradient!], (gradient, first) => own.Add(sums, gradient, first), cancel);
        }
    }

    private void Probe(FormatProbe formats, SampleState sample, IReadOnlyDictionary<string, Tensor> results)
    {
        var values = segment.Layers.Where(l => l.Program.Output is not null).ToDictionary(l => l.Site.Layer.Name, l => new LayerValues(
            Value(l.Program.Input, sample, results),
            l.Program.Second is null ? null : Value(l.Program.Second, sample, results),
            Value(l.Program.Output!, sample, results),
            results[l.Program.OutputGradient!],
            l.Program.DrawnOutputGradient is null ? null : results[l.Program.DrawnOutputGradient])
        {
            Further = l.Program.Further.ToDictionary(f => segment.Originals[f], f => Value(f, sample, results)),
        });
        foreach ((LayerSite site, string format, double delta, double drawnDelta) in formats.Run(values, cancel))
        {
            sample.Terms.Of(site.Layer.Name).AddChange(format, delta, drawnDelta);
        }

        foreach ((LayerSite site, LayerProgram _) in segment.Layers.Where(l => l.Program.Output is not null))
        {
            if (site.Ranges?.Output is not null && HeldValues.AreJudged(site, request.Formats))
            {
                HeldValues.AddOutput(sample.Terms, site, values[site.Layer.Name], site.Inner is null ? null : Behind(site, results));
            }

            sample.Terms.Of(site.Layer.Name).Note(site, values[site.Layer.Name]);
        }
    }

    /// <summary>The gradients of what an activation behind a layer gives, over all its readers.</summary>
    private (Tensor Gradient, Tensor? Drawn) Behind(LayerSite site, IReadOnlyDictionary<string, Tensor> results)
    {
        string value = canonical.Value[site.RangesOf.Output!];
        return (results[segment.Program.Taylor[value]], segment.Program.DrawnOperands.TryGetValue(value, out string? drawn) ? results[drawn] : null);
    }

    private Tensor Value(string name, SampleState sample, IReadOnlyDictionary<string, Tensor> results) =>
        results.TryGetValue(name, out Tensor? value) ? value : sample.Values[segment.Originals[name]];

    private NumberFormat[] Applicable(LayerSite site) =>
        [.. request.Formats.Where(f => f != NumberFormats.Baseline && f.WhyNot(site) is null)];
}
