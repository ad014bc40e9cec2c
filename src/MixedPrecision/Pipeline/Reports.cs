using MixedPrecision.Autodiff;
using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>Fills the reports from what the stages made.</summary>
internal static class Reports
{
    /// <summary>Level of the upper end of an interval of 90 %.</summary>
    private const double UpperEnd = 0.95;

    public static InspectReport Inspect(Workspace workspace)
    {
        var machine = Machine.Detect(new RuntimePolicy("cpu", 0, Place.None));
        IReadOnlyList<NumberFormat> formats = Choices.Default(machine);
        InspectedLayer Of(Layer layer)
        {
            LayerSite site = workspace.Sites[layer.Name];
            return new InspectedLayer(
                layer.Name,
                layer.Operator,
                layer.WeightShape ?? [],
                layer.Parameters,
                [.. formats.Where(f => f != NumberFormats.Baseline && f.WhyNot(site) is null).Select(f => f.Name)],
                Choices.NotApplicable(site, formats, machine));
        }

        return new InspectReport(
            Model(workspace),
            [.. workspace.Model.Inputs.Select(i => Inspected(workspace, i))],
            [.. workspace.Model.Graph.Output.Select(o => Inspected(workspace, o))],
            [.. workspace.Partition.Subgraphs.Select(s => new InspectedSubgraph(s.Index, s.Fingerprint, [.. workspace.StructuresOf(s).Select(f => f.Structure.Name)], [.. s.Layers.Select(Of)]))],
            Excluded(workspace),
            Gaps(workspace));
    }

    /// <summary>A value at the border: what is known of a tensor, or the declared type of what is none.</summary>
    private static InspectedValue Inspected(Workspace workspace, ValueInfoProto value) => new(
        value.Name, workspace.Types.TryGetValue(value.Name, out TensorType? type) && type.ElementType != 0 ? type.ToString() : TypeText.Of(value.Type));

    public static CalibrateReport Calibrate(Materials materials, Sensitivities sensitivities) => new(
        Model(materials.Workspace),
        sensitivities.Loss,
        sensitivities.Samples,
        sensitivities.MeanSquareLoss,
        [.. sensitivities.Layers.Select(l => new CalibratedLayer(
            l.Name,
            new TaylorTerms(l.TaylorActivation, l.TaylorWeight),
            l.Formats.ToDictionary(f => f.Key, f => new CalibratedFormat(f.Value.Taylor, f.Value.Measured, f.Value.Rise)),
            materials.Allowed[l.Name].NotApplicable))],
        [.. sensitivities.Layers.Where(l => !l.Reachable).Select(l => $"the loss does not depend on layer '{l.Name}'")]);

    public static BenchmarkReport Benchmark(Materials materials, StageRunner runner, Gains gains, (int Measured, int Reused) counts) => new(
        Model(materials.Workspace),
        materials.Machine,
        counts.Measured,
        counts.Reused,
        [.. materials.Scenarios.Value.Select((scenario, index) => new BenchmarkedScenario(
            scenario.Name,
            scenario.Sizes,
            scenario.Weight,
            [.. materials.Workspace.Partition.Subgraphs.GroupBy(s => s.Fingerprint).Select(equal => new BenchmarkedSubgraph(
                equal.Key,
                [.. equal.Select(s => s.Index)],
                [.. equal.First().Layers.Select(l => l.Name)],
                [.. gains.Timings.Where(t => t.Configuration.Subgraph == equal.First()).Select(t => new BenchmarkedConfiguration(
                    t.Timing.Configuration.Structure,
                    t.Timing.Configuration.Formats,
                    t.Timing.Unavailable is null ? BenchmarkedTiming.Of(t.Timing.Timings[index]) : null,
                    t.Timing.Unavailable,
                    t.Timing.Reused))]))]))],
        WarningsOf(runner));

    /// <summary>What was timed in each scenario by itself, as one report; a single one as it is.</summary>
    /// <param name="materials">Those of all scenarios, in the order of the reports.</param>
    public static BenchmarkReport Together(Materials materials, IReadOnlyList<BenchmarkReport> own) => own is [var only] ? only : own[^1] with
    {
        Machine = materials.Machine,
        Measured = own.Sum(r => r.Measured),
        Reused = own.Sum(r => r.Reused),
        Scenarios = [.. own.SelectMany(r => r.Scenarios).Zip(materials.Scenarios.Value, (timed, scenario) => timed with { Weight = scenario.Weight })],
    };

