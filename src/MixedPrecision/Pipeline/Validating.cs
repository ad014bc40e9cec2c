using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Structures;
using MixedPrecision.Validation;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>How much is measured.</summary>
/// <param name="Plans">Random plans that loss and time are predicted of.</param>
/// <param name="Budgets">Budgets from nothing to everything.</param>
/// <param name="Seeds">Random orders at each budget.</param>
/// <param name="Layers">Layers whose error is scaled.</param>
/// <param name="Samples">Samples that calibration has not seen.</param>
/// <param name="Timing">How exactly whole models are timed.</param>
internal sealed record ExperimentSizes(int Plans, int Budgets, int Seeds, int Layers, int Samples, TimingSettings Timing)
{
    public static readonly ExperimentSizes Default = new(Plans: 32, Budgets: 16, Seeds: 32, Layers: 4, Samples: 512, TimingSettings.Trial);
}

/// <summary>What the experiments measured, each as its points.</summary>
/// <param name="MeanSquareLoss">E[g²] of the calibration samples.</param>
/// <param name="Report">The same in numbers.</param>
internal sealed record Experiments(
    IReadOnlyList<LossPoint> Loss, IReadOnlyList<TimePoint> Time, IReadOnlyList<ChoicePoint> Choice, IReadOnlyList<RangePoint> Range, double MeanSquareLoss, ValidateReport Report);

/// <summary>
/// The experiments on a model, by the stages that make and measure what ships: whether predictions of loss and time hold for random plans, what choosing by them is worth, and where the prediction of the loss ends.
/// </summary>
internal sealed class Validating
{
    private readonly Materials materials;
    private readonly StageRunner runner;
    private readonly StageRunner quiet;
    private readonly ExperimentSizes sizes;
    private readonly string folder;
    private readonly Trials trials;

    /// <param name="folder">Where files are made that are measured; they do not stay.</param>
    public Validating(Materials materials, StageRunner runner, RunOptions options, ExperimentSizes sizes, string folder)
    {
        (this.materials, this.runner, this.sizes, this.folder) = (materials, runner, sizes, folder);
        quiet = new StageRunner(runner.Store, new RunLog(options with { Progress = _ => { } }));
        trials = new Trials(materials, quiet, folder, sizes);
    }

    private Workspace Workspace => materials.Workspace;

    /// <exception cref="MixedPrecisionException">MPB7003: no layer has a format to choose.</exception>
    public Experiments Run()
    {
        RequireChoice(materials.Allowed, "no layer has a format to choose");
        Sensitivities sensitivities = Steps.CheckAndCalibrate(materials, runner);
        IReadOnlyDictionary<string, LayerOptions> allowed = Choices.Judged(materials.Policy, materials.Allowed, sensitivities);
        RequireChoice(allowed, "no layer could be judged");
        var measuring = new Measuring(materials, runner);
        (PlanningInput input, Gains gains) = Steps.Begin(materials, measuring, Steps.Input(materials, allowed, sensitivities));

        IReadOnlyList<IReadOnlyList<Configuration>> plans = RandomPlans.Draw(input.Problem(gains, 0), sizes.Plans);
        gains = measuring.Add(gains, [.. plans.SelectMany(p => Unknown(input, gains, p)).Distinct()]);
        IReadOnlyList<Trial> measured = runner.Timed("loss and time", report => trials.Measure(plans, onCalibration: true, report));
        SolverProblem problem = input.Problem(gains, 0);
        Gains alone = gains.With(surpluses: []);
        Gains whole = measuring.AddSurpluses(input, alone, ofAll: true);
        LossPoint[] loss = [.. plans.Zip(measured, (plan, trial) => new LossPoint(
            trial.Number, Changed(plan), TaylorOf(input, plan), Strategies.Of(problem, plan).Loss, trial.OnCalibration!.LossMse, trial.Loss!.LossMse))];
        // What is saved is a share of the time of the whole: sub-graphs, each run by itself, have the cost of a run more.
        double milliseconds = Fit.Median(measured.Select(t => t.OriginalMilliseconds)) ?? gains.OriginalMilliseconds;
        TimePoint[] time = [.. plans.Zip(measured, (plan, trial) => new TimePoint(
            trial.Number,
            Changed(plan),
            whole.Sum(input.Partition, plan).Centre / milliseconds,
            alone.Sum(input.Partition, plan).Centre / milliseconds,
            AloneOf(input, alone, plan) / milliseconds,
            trial.Gain.Centre,
            trial.Gain.Low,
            trial.Gain.High,
            trial.OriginalMilliseconds))];
        (IReadOnlyList<ChoicePoint> choice, IReadOnlyList<double> budgets) = new StrategyTrials(materials, runner, quiet, trials, sizes).Run(input, gains);
        IReadOnlyList<RangePoint> range = runner.Timed("range", report => Scale(problem, sensitivities, report));

        LossChange? unseen = measured is [var first, ..] ? first.Loss : null;
        return new Experiments(loss, time, choice, range, sensitivities.MeanSquareLoss, new ValidateReport(
            Reports.Model(Workspace),
            materials.Machine,
            LossExperiment.Summarize(loss, sensitivities.Samples, unseen?.Samples ?? 0, sensitivities.MeanSquareLoss, unseen?.MeanSquareLoss ?? 0),
            TimeExperiment.Summarize(time, gains.OriginalMilliseconds, milliseconds),
            ChoiceExperiment.Summarize(choice, budgets),
            RangeExperiment.Summarize(range, sensitivities.MeanSquareLoss),
            [.. Workspace.Notes, .. runner.Log.Warnings.Concat(quiet.Log.Warnings).Select(w => w.Message).Distinct()]));
    }

