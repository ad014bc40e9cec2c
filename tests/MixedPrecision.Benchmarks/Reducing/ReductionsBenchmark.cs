using System.Collections.Concurrent;
using System.Diagnostics;
using Google.Protobuf;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;

namespace MixedPrecision.Benchmarks.Reducing;

/// <summary>Loss MSE of models whose layers are all in int8-static, as far as they may be, by how these are prepared; on samples that calibration has not seen, over that of plain rounding. The standard error is that of the ratio, over the same samples.</summary>
internal sealed class ReductionsBenchmark
{
    private static readonly string[] Matrices = ["docarea", "doclm"];

    private readonly string name;
    private readonly Materials materials;
    private readonly NumberFormat format;
    private readonly ConcurrentDictionary<string, LayerStatistics> statistics = new();

    private ReductionsBenchmark(string name, Materials materials)
    {
        (this.name, this.materials) = (name, materials);
        format = materials.Policy.Formats.Select(NumberFormats.Get).First(f => FormatId.Parse(f.Name).Family.Name == FormatFamilies.Int8Static);
        Workspace w = materials.Workspace;
        IReadOnlyList<Sample> samples = materials.Data.Calibration.Value;
        using var gram = new Gram(1);
        Calibrator.Run(
            new CalibrationRequest(w.Model, w.Partition, w.Types, w.Sites, [NumberFormats.Baseline], materials.ObservedLoss.Value, samples, materials.Machine.Threads)
            {
                Observe = (_, site, x, gradient, drawn) =>
                {
                    if (site.Layer.HasWeight && format.WhyNot(w.Sites[site.Layer.Name]) is null)
                    {
                        statistics.GetOrAdd(site.Layer.Name, _ => new LayerStatistics(w.Sites[site.Layer.Name], samples.Count)).Add(gram, x, drawn ?? gradient);
                    }
                },
            },
            _ => { },
            CancellationToken.None);
    }

