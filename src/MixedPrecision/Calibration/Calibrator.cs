using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;

namespace MixedPrecision.Calibration;

/// <summary>All that calibration reads.</summary>
/// <param name="Sites">Every layer of the partition, by name.</param>
/// <param name="Formats">The formats to judge, no name twice; the baseline may be among them.</param>
/// <param name="Threads">Threads within an operator; 0 leaves the choice to ONNX Runtime.</param>
/// <param name="Resume">Where an earlier run of the same calibration stopped, or null.</param>
/// <param name="Save">Given the progress after every group of samples, to resume from.</param>
public sealed record CalibrationRequest(
    OnnxModel Model,
    Partition Partition,
    IReadOnlyDictionary<string, TensorType> Types,
    IReadOnlyDictionary<string, LayerSite> Sites,
    IReadOnlyList<NumberFormat> Formats,
    LossFunction Loss,
    IReadOnlyList<Sample> Samples,
    int Threads,
    CalibrationProgress? Resume = null,
    Action<CalibrationProgress>? Save = null)
{
    /// <summary>Whether layers that no gradient reaches are judged by <see cref="ForwardDifferences"/>.</summary>
    public bool MeasuresUnreached { get; init; }

    /// <summary>Where constants that formats prepare from weights are kept, or null.</summary>
    public Preparations? Preparations { get; init; }

    /// <summary>Told, by several threads, of a sample's number and what a layer had in it: operand, gradient of its result, and the same for labels drawn from the model.</summary>
    internal Action<int, LayerSite, Tensor, Tensor, Tensor?>? Observe { get; init; }

    /// <summary>By value, the layers that read it as their activation.</summary>
    internal ILookup<string, LayerSite> Readers { get; init; } = Sites.Values.ToLookup(s => s.Layer.Input);

    /// <summary>By value, the layers that hold it since they read what is pooled of it.</summary>
    internal ILookup<string, LayerSite> Pools { get; init; } = Sites.Values.Where(s => s.Pooled is not null).ToLookup(s => s.Pooled!);

    /// <summary>How much memory is taken to save time.</summary>
    internal CalibrationMemory Memory { get; init; } = CalibrationMemory.Default;

    /// <summary>Whether labels are drawn from the model too: only the change that a format makes has a rise.</summary>
    internal bool TakesRise => Loss.HasCurvature && (Observe is not null || Formats.Any(f => f != NumberFormats.Baseline));
}

/// <summary>How far a calibration is.</summary>
/// <param name="Sample">Number of the sample that is under way, from 0.</param>
/// <param name="Fraction">Part of all work that is done.</param>
public readonly record struct CalibrationUpdate(int Sample, double Fraction);

/// <summary>Values that calibration takes gradients of.</summary>
/// <param name="Wanted">Values that depend on a layer, and operands of layers.</param>
/// <param name="Operands">Activations that layers read.</param>
/// <param name="Held">Those of them that layers may hold in ranges known beforehand.</param>
/// <param name="Hidden">Values whose gradient cannot be told: see <see cref="GradientLimits"/>.</param>
internal sealed record GradientValues(IReadOnlySet<string> Wanted, IReadOnlySet<string> Operands, IReadOnlySet<string> Held, IReadOnlySet<string> Hidden);

/// <summary>Sensitivities by one forward and one backward pass a sample (paper, section 3), segment by segment.</summary>
public static class Calibrator
{
    /// <summary>Samples of a small model that are under way at the same time, at most.</summary>
    private const int MostConcurrent = 16;

    /// <summary>Samples that should fit into a group before operands and outputs of layers are kept.</summary>
    private const int FewSamples = 8;