    private void RequireChoice(IReadOnlyDictionary<string, LayerOptions> allowed, string why)
    {
        if (!Choices.Any(materials, allowed))
        {
            throw Errors.NothingToValidate(materials.Policy.Model, why);
        }
    }

    /// <summary>Configurations of a plan that were not timed, of all sub-graphs that are equal to those which have them.</summary>
    private static IEnumerable<SubgraphConfiguration> Unknown(PlanningInput input, Gains gains, IReadOnlyList<Configuration> plan) => input.Partition.Subgraphs
        .Select(s => new SubgraphConfiguration(s, plan[s.Index])).Where(c => c.Configuration.Changes(Problems.Baseline)).SelectMany(input.OfEqual).Where(c => !gains.Knows(c));

    private static int Changed(IReadOnlyList<Configuration> plan) => plan.Sum(c => c.Formats.Count(f => f != Problems.Baseline));

    /// <summary>Milliseconds that the layers of a plan gain, each by itself.</summary>
    private static double AloneOf(PlanningInput input, Gains gains, IReadOnlyList<Configuration> plan) => input.Partition.Subgraphs.Sum(s => plan[s.Index].Formats
        .Select((format, layer) => format == Problems.Baseline ? 0 : gains.Find(Problems.Alone(s, layer, format))?.Centre ?? 0).Sum());

    /// <summary>The sum of the taylor sensitivities of a plan, of values that are rounded for some layer of it too.</summary>
    private static double TaylorOf(PlanningInput input, IReadOnlyList<Configuration> plan)
    {
        var layers = input.Sensitivities.Layers.ToDictionary(l => l.Name);
        (string Layer, string Format)[] formats = [.. input.Partition.Subgraphs.SelectMany(s => s.Layers.Zip(plan[s.Index].Formats, (layer, format) => (layer.Name, format)))];
        HashSet<string> holding = [.. formats.Where(f => NumberFormats.Get(f.Format).ReadsRanges).Select(f => f.Layer)];
        return formats.Sum(f => layers[f.Layer].Formats.GetValueOrDefault(f.Format)?.Taylor ?? 0)
            + input.Sensitivities.Held.Where(h => h.Layers.Any(holding.Contains)).Sum(h => h.Rounding.Taylor);
    }

    /// <summary>The error of some layers scaled up, from the most sensitive to the least, each in the format that it is least sensitive to.</summary>
    private List<RangePoint> Scale(SolverProblem problem, Sensitivities sensitivities, Action<double, string> report)
    {
        var offered = problem.Subgraphs.SelectMany(s => s.Layers).ToDictionary(l => l.Name, l => l.Choices.Select(c => c.Format).ToHashSet());
        (LayerSensitivity Layer, string Format, FormatSensitivity Of)[] candidates =
        [
            .. sensitivities.Layers.Where(l => l.Reason is null)
                .Select(l => (Layer: l, Least: l.Formats.Where(f => f.Value.Measured > 0 && offered[l.Name].Contains(f.Key)).OrderBy(f => f.Value.Measured).FirstOrDefault()))
                .Where(l => l.Least.Key is not null)
                .Select(l => (l.Layer, l.Least.Key, l.Least.Value))
                .OrderByDescending(l => l.Value.Measured),
        ];
        int count = Math.Min(sizes.Layers, candidates.Length);
        var points = new List<RangePoint>();
        for (int i = 0; i < count; i++)
        {
            (LayerSensitivity layer, string format, FormatSensitivity sensitivity) = candidates[count == 1 ? 0 : i * (candidates.Length - 1) / (count - 1)];
            IReadOnlyList<double> factors = RangeExperiment.Factors(sensitivity.Measured, sensitivity.Rise, sensitivities.MeanSquareLoss);
            for (int step = 0; step < factors.Count; step++)
            {
                report((i + ((double)step / factors.Count)) / count, $"layer {i + 1} of {count}");
                double factor = factors[step], measured = Measure(layer.Name, format, factor);
                if (!double.IsFinite(measured))
                {
                    break;
                }

                points.Add(new RangePoint(layer.Name, format, factor, factor * factor * sensitivity.Measured, RangeExperiment.Predicted(sensitivity.Measured, sensitivity.Rise, factor), measured));
            }
        }

        return points;
    }

    /// <summary>The loss MSE, on calibration samples, with the error of one layer times a factor.</summary>
    private double Measure(string layer, string format, double factor)
    {
        string own = Directory.CreateDirectory(Path.Combine(folder, "scaled")).FullName;
        ModelProto scaled = ScaledError.Emit(Workspace.Model, Workspace.Sites[layer], NumberFormats.Get(format), factor, Workspace.Weight, materials.Preparations);
        double measured = trials.LossOf(new EmittedModel(Quantizer.Save(Workspace.Model, scaled, Path.Combine(own, "scaled.onnx"))), materials.Data.Calibration).LossMse;
        Directory.Delete(own, recursive: true);
        return measured;
    }
}