    /// <param name="input">Null where no layer has a choice; likewise the plan.</param>
    public static SolveReport Solve(Materials materials, StageRunner runner, PlanningInput? input, Findings findings, Plan? plan, double tau) => new(
        Model(materials.Workspace),
        tau,
        ObjectiveName(materials),
        Planned(materials, findings, plan?.Configurations ?? Baselines(materials.Workspace)),
        plan is not null && input is not null ? Predicted(materials, input, findings.Gains, plan) : NothingPredicted(materials),
        plan is null || input is null ? null : Solver(plan, input, findings.Gains),
        Strategies(findings.Strategies, input?.LossBudget(tau) ?? 0),
        WarningsOf(runner),
        input?.Size is { } size && plan is not null ? new PlannedSize(size.Predicted(input, plan), size.Most) : null)
    { Scenario = materials.Scenario?.Label };

    /// <param name="input">Null where no layer has a choice.</param>
    public static FrontierReport Frontier(Materials materials, StageRunner runner, PlanningInput? input, IReadOnlyList<Plan> plans) => new(
        Model(materials.Workspace),
        ObjectiveName(materials),
        GainOf(materials, Gain.None).Unit,
        input?.Floor.Total ?? 0,
        BudgetMeeting.FirstTau(materials.Policy.Budget),
        input is null ? [new FrontierPoint(0, 0, 0, materials.Workspace.Bytes, 0)] : Points(materials, input, plans, Steps.Verified(materials, runner)),
        WarningsOf(runner))
    { Scenario = materials.Scenario?.Label };

    /// <param name="found">Null where no layer has a choice.</param>
    public static ExplainReport Explain(Materials materials, StageRunner runner, double tau, Explanation? found) =>
        new(Model(materials.Workspace), tau, GainOf(materials, Gain.None).Unit, found, WarningsOf(runner)) { Scenario = materials.Scenario?.Label };

    /// <summary>A gain for people.</summary>
    public static string Text(Materials materials, double gain) => PlanText.Gain(gain, GainOf(materials, Gain.None).Unit);

    /// <summary>What is predicted of plans.</summary>
    /// <param name="verified">The error that was measured of a plan's file, if it was.</param>
    public static IReadOnlyList<FrontierPoint> Points(Materials materials, PlanningInput input, IReadOnlyList<Plan> plans, Func<Plan, double?> verified)
    {
        var savings = new Quantization.Savings(materials.Workspace.Model.Graph);
        long bytes = materials.Workspace.Bytes;
        return [.. plans.Select(plan =>
        {
            (LayerSite Site, NumberFormat Format)[] changed = [.. input.Partition.Subgraphs.SelectMany(s => s.Layers.Zip(plan.Configurations[s.Index].Formats))
                .Where(l => l.Second != Problems.Baseline).Select(l => (materials.Workspace.Sites[l.First.Name], NumberFormats.Get(l.Second)))];
            return new FrontierPoint(input.Tau(plan.Loss), plan.Loss, plan.Gain, bytes - savings.Bytes(changed), changed.Length, verified(plan));
        })];
    }

    /// <summary>Every layer as the original has it.</summary>
    public static IReadOnlyList<Configuration> Baselines(Workspace workspace) =>
        [.. workspace.Partition.Subgraphs.Select(s => Configuration.Exported([.. s.Layers.Select(_ => Problems.Baseline)]))];

    public static Manifest Manifest(Materials materials, StageRunner runner, Shipped shipped, IReadOnlyList<SessionAdvice> advice, SharedData? shared = null)
    {
        using OnnxModel emitted = OnnxModel.Load(shipped.Emitted.Path, Path.GetFileName(shipped.Emitted.Path));
        var output = new ModelSummary(emitted.DisplayName, shipped.Emitted.Hash, shipped.Emitted.Bytes, emitted.Opset, emitted.Graph.Node.Count);
        Findings findings = shipped.Findings;
        PlanningInput? input = findings.Sensitivities is { } s ? Steps.Input(materials, findings.Allowed, s) : null;
        Policies.BudgetPolicy budget = materials.Policy.Budget;
        double? stated = budget.Of(Policies.BudgetKind.LossError);
        double solved = findings.Meeting?.Met?.Tau ?? stated ?? 0;
        return new Manifest(
            Reporting.Manifest.CurrentSchema,
            typeof(Shipment).Assembly.GetName().Version!.ToString(3),
            Path.GetFileName(materials.Policy.File),
            Model(materials.Workspace),
            output,
            new ShippedModel(shipped.What, shipped.Why),
            new ManifestBudget(
                budget.ToString(), budget.Limits[0].Value, shipped.Loss is { } loss ? Limits.Measured(budget, loss) : Limits.OfOriginal(budget.Limits[0]), stated, solved, [.. LimitsOf(materials, shipped, input)]),
            findings.Sensitivities?.Loss,
            ObjectiveName(materials),
            new SampleCounts(findings.Sensitivities?.Samples ?? 0, shipped.Loss?.Samples ?? 0),
            materials.Machine,
            Planned(materials, findings, shipped.Configurations),
            Excluded(materials.Workspace),
            shipped.Plan is { } plan && input is not null ? Predicted(materials, input, findings.Gains, plan) : NothingPredicted(materials),
            Measurement.Of(shipped.Loss, shipped.Times),
            new FileSizes(materials.Workspace.Bytes, output.Bytes),
            findings.Meeting?.Met is { } met ? Solver(met.Plan, input!, findings.Gains) : null,
            Strategies(findings.Strategies, input?.LossBudget(solved) ?? 0),
            [.. (findings.Meeting?.Attempts ?? []).Select(a => AttemptOf(a, input!, budget))],
            [.. shipped.Compared.Select(c => ComparedOf(c, materials, findings.Gains))],
            advice,
            [.. LeftAlone.Lines(Reasons.Of(materials.Workspace.Partition, shipped.Configurations, findings, materials.Policy.Formats.Count - 1))],
            [.. materials.Workspace.Notes, .. WarningsOf(runner)],
            Frontier: findings.Frontier.Count == 0 ? null : Points(materials, input!, findings.Frontier, plan => Verified(shipped, plan)),
            Tried: Tried(materials, findings.Gains),
            Profile: materials.Profile is { } profile ? new ManifestProfile(profile.File, profile.Sha256, profile.Profile.Machine, profile.Profile.Count, findings.Missing) : null,
            Scenario: materials.Scenario?.Label,
            Shared: shared);
    }