    /// <exception cref="MixedPrecisionException">MPB4xxx: the model cannot be differentiated, data and loss do not fit it, or the loss is a number on no sample.</exception>
    public static Sensitivities Run(CalibrationRequest request, Action<CalibrationUpdate> report, CancellationToken cancel)
    {
        CalibrationRequest original = request;

        // Half precision is calibrated in float.
        request = request with { Sites = request.Sites.ToDictionary(s => s.Key, s => s.Value with { Input = HalfPrecision.Widen(s.Value.Input), Weight = HalfPrecision.Widen(s.Value.Weight) }) };
        IReadOnlyDictionary<string, TensorType> types = SampleShapes.Types(request.Model, request.Types, request.Samples);
        bool isSmall = Segment.ModelBytes(request.Model, request.Partition.View, types) <= request.Memory.WholeModel;
        if (isSmall)
        {
            types = SampleShapes.Observe(request.Model, types, request.Samples, cancel);
        }

        // Samples beside each other keep all threads busy even where operators are too small to be divided.
        int threads = request.Threads > 0 ? request.Threads : Environment.ProcessorCount;
        int concurrency = isSmall ? Math.Min(Math.Min(threads, request.Samples.Count), MostConcurrent) : 1;
        request = request with { Threads = threads / concurrency };

        GradientLimits limits = GradientLimits.Of(request.Model, types, request.Loss.Outputs);
        if (!request.MeasuresUnreached && request.Partition.Layers.All(l => l.Outputs.Any(limits.Hidden.Contains)) && limits.Operators.Count > 0)
        {
            throw Errors.NoLayerReached(request.Model.DisplayName, limits.Operators);
        }

        HashSet<string> operands = [.. request.Partition.Layers.Where(l => l.Kind != LayerKind.Embedding).SelectMany(l => l.HasWeight ? new[] { l.Input } : [l.Input, l.Weight])];
        HashSet<string> wanted = DependentOnLayers(request.Partition);
        LayerSite[] judged = [.. request.Sites.Values.Where(s => HeldValues.AreJudged(s, request.Formats))];
        string[] swishes = [.. judged.Where(s => s.Inner is not null).Select(s => s.RangesOf.Output!)];
        operands.UnionWith(judged.Where(s => s.Ranges!.Pooled is not null).Select(s => s.Pooled!).Concat(swishes));
        wanted.UnionWith(operands);
        wanted.ExceptWith(limits.Hidden);
        operands.ExceptWith(limits.Hidden);
        HashSet<string> held = [.. judged.SelectMany(s => new[] { s.Layer.Input, s.Pooled }).OfType<string>(), .. swishes];
        held.IntersectWith(operands);
        long kept = operands.Concat(request.Partition.Layers.SelectMany(l => l.Outputs.Concat(l.Further))).Distinct().Sum(v => SampleShapes.Bytes(types.GetValueOrDefault(v), request.Samples));

        // Rounding large weights to other formats takes longer than computing values twice: then it is better to have several samples in a group.
        bool keepsValues = kept <= request.Memory.KeptValues && (isSmall || request.Formats.All(f => f == NumberFormats.Baseline) || kept * FewSamples <= request.Memory.Group);
        using var programs = new SegmentPrograms(request, types, new GradientValues(wanted, operands, held, limits.Hidden), keepsValues);
        var segments = new List<SegmentInstance>();
        foreach (Segment segment in Segment.Of(request.Partition, request.Sites, isSmall))
        {
            cancel.ThrowIfCancellationRequested();
            segments.Add(programs.Get(segment));
        }

        using var pass = new CalibrationPass(request, segments, concurrency, report, cancel);
        Sensitivities found = pass.Run();
        Layer[] hidden = [.. request.Partition.Layers.Where(l => l.Outputs.Any(limits.Hidden.Contains))];
        if (request.MeasuresUnreached && hidden.Length > 0)
        {
            IReadOnlyDictionary<string, LayerSensitivity> measured = ForwardDifferences.Measure(
                original, hidden, found.NotFinite, fraction => report(new CalibrationUpdate(request.Samples.Count - 1, fraction)), cancel);
            found = found with { Layers = [.. found.Layers.Select(l => measured.GetValueOrDefault(l.Name, l))] };
        }

        return found with { Notes = request.Loss.Notes, Warnings = Warnings(request, found) };
    }

    /// <summary>What a user has to know of samples and layers that do not count.</summary>
    private static Diagnostic[] Warnings(CalibrationRequest request, Sensitivities found)
    {
        // Of a layer that no format suits anyway there is nothing to say.
        bool HasChoice(LayerSite site) => site.Fault is not null || request.Formats.Any(f => f != NumberFormats.Baseline && f.WhyNot(site) is null);
        (string Layer, string Reason)[] Of(params LayerState[] states) =>
            [.. found.Layers.Where(l => states.Contains(l.State) && HasChoice(request.Sites[l.Name])).Select(l => (l.Name, l.Reason!))];
        (string Layer, string Reason)[] notFinite = Of(LayerState.NotFinite), unseen = Of(LayerState.ReadsZeros, LayerState.NoGradient);
        return
        [
            .. found.NotFinite.Count == 0 ? [] : new[] { Errors.LossNotFinite(request.Samples[found.NotFinite[0]].Place, found.NotFinite.Count, request.Samples.Count) },
            .. notFinite.Length == 0 ? [] : new[] { Errors.LayersNotFinite(request.Model.DisplayName, notFinite) },
            .. unseen.Length == 0 ? [] : new[] { Errors.LayersNotSeen(request.Model.DisplayName, unseen) },
        ];
    }

    /// <summary>The values that depend on the output of some layer: through them gradients flow back to layers.</summary>
    private static HashSet<string> DependentOnLayers(Partition partition)
    {
        GraphView view = partition.View;
        HashSet<int> layers = [.. partition.Layers.Select(l => l.Node)];
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
}