    /// <param name="folder">As that of <see cref="ConvolutionsBenchmark"/>: models that are made are taken from there.</param>
    public static int Run(string folder, IReadOnlyList<string> names)
    {
        folder = Path.GetFullPath(folder);
        string models = Path.GetFullPath(Path.Combine(TargetsBenchmark.CheckoutFolder(), "..", "shared", "models"));
        IEnumerable<ShownPolicy> matrices = names.Intersect(Matrices).Any() ? ShownPolicies.OfModels(models, folder).Where(p => names.Contains(p.Name) && Matrices.Contains(p.Name)) : [];
        Console.WriteLine("| model | layers | preparation | loss error | loss MSE over that of rounding | seconds |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (ShownPolicy policy in matrices.Concat(names.All(Matrices.Contains) && names.Count > 0 ? [] : ConvolutionCases.Of(folder, names)))
        {
            Show(policy, Path.Combine(folder, "cache"));
        }

        return 0;
    }

    private static void Show(ShownPolicy policy, string cache)
    {
        RunOptions options = new(cache, null, _ => { }, _ => { }, CancellationToken.None);
        var runner = new StageRunner(new ContentStore(cache), new RunLog(options));
        using var materials = Materials.Open(policy.File, options, runner);
        Sensitivities found = Steps.Calibrate(materials, runner);
        var trial = new ReductionsBenchmark(policy.Name, materials);
        NumberFormat format = trial.format;
        double weights = found.Layers.Sum(l => l.Formats.GetValueOrDefault(format.Name)?.Measured ?? 0), values = found.Held.Sum(h => h.Rounding.Measured);
        Console.WriteLine($"| {policy.Name} | {trial.Plan(format).Count(p => p.Format == format)} | predicted, one by one: weights {Math.Sqrt(weights / found.MeanSquareLoss):0.000 %}, values {Math.Sqrt(values / found.MeanSquareLoss):0.000 %} | | | |");
        Console.WriteLine($"| {policy.Name} | | a forward pass for ranges, that with moments besides | | | {Observing(materials, []):0.0}, {Observing(materials, [.. materials.Workspace.Sites.Values.Where(s => format.WhyNot(s) is null).Select(s => s.MomentsOf).OfType<string>().Distinct()]):0.0} |");
        var reference = new Originals(materials);
        double[] rounded = trial.Rows(reference, "", null);
        Stopwatch watch = Stopwatch.StartNew();
        (ModelProto equalized, int count, int moved) = Equalized.Of(materials.Workspace, s => trial.statistics[s.Layer.Name]);
        if (moved == 0)
        {
            Console.WriteLine($"| {policy.Name} | | equalized: {moved} of {count} values move | | | |");
            return;
        }

        double seconds = watch.Elapsed.TotalSeconds;
        string file = Path.Combine(policy.Output, "equalized.onnx"), text = Path.Combine(Path.GetDirectoryName(policy.File)!, "equalized.policy.yaml");
        Directory.CreateDirectory(policy.Output);
        File.WriteAllBytes(file, equalized.ToByteArray());
        File.WriteAllLines(text, File.ReadLines(policy.File).Select(l => l.StartsWith("model:", StringComparison.Ordinal) ? $"model: {Path.GetRelativePath(Path.GetDirectoryName(text)!, file).Replace('\\', '/')}" : l));
        using var other = Materials.Open(text, options, runner);
        Steps.Calibrate(other, runner);
        new ReductionsBenchmark(policy.Name, other).Rows(reference, $"equalized ({moved} of {count}, {seconds:0.0} s), ", rounded);
    }

    /// <summary>Seconds of observing.</summary>
    private static double Observing(Materials materials, string[] values)
    {
        Workspace w = materials.Workspace;
        string[] ranges = [.. w.Sites.Values.SelectMany(s => new[] { s.RangesOf.Input, s.RangesOf.Output }).OfType<string>().Distinct()];
        long start = Stopwatch.GetTimestamp();
        Observer.Run(
            new ObservationRequest(w.Model, w.Partition, w.Types, w.Sites, values, materials.Data.Calibration.Value, materials.Machine.Threads) { Ranges = ranges }, (_, _) => { }, _ => { }, _ => { }, CancellationToken.None);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>A row for each preparation.</summary>
    /// <param name="rounded">The changes with plain rounding, or null: that is the first row.</param>
    private double[] Rows(Originals reference, string before, double[]? rounded)
    {
        foreach (Rounds how in Enum.GetValues<Rounds>())
        {
            NumberFormat made = Once(RoundedLayers.Of(format, how, s => statistics[s.Layer.Name]), out Func<double> seconds);
            (LayerSite Site, NumberFormat Format)[] plan = Plan(made);
            rounded = Print(reference, $"{before}{Text(how)}", rounded, () => Emitted(plan, null), seconds);
            if (how != Rounds.Weighted)
            {
                Print(reference, $"{before}{Text(how)}, weights alone", rounded, () => Emitted(Plan(RoundedLayers.WeightsAlone(made)), null), seconds);
                Print(reference, $"{before}{Text(how)}, means corrected for weights", rounded, () => Emitted(plan, false), seconds);
                Print(reference, $"{before}{Text(how)}, means corrected for both", rounded, () => Emitted(plan, true), seconds);
            }
        }

        return rounded!;
    }

    private static string Text(Rounds how) => how switch { Rounds.Nearest => "rounded", Rounds.Compensated => "GPTQ", _ => "GPTQ, gradients" };

    private double[] Print(Originals reference, string text, double[]? rounded, Func<ModelProto> emit, Func<double> seconds)
    {
        double[] changes = reference.Measure(emit());
        rounded ??= changes;
        double mean = rounded.Average(), ratio = changes.Average() / mean;
        double[] spread = [.. changes.Zip(rounded, (c, r) => (c - (ratio * r)) / mean)];
        double error = Math.Sqrt(spread.Average(v => v * v) / Math.Max(1, spread.Length - 1));
        Console.WriteLine($"| {name} | | {text} | {Math.Sqrt(changes.Average() / reference.MeanSquareLoss):0.000 %} | {ratio:0.00} ± {error:0.00} | {seconds():0.0} |");
        Console.Out.Flush();
        return rounded;
    }

    private (LayerSite Site, NumberFormat Format)[] Plan(NumberFormat chosen) =>
        [.. materials.Workspace.Partition.Layers.Select(l => materials.Workspace.Sites[l.Name]).Select(s => (s, s.Layer.HasWeight && statistics.ContainsKey(s.Layer.Name) && chosen.WhyNot(s) is null ? chosen : NumberFormats.Baseline))];

    /// <param name="isRounded">As <see cref="RoundedLayers.Correction"/>; null: no mean is corrected.</param>
    private ModelProto Emitted((LayerSite Site, NumberFormat Format)[] plan, bool? isRounded)
    {
        ModelProto model = materials.Workspace.Model.Proto.Clone();
        Dictionary<string, Tensor> added = [];
        if (isRounded is bool both)
        {
            plan = [.. plan.Select(p => p.Format.ReadsRanges && p.Site.Layer.Kind == LayerKind.Conv ? (Corrected(p.Site, p.Format), p.Format) : p)];

            LayerSite Corrected(LayerSite site, NumberFormat chosen)
            {
                Tensor weight = materials.Workspace.Weight(site.Layer.Weight);
                float[] change = RoundedLayers.Correction(site, weight, chosen.HeldWeight!(site, chosen.Prepare(site, weight)), statistics[site.Layer.Name], both);
                string bias = $"corrected/{site.Layer.Name}";
                Tensor values = Tensor.Of<float>([.. change.Select((c, i) => c + (site.Layer.Bias is string known ? materials.Workspace.Weight(known).Values<float>()[i] : 0))], change.Length);
                model.Graph.Initializer.Add(values.ToProto(bias));
                return site with { Layer = site.Layer with { Bias = bias } };
            }
        }

        LayerRewriter.Apply(model, plan, materials.Workspace.Weight);
        return model;
    }

    /// <summary>The format with constants that are prepared once for each layer.</summary>
    private static NumberFormat Once(NumberFormat chosen, out Func<double> seconds)
    {
        var made = new ConcurrentDictionary<string, IReadOnlyList<Tensor>>();
        double spent = 0;
        seconds = () => spent;
        return chosen with
        {
            Prepare = (site, weight) => made.GetOrAdd(site.Layer.Name, _ =>
            {
                long start = Stopwatch.GetTimestamp();
                IReadOnlyList<Tensor> constants = chosen.Prepare(site, weight);
                spent += Stopwatch.GetElapsedTime(start).TotalSeconds;
                return constants;
            }),
        };
    }

    /// <summary>What the original gives on samples that calibration has not seen.</summary>
    private sealed class Originals
    {
        private readonly LossFunction loss;
        private readonly SessionSettings settings;
        private readonly string? folder;
        private readonly (Sample Sample, IReadOnlyDictionary<string, Tensor> Outputs, LossTarget Target)[] samples;

        public Originals(Materials materials)
        {
            loss = materials.ObservedLoss.Value;
            settings = AppSession.Of(materials.Machine).ForSamples();
            folder = materials.Workspace.Model.Folder;
            using Session session = Session.Open(materials.Workspace.Path, settings);
            samples = [.. materials.Data.Evaluation.Value.Select((s, i) => session.Run(s.Inputs, loss.Outputs) is var outputs ? (s, outputs, loss.TargetOf(s, i, outputs)) : default)];
        }

        public double MeanSquareLoss => samples.Average(s => loss.SquareLoss(s.Outputs, s.Target));

        /// <summary>(g′ − g)² of each sample.</summary>
        public double[] Measure(ModelProto mixed)
        {
            using Session session = Session.Create(mixed, settings, folder);
            return [.. samples.Select(s => loss.Compare(s.Outputs, session.Run(s.Sample.Inputs, loss.Outputs), s.Target).SquareChange)];
        }
    }
}