    /// <summary>Each limit with what was measured of it.</summary>
    private static IEnumerable<ManifestLimit> LimitsOf(Materials materials, Shipped shipped, PlanningInput? input)
    {
        foreach (Policies.LossLimit limit in materials.Policy.Budget.Limits)
        {
            double measured = shipped.Loss is { } loss ? Limits.Measured(limit, loss) : Limits.OfOriginal(limit);
            yield return new ManifestLimit(
                limit.Key, limit.ToString(), limit.Value, measured, Limits.IsWithin(limit, measured), limit.Kind == Policies.BudgetKind.LossError && shipped.Plan is { } plan && input is not null ? input.Tau(plan.Loss) : null);
        }

        if (materials.MostBytes is { } most)
        {
            yield return new ManifestLimit(
                Policies.SizeLimit.Key, materials.Policy.Budget.Size!.ToString(), most, shipped.Emitted.Bytes, shipped.Emitted.Bytes <= most, input?.Size is { } size && shipped.Plan is { } made ? size.Predicted(input, made) : null);
        }
    }

    private static double? Verified(Shipped shipped, Plan plan) => (shipped.Findings.Meeting?.Attempts ?? []).Select(a => (a.Plan, a.Loss)).Concat(shipped.Compared.Select(c => (c.Plan, c.Loss)))
        .Where(known => known.Plan.Configurations.SequenceEqual(plan.Configurations)).Select(known => (double?)known.Loss.RelativeLossError).FirstOrDefault();

    /// <summary>The configurations that were timed; null where gains are computed.</summary>
    private static IReadOnlyList<TriedSubgraph>? Tried(Materials materials, Gains gains)
    {
        var timed = gains.Timings.ToLookup(t => t.Configuration.Subgraph.Index);
        return materials.Policy.Objective != Policies.Objective.Time || gains.Timings.IsEmpty ? null :
        [
            .. materials.Workspace.Partition.Subgraphs.DistinctBy(s => s.Fingerprint).Where(s => timed[s.Index].Any()).Select(s => new TriedSubgraph(
                s.Fingerprint,
                [.. timed[s.Index].DistinctBy(t => t.Configuration.Configuration).Select(t => new TriedConfiguration(
                    t.Configuration.Configuration.Structure,
                    t.Configuration.Configuration.Formats,
                    gains.Find(t.Configuration) is { } gain ? GainOf(materials, gain) : null,
                    t.Timing.Unavailable))])),
        ];
    }

    public static ModelSummary Model(Workspace workspace) => new(
        workspace.Original.DisplayName, workspace.Hash, workspace.Bytes, workspace.Original.Opset, workspace.Original.Graph.Node.Count);

    /// <summary>Operators without a gradient rule through which gradients would have to pass to reach a layer.</summary>
    public static IReadOnlyList<DifferentiationGap> Gaps(Workspace workspace)
    {
        using OnnxModel lowered = GraphLowering.Lower(workspace.Model, workspace.Types);
        return [.. Differentiability.Explain(lowered.Graph, TypeInference.Infer(lowered))
            .GroupBy(stop => (stop.Operator, stop.ByNature))
            .Select(stops => new DifferentiationGap(
                stops.Key.Operator,
                [.. stops.Select(s => s.Node)],
                (stops.Key.ByNature ? "its gradient is zero by nature" : "there is no gradient rule for it") + $"; {stops.Max(s => s.Layers)} layers lie behind it"))];
    }

