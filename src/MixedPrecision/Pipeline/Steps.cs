using System.Runtime.CompilerServices;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>What layers may take and what calibration found of them: the same for every plan of a policy.</summary>
/// <param name="Allowed">By layer, the formats it may take.</param>
/// <param name="Sensitivities">Null where nothing was calibrated.</param>
/// <param name="WhyNone">Why there is nothing to choose; null where there is.</param>
internal sealed record Judgement(IReadOnlyDictionary<string, LayerOptions> Allowed, Sensitivities? Sensitivities, string? WhyNone);

/// <summary>Stages as verbs ask for them: their inputs taken from the materials, and what there is to say of their artifacts.</summary>
internal static class Steps
{
    private static readonly ConditionalWeakTable<LossModel, CacheKey> Losses = [];

    /// <summary>What plans are made of.</summary>
    public static PlanningInput Input(Materials materials, IReadOnlyDictionary<string, LayerOptions> allowed, Sensitivities sensitivities) =>
        new(materials.Workspace.Partition, allowed, sensitivities)
        {
            Size = FileSize.Of(materials, allowed),
            SharedFormats = [.. SharingLayers.Of(materials.Policy.Layers, [.. materials.Workspace.Partition.Layers.Select(l => l.Name)]).Select(group => group.Layers)],
            Structures = s => Choices.Structures(materials.Policy, materials.Workspace, allowed, s),
            IsClosed = materials.Profile is not null && materials.Policy.Objective == Objective.Time,
            Doubt = SampleDoubt.DeviationsOf(materials.Policy.Calibration.Confidence) is > 0 and double deviations && sensitivities.Samples > 1 ? new SampleDoubt(deviations, [.. sensitivities.SquareLosses]) : null,
        };

    /// <summary>What planning asks of the rest.</summary>
    public static PlanningSteps Planning(StageRunner runner, Measuring measuring, Func<Plan, LossChange> evaluate) => new(
        problem => Solve(runner, problem), measuring.Add, measuring.Compare, evaluate, text => runner.Log.Say(Stages.Evaluate.Name, text), measuring.IsOver)
    {
        AsOne = make => runner.Log.AsOne(Stages.Solve.Name, make),
    };

    /// <summary>The same where plans are made and not emitted.</summary>
    public static PlanningSteps Planning(StageRunner runner, Measuring measuring) =>
        Planning(runner, measuring, _ => throw new InvalidOperationException("nothing is emitted here"));

    /// <summary>What plans are made of, with the gains that are measured first and what counts as one.</summary>
    public static (PlanningInput Input, Gains Gains) Begin(Materials materials, Measuring measuring, PlanningInput input)
    {
        Gains gains = measuring.Add(Gains.Empty, Measuring.First(input.Partition, input.Allowed, input.Structures));
        gains = measuring.AddSurpluses(input, gains);
        return (Problems.Running(input with { Floor = new GainFloor(materials.Policy.MinimumGain, measuring.Total(gains), input.Choosing) }, gains), gains);
    }

    /// <summary>Whatever does not depend on the scenarios: data and model checked, layers calibrated and judged.</summary>
    public static Judgement Judge(Materials materials, StageRunner runner)
    {
        if (!Choices.Any(materials, materials.Allowed))
        {
            return new Judgement(materials.Allowed, null, "no layer has a format to choose");
        }

        Sensitivities sensitivities = CheckAndCalibrate(materials, runner);
        IReadOnlyDictionary<string, LayerOptions> allowed = Choices.Judged(materials.Policy, materials.Allowed, sensitivities);
        return new Judgement(allowed, sensitivities, Choices.Any(materials, allowed) ? null : "no layer could be judged");
    }

    /// <summary>The sensitivities of all layers, once data and model are found fit for it.</summary>
    public static Sensitivities CheckAndCalibrate(Materials materials, StageRunner runner)
    {
        CheckData(materials, runner);
        CheckRepeatable(materials, runner);
        if (materials.Policy.Objective == Objective.Time)
        {
            Workspace workspace = materials.Workspace;
            workspace.TakeStructures(runner.Get(Stages.Structures, new StructuresInput(
                Shipment.ModelOf(workspace), [.. workspace.SeenTypes.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => $"{t.Key}: {t.Value}")], [.. KnownStructures.All.Select(s => $"{s.Name} {s.Version}")])));
        }

