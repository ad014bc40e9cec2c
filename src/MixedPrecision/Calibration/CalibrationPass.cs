using System.Runtime.ExceptionServices;
using MixedPrecision.Diagnostics;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>
/// The passes over samples. A small model is one segment: several samples go through it at the same time, each on a thread of its own. A large one goes
/// segment by segment: forward, keeping the values that cross them (and operands and outputs of layers, where these fit into memory); then backward, each
/// segment with a gradient model that computes the rest anew. There samples go in groups, so that what is prepared for a segment serves many of them while the
/// values that are kept stay within <see cref="CalibrationMemory.Group"/>. Results do not depend on groups or threads.
/// </summary>
/// <param name="concurrency">Samples that may be under way at the same time, when the model is one segment.</param>
internal sealed class CalibrationPass(
    CalibrationRequest request, IReadOnlyList<SegmentInstance> segments, int concurrency, Action<CalibrationUpdate> report, CancellationToken cancel) : IDisposable
{
    /// <summary>Samples of a group: what a stopped calibration loses at most.</summary>
    private const int LargestGroup = 16;

    private readonly Lock gate = new();
    private readonly WeightGradient weightGradient = new(request.Threads, request.Memory.GradientTile);
    private CalibrationProgress progress = request.Resume ?? CalibrationProgress.Start(request.Sites.Keys);
    private long steps;

    public Sensitivities Run()
    {
        steps = (long)progress.Samples * 2 * segments.Count;
        if (segments is [{ } whole] && whole.Weights.Count == 0)
        {
            RunWhole(whole);
        }
        else
        {
            RunSegments();
        }

        return Result();
    }

    public void Dispose() => weightGradient.Dispose();

    private void RunWhole(SegmentInstance segment)
    {
        using var pass = new SegmentPass(request, segment, weightGradient, isWhole: true, cancel);
        int next = progress.Samples;
        var finished = new Dictionary<int, SampleTerms>();

        // Samples are added in their order, whichever is finished first.
        long RunOne(int number)
        {
            using var sample = new SampleState(number, request.Samples[number].Inputs);
            pass.Forward(sample);
            Step(sample);
            Seed(sample);
            long bytes = sample.Bytes;
            pass.Backward([sample], Step);
            AddInputs(sample);
            lock (gate)
            {
                finished.Add(number, sample.Terms);
                while (finished.Remove(progress.Samples, out SampleTerms? terms))
                {
                    Add(terms);
                    request.Save?.Invoke(progress);
                }
            }

            return bytes;
        }

        if (next >= request.Samples.Count)
        {
            return;
        }

        // The first sample goes alone and shows how much its values take.
        long bytes = RunOne(next++);
        int workers = (int)Math.Clamp(request.Memory.Group / Math.Max(bytes, 1), 1, concurrency);
        Exception? error = null;
        Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, _ =>
        {
            try
            {
                while (Volatile.Read(ref error) is null && Interlocked.Increment(ref next) - 1 is int number && number < request.Samples.Count)
                {
                    RunOne(number);
                }
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref error, e, null);
            }
        });
        if (error is not null)
        {
            ExceptionDispatchInfo.Throw(error);
        }
    }

    private void RunSegments()
    {
        int size = 1;
        while (progress.Samples < request.Samples.Count)
        {
            SampleState[] group = [.. Enumerable.Range(progress.Samples, Math.Min(size, request.Samples.Count - progress.Samples)).Select(i => new SampleState(i, request.Samples[i].Inputs))];
            try
            {
                foreach (SegmentInstance segment in segments)
                {
                    using SegmentPass pass = Pass(segment);
                    foreach (SampleState sample in group)
                    {
                        pass.Forward(sample);
                        Step(sample);
                    }
                }

                // The first sample goes alone and shows how much its values take.
                foreach (SampleState sample in group)
                {
                    Seed(sample);
                    sample.ReleaseUnread(segments[^1]);
                }

                size = (int)Math.Clamp(request.Memory.Group / Math.Max(group.Max(s => s.Bytes), 1), 1, LargestGroup);
                foreach (SegmentInstance segment in segments.Reverse())
                {
                    using SegmentPass pass = Pass(segment);
                    pass.Backward(group, Step);
                }

                foreach (SampleState sample in group)
                {
                    AddInputs(sample);
                    Add(sample.Terms);
                }
            }
            finally
            {
                Array.ForEach(group, s => s.Dispose());
            }

            request.Save?.Invoke(progress);
        }

        SegmentPass Pass(SegmentInstance segment) => new(request, segment, weightGradient, isWhole: false, cancel);
    }

    private void Add(SampleTerms terms) => progress = progress.Add(terms, request.Samples[progress.Samples].Place.ToString());

    /// <summary>The gradients of the loss by the outputs it reads: for the labels, and for labels drawn from the model.</summary>
    private void Seed(SampleState sample)
    {
        IReadOnlyDictionary<string, Tensor> outputs = request.Loss.Outputs.ToDictionary(o => o, o => sample.Values[o]);
        LossTarget target = request.Loss.TargetOf(request.Samples[sample.Number], sample.Number, outputs);
        sample.Terms.SquareLoss = request.Loss.SquareLoss(outputs, target);
        foreach ((string output, Tensor gradient) in request.Loss.ValueAndGradients(outputs, target).Gradients)
        {
            sample.Gradients[output] = gradient;
            sample.Terms.IsFinite &= NonFinite.In(gradient) is null;
        }

        sample.Terms.IsFinite &= double.IsFinite(sample.Terms.SquareLoss);
        if (!request.TakesRise)
        {
            return;
        }

        foreach ((string output, Tensor gradient) in request.Loss.DrawnGradients(outputs, target))
        {
            sample.DrawnGradients[output] = gradient;
            sample.Terms.IsFinite &= NonFinite.In(gradient) is null;
        }
    }

    /// <summary>‖x ⊙ ẋ‖² of inputs of the model that layers read: their gradients are complete only when all segments have added theirs.</summary>
    private void AddInputs(SampleState sample)
    {
        foreach (string input in request.Samples[sample.Number].Inputs.Keys)
        {
            if (sample.Gradients.TryGetValue(input, out Tensor? gradient))
            {
                sample.Terms.AddOperand(input, sample.Values[input], gradient);
                HeldValues.AddInput(sample.Terms, request.Readers[input], request.Formats, sample.Values[input], gradient, sample.DrawnGradients.GetValueOrDefault(input));
            }
        }
    }

    private Sensitivities Result()
    {
        int samples = progress.SquareLosses.Count;
        if (samples == 0)
        {
            throw Errors.LossNeverFinite(request.Samples[0].Place, request.Samples.Count);
        }

        HashSet<string> reachable = [.. segments.SelectMany(p => p.Layers).Select(l => l.Site.Layer.Name)];
        return new Sensitivities(request.Loss.Name, samples, progress.SquareLosses.Average(), [.. request.Partition.Layers.Select(l => progress.Layers[l.Name].Result(
            l.Name,
            reachable.Contains(l.Name),
            samples,
            progress.Operands.GetValueOrDefault(l.Input) / samples,
            l.HasWeight ? null : progress.Operands.GetValueOrDefault(l.Weight) / samples,
            request.Sites[l.Name].Fault ?? progress.OperandFaults.GetValueOrDefault(l.Input) ?? progress.OperandFaults.GetValueOrDefault(l.Weight)))])
        {
            Held = HeldValues.Of(request.Partition.Layers.Where(l => reachable.Contains(l.Name)).Select(l => request.Sites[l.Name]), (layer, rounded) => progress.Layers[layer].Of(rounded, samples)),
            SquareLosses = progress.SquareLosses,
            NotFinite = progress.NotFinite,
        };
    }

    private void Step(SampleState sample)
    {
        cancel.ThrowIfCancellationRequested();
        lock (gate)
        {
            report(new CalibrationUpdate(sample.Number, ++steps / (2.0 * segments.Count * request.Samples.Count)));
        }
    }
}