    private static IReadOnlyList<PlannedSubgraph> Planned(Materials materials, Findings findings, IReadOnlyList<Configuration> plan)
    {
        var sensitivities = (findings.Sensitivities?.Layers ?? []).ToDictionary(l => l.Name);
        return [.. materials.Workspace.Partition.Subgraphs.Select(s => new PlannedSubgraph(
            s.Index,
            s.Fingerprint,
            plan[s.Index].Structure,
            GainOf(materials, findings.Gains.Of(new SubgraphConfiguration(s, plan[s.Index]))),
            [.. s.Layers.Select((l, i) => new PlannedLayer(
                l.Name,
                l.Operator,
                l.WeightShape ?? [],
                plan[s.Index].Formats[i],
                findings.Allowed[l.Name].Pinned,
                sensitivities.GetValueOrDefault(l.Name)?.Formats.ToDictionary(f => f.Key, f => f.Value.Measured) ?? [],
                findings.Allowed[l.Name].NotApplicable))]))];
    }

    private static Prediction Predicted(Materials materials, PlanningInput input, Gains gains, Plan plan)
    {
        (double low, double high) = plan.Loss == 0 ? (0, 0)
            : Solving.Strategies.Interval(input.Problem(gains, 0), plan.Configurations, [.. input.Sensitivities.SquareLosses], SampleDoubt.DeviationsOf(UpperEnd));
        return new(plan.Loss, input.Tau(plan.Loss), [input.Tau(low), input.Tau(high)], GainOf(materials, gains.Sum(input.Partition, plan.Configurations)));
    }

    private static Prediction NothingPredicted(Materials materials) => new(0, 0, [0, 0], GainOf(materials, Gain.None));

    private static PlanAttempt AttemptOf(Attempt attempt, PlanningInput input, Policies.BudgetPolicy budget) => new(
        attempt.Tau,
        attempt.Plan.Formats.SelectMany(f => f).CountBy(f => f).OrderBy(f => f.Key, StringComparer.Ordinal).ToDictionary(),
        attempt.Plan.Loss,
        input.Tau(attempt.Plan.Loss),
        attempt.Loss.RelativeLossError,
        attempt.Measured,
        Limits.AreWithin(budget, attempt.Loss));

    private static ComparedModel ComparedOf(Contestant contestant, Materials materials, Gains gains) => new(
        contestant.Name,
        GainOf(materials, gains.Sum(materials.Workspace.Partition, contestant.Plan.Configurations)),
        contestant.Loss.RelativeLossError,
        contestant.Measured,
        contestant.IsWithin,
        contestant.Emitted.Bytes,
        contestant.Times is null ? null : GainOf(contestant.Gain, "milliseconds"),
        contestant.Problem?.Message);

    private static ReportedGain GainOf(Materials materials, Gain gain) => GainOf(gain, materials.Policy.Objective switch
    {
        Policies.Objective.Time => "milliseconds",
        Policies.Objective.Memory => "bytes",
        _ => "multiply-accumulates",
    });

    private static ReportedGain GainOf(Gain gain, string unit) => new(gain.Centre, [gain.Low, gain.High], unit);

    private static string ObjectiveName(Materials materials) => materials.Policy.Objective switch
    {
        Policies.Objective.Time => "time",
        Policies.Objective.TheoreticalTime => "theoretical-time",
        _ => "memory",
    };

    private static SolverSummary Solver(Plan plan, PlanningInput input, Gains gains)
    {
        Partitioning.Subgraph[] distinct = [.. input.Partition.Subgraphs.DistinctBy(s => s.Fingerprint)];
        return new SolverSummary(
            plan.Status.ToString().ToLowerInvariant(),
            plan.Gain,
            plan.Bound,
            distinct.Sum(s => gains.Of(s).Count()),
            distinct.Sum(s => input.Structures(s).Select(f => f.Match.Fixed).Prepend(new Dictionary<string, string>())
                .Sum(own => s.Layers.Where(l => !own.ContainsKey(l.Name)).Aggregate(1.0, (all, l) => all * input.Allowed[l.Name].Formats.Count)) - 1));
    }

    private static IReadOnlyList<StrategyPlan> Strategies(IReadOnlyList<NamedPlan> strategies, double lossBudget) =>
        [.. strategies.Select(s => new StrategyPlan(s.Name, s.Plan.Loss, s.Plan.Gain, s.Plan.Loss <= lossBudget))];

    private static IReadOnlyList<ExcludedNode> Excluded(Workspace workspace) =>
        [.. workspace.Partition.Excluded.Select(e => new ExcludedNode(e.Name, e.Operator, e.Reason))];

    private static IReadOnlyList<string> WarningsOf(StageRunner runner) => [.. runner.Log.Warnings.Select(w => w.Message)];
}