        return Calibrate(materials, runner);
    }

    /// <summary>The sensitivities of all layers.</summary>
    /// <exception cref="MixedPrecisionException">MPB1014: the budget is of a kind that the loss cannot tell.</exception>
    public static Sensitivities Calibrate(Materials materials, StageRunner runner)
    {
        string[] known = [.. materials.Workspace.Notes, .. materials.Loss.Value.Notes];
        foreach (string note in known)
        {
            runner.Log.Say(Stages.Calibrate.Name, note);
        }

        Observations observed = Observe(materials, runner);
        Sensitivities found = runner.Get(Stages.Calibrate, new CalibrateInput(
            Shipment.ModelOf(materials.Workspace),
            materials.Data.Calibration,
            materials.ObservedLoss,
            [.. materials.Policy.Formats.Select(NumberFormats.Get).Where(f => Choices.Runs(f, materials.Strictest)).Select(FormatVersion.Of)],
            observed,
            materials.Policy.Calibration.MeasuresUnreached,
            Kernels.Of(materials.Machine),
            materials.Machine.Threads,
            materials.Preparations));
        materials.Workspace.Hold(found.Held);
        foreach (string note in found.Notes.Except(known))
        {
            runner.Log.Say(Stages.Calibrate.Name, note);
        }

        foreach (Diagnostic warning in found.Warnings)
        {
            runner.Log.Warn(warning);
        }

        string[] unreached = [.. found.Layers.Where(l => !l.Reachable).Select(l => l.Name)];
        if (unreached.Length > 0)
        {
            string[] gaps = [.. Reports.Gaps(materials.Workspace).Select(g => $"{g.Operator} ('{g.Nodes[0]}'): {g.Reason}")];
            runner.Log.Warn(Errors.LayersNotReached(materials.Policy.Model, unreached, gaps));
        }

        return found;
    }

    /// <summary>Gives the model's layers what calibration data show of what they read and give, as far as formats that they may take need it.</summary>
    public static Observations Observe(Materials materials, StageRunner runner)
    {
        Workspace workspace = materials.Workspace;
        string[] values = [.. Taking(f => f.ReadsMoments).Select(s => s.MomentsOf).OfType<string>().Distinct()];
        string[] ranges = [.. Taking(f => f.ReadsRanges).SelectMany(s => new[] { s.RangesOf.Input, s.RangesOf.Output, s.Pooled, s.Inner }).OfType<string>().Distinct()];
        if (values.Length + ranges.Length == 0)
        {
            return new Observations([], []);
        }

        var store = new MomentStore(runner.Store, damage => runner.Log.WarnOfDamage(MomentStore.Stage, damage));
        var input = new ObserveInput(
            Shipment.ModelOf(workspace), materials.Data.Calibration, values, ranges, Kernels.Of(materials.Machine), materials.Machine.Threads, store);
        Observations found = runner.Get(Stages.Observe, input);
        var again = new Lazy<Observations>(() =>
            runner.Timed(Stages.Observe.Name, report => Stages.Observe.Run(input, new StageContext(report, null, _ => { }, runner.Log.Cancel))));
        workspace.Observe(found.Moments.ToDictionary(f => f.Value, f => store.Get(f, () => _ = again.Value)), found.Ranges.ToDictionary(r => r.Value, r => r.Range));
        return found;

        IEnumerable<LayerSite> Taking(Func<NumberFormat, bool> reads) => workspace.Partition.Layers.Select(l => workspace.Sites[l.Name])
            .Where(s => materials.Allowed[s.Layer.Name].Formats.Any(f => reads(NumberFormats.Get(f))));
    }

    /// <summary>The plan of greatest gain of a program.</summary>
    public static Plan Solve(StageRunner runner, SolverProblem problem) => runner.Get(Stages.Solve, InputOf(problem));

    /// <summary>The plans of greatest gain at all budgets, as far as what was measured tells; nothing further is.</summary>
    /// <param name="budgets">Loss MSEs whose plans are to be among them: each is solved by itself, so that another budget finds the rest known.</param>
    public static IReadOnlyList<Plan> Frontier(StageRunner runner, PlanningInput input, Gains gains, IReadOnlyList<double> budgets)
    {
        SolverProblem problem = input.Problem(gains, lossBudget: 0);
        double step = Planner.Gap * (input.Floor.Total > 0 ? input.Floor.Total : 1);
        return runner.Log.AsOne(
            Stages.Trace.Name,
            () => Solving.Frontier.With(runner.Get(Stages.Trace, new TraceInput(ContentOf(problem), step)), budgets.Select(budget => Solve(runner, problem with { LossBudget = budget }))),
            plans => ReportText.Count(plans.Count, "plan"));
    }

    /// <summary>By plan, the relative loss error of its file on evaluation samples; null where none was ever emitted and measured.</summary>
    public static Func<Plan, double?> Verified(Materials materials, StageRunner runner)
    {
        Content<Workspace> model = Shipment.ModelOf(materials.Workspace);
        return plan => Emission.Find(runner, model, plan.Configurations, Delivery.NameOf(materials.Policy), materials.IsApart) is { } files
            ? runner.Find(Stages.Evaluate, EvaluationOf(materials, files))?.RelativeLossError : null;
    }

    /// <summary>The change of the loss from the original to an emitted file.</summary>
    /// <param name="samples">Null: those that calibration did not see.</param>
    public static LossChange Evaluate(Materials materials, StageRunner runner, EmittedModel files, Content<IReadOnlyList<Sample>>? samples = null)
    {
        LossChange loss = runner.Get(Stages.Evaluate, EvaluationOf(materials, files, samples));
        foreach (Diagnostic warning in loss.Warnings)
        {
            runner.Log.Warn(warning);
        }

        return loss;
    }

    /// <summary>What there is to measure of an emitted file's loss.</summary>
    public static EvaluateInput EvaluationOf(Materials materials, EmittedModel files, Content<IReadOnlyList<Sample>>? samples = null) => new(
        Shipment.PathOf(materials.Workspace), files.Content, samples ?? materials.Data.Evaluation, materials.ObservedLoss, Kernels.Of(materials.Machine), AppSession.Of(materials.Machine), []);

    /// <summary>Simpler ways to choose, by the same program.</summary>
    public static IReadOnlyList<NamedPlan> Strategies(StageRunner runner, SolverProblem problem) => runner.Get(Stages.Compete, InputOf(problem));

    /// <summary>MPB5007, where the profile lacks some of what was asked for.</summary>
    public static void WarnOfMissing(Materials materials, StageRunner runner, Measuring measuring)
    {
        if (measuring.Missing > 0)
        {
            runner.Log.Warn(Errors.ProfileLacks(materials.Policy.PlaceOf(PolicyFiles.Profile), materials.Policy.Runtime.Profile!, measuring.Missing));
        }
    }

    /// <summary>Refuses a budget that is measured by what the loss does not tell, before anything is spent on it.</summary>
    public static void CheckBudget(Materials materials)
    {
        foreach (LossLimit limit in materials.Policy.Budget.Limits)
        {
            string? reason = limit.Kind switch
            {
                BudgetKind.AccuracyDrop when !materials.Loss.Value.HasLabels => "accuracy needs labels, and the loss reads none",
                BudgetKind.LossIncrease when !materials.Loss.Value.HasMean => "output-mse compares outputs, and has no mean that could increase",
                BudgetKind.Agreement when !materials.Loss.Value.HasAnswers => "equal answers need a loss of classes, cross-entropy or next-token",
                _ => null,
            };
            if (reason is not null)
            {
                throw Errors.BudgetDoesNotSuit(materials.Policy.File, limit.ToString(), reason);
            }
        }
    }

    /// <summary>Warns of data that say less than they seem to.</summary>
    private static void CheckData(Materials materials, StageRunner runner)
    {
        foreach (Diagnostic warning in runner.Get(Stages.CheckData, new CheckDataInput(materials.DataPolicy, materials.Data.Calibration, materials.Data.Evaluation)))
        {
            runner.Log.Warn(warning with { Place = materials.Policy.PlaceOf(warning.Place.File!) });
        }
    }

    /// <summary>MPB7003, with why each kind of layer keeps its precision.</summary>
    public static void WarnOfNothingGained(Materials materials, StageRunner runner, Findings findings, string why)
    {
        string[] kinds = [.. LeftAlone.Lines(Reasons.Of(materials.Workspace.Partition, Reports.Baselines(materials.Workspace), findings, materials.Policy.Formats.Count - 1))];
        runner.Log.Warn(Errors.NothingGained(materials.Policy.Model, $"{materials.ForScenario}{why}{(kinds.Length == 0 ? "" : $" ({string.Join("; ", kinds)})")}"));
    }

    /// <summary>Refuses a model whose loss is another one in every run, and warns of other outputs that are.</summary>
    /// <exception cref="MixedPrecisionException">MPB7006: an output that the loss reads differs from run to run.</exception>
    private static void CheckRepeatable(Materials materials, StageRunner runner)
    {
        foreach (Unrepeatable output in runner.Get(Stages.Repeat, new RepeatInput(
            Shipment.ModelOf(materials.Workspace), materials.Data.Calibration, Kernels.Of(materials.Machine), AppSession.Of(materials.Machine))))
        {
            Diagnostic found = output.Diagnostic(materials.Policy.Model, materials.Loss.Value.Outputs);
            if (found.Severity == Severity.Error)
            {
                throw new MixedPrecisionException(found);
            }

            runner.Log.Warn(found);
        }
    }

    private static SolveInput InputOf(SolverProblem problem) => new(ContentOf(problem));

    /// <summary>A program as stages read it. Most of it are the errors of each sample, which those of one planning share: they are hashed once.</summary>
    public static Content<SolverProblem> ContentOf(SolverProblem problem) => new(
        CacheKey.Of().WithBytes("problem", StageRunner.Serialize(problem with { Loss = new LossModel.Diagonal() }))
            .With("loss", Losses.GetValue(problem.Loss, loss => CacheKey.Of().WithBytes("loss", StageRunner.Serialize(loss)))),
        () => problem);
}
