using MixedPrecision.Autodiff;
using MixedPrecision.Calibration;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Partitioning;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>Fills the reports from what the stages made.</summary>
internal static class Reports
{
    public static InspectReport Inspect(Workspace workspace) => new(
        Model(workspace),
        [.. workspace.Model.Inputs.Select(i => new InspectedValue(i.Name, workspace.Types[i.Name].ToString()))],
        [.. workspace.Model.Graph.Output.Select(o => new InspectedValue(o.Name, workspace.Types[o.Name].ToString()))],
        [.. workspace.Partition.Subgraphs.Select(s => new InspectedSubgraph(s.Index, s.Fingerprint, [.. s.Layers.Select(l => new InspectedLayer(
            l.Name, l.Operator, l.WeightShape ?? [], l.Parameters, NotApplicable(workspace.Sites[l.Name], NumberFormats.All.Select(f => f.Name)))) ]))],
        Excluded(workspace),
        Gaps(workspace));

    public static CalibrateReport Calibrate(PolicyRun run, Sensitivities sensitivities) => new(
        Model(run.Workspace),
        sensitivities.Loss,
        sensitivities.Samples,
        sensitivities.MeanSquareLoss,
        [.. sensitivities.Layers.Select(l => new CalibratedLayer(
            l.Name,
            new TaylorTerms(l.TaylorActivation, l.TaylorWeight),
            l.Formats.ToDictionary(f => f.Key, f => new Reporting.FormatSensitivity(f.Value.Taylor, f.Value.Measured, f.Value.Rise)),
            run.Allowed[l.Name].NotApplicable))],
        [.. sensitivities.Layers.Where(l => !l.Reachable).Select(l => $"the loss does not depend on layer '{l.Name}'")]);

    public static BenchmarkReport Benchmark(PolicyRun run, Planning planning)
    {
        (int measured, int reused) = planning.Counts;
        IReadOnlyList<Subgraph> subgraphs = run.Workspace.Partition.Subgraphs;
        return new BenchmarkReport(
            Model(run.Workspace),
            run.Machine,
            measured,
            reused,
            [.. run.Scenarios.Select((scenario, index) => new BenchmarkedScenario(
                scenario.Name,
                scenario.Sizes,
                scenario.Weight,
                [.. subgraphs.GroupBy(s => s.Fingerprint).Select(equal => new BenchmarkedSubgraph(
                    equal.Key,
                    [.. equal.Select(s => s.Index)],
                    [.. equal.First().Layers.Select(l => l.Name)],
                    [.. planning.Timings.Where(t => t.Subgraph == equal.First().Index).Select(t => new Reporting.BenchmarkedConfiguration(
                        t.Timing.Formats,
                        t.Timing.Unavailable is null ? BenchmarkedTiming.Of(t.Timing.Timings[index]) : null,
                        t.Timing.Unavailable,
                        t.Timing.Reused))]))]))],
            planning.Warnings);
    }

    public static SolveReport Solve(PolicyRun run, Planning planning, Plan plan) => new(
        Model(run.Workspace),
        planning.Tau,
        ObjectiveName(run),
        Planned(run, planning, plan),
        Predicted(planning, plan),
        Solver(plan),
        Baselines(run, planning),
        planning.Warnings);

    public static ModelSummary Model(Workspace workspace) => new(
        workspace.Model.DisplayName, workspace.Hash, workspace.Bytes, workspace.Model.Opset, workspace.Model.Graph.Node.Count);

    public static string ObjectiveName(PolicyRun run) => run.Policy.Objective switch
    {
        Policies.Objective.Time => "time",
        Policies.Objective.TheoreticalTime => "theoretical-time",
        _ => "memory",
    };

    public static IReadOnlyList<PlannedSubgraph> Planned(PolicyRun run, Planning planning, Plan plan)
    {
        var sensitivities = planning.Sensitivities.Layers.ToDictionary(l => l.Name);
        return [.. run.Workspace.Partition.Subgraphs.Select(s =>
        {
            Gain gain = planning.GainOf(s.Index, plan.Formats[s.Index]);
            return new PlannedSubgraph(s.Index, s.Fingerprint, gain.Centre, [gain.Low, gain.High], [.. s.Layers.Select((l, i) => new PlannedLayer(
                l.Name,
                l.Operator,
                l.WeightShape ?? [],
                plan.Formats[s.Index][i],
                run.Allowed[l.Name].Pinned,
                sensitivities[l.Name].Formats.ToDictionary(f => f.Key, f => f.Value.Measured),
                run.Allowed[l.Name].NotApplicable))]);
        })];
    }

    public static Prediction Predicted(Planning planning, Plan plan)
    {
        Gain[] gains = [.. plan.Formats.Select((f, i) => planning.GainOf(i, f))];
        double meanSquare = planning.Sensitivities.MeanSquareLoss;
        return new Prediction(
            plan.Loss,
            meanSquare > 0 ? Math.Sqrt(plan.Loss / meanSquare) : 0,
            gains.Sum(g => g.Centre),
            [gains.Sum(g => g.Low), gains.Sum(g => g.High)]);
    }

    public static SolverSummary Solver(Plan plan) => new(plan.Status.ToString().ToLowerInvariant(), plan.Gain, plan.Bound);

    /// <summary>Simpler ways to choose under the same predictions.</summary>
    public static IReadOnlyList<BaselinePlan> Baselines(PolicyRun run, Planning planning)
    {
        SolverProblem problem = planning.Problem(planning.LossBudget);
        Plan? uniform = Solving.Baselines.BestUniform(problem);
        string uniformFormat = uniform?.Formats.SelectMany(f => f).FirstOrDefault(f => f != Problems.Baseline) ?? Problems.Baseline;
        (string Name, Plan? Plan)[] plans =
        [
            ("prefix", Solving.Baselines.Prefix(problem)),
            ("random", Solving.Baselines.Random(problem, seed: 0)),
            ("per-layer", Solving.Baselines.PerLayer(problem)),
            ($"uniform {uniformFormat}", uniform),
        ];
        return [.. plans.Where(p => p.Plan is not null).Select(p => new BaselinePlan(p.Name, p.Plan!.Loss, p.Plan.Gain, p.Plan.Loss <= problem.LossBudget))];
    }

    public static IReadOnlyList<ExcludedNode> Excluded(Workspace workspace) =>
        [.. workspace.Partition.Excluded.Select(e => new ExcludedNode(e.Name, e.Operator, e.Reason))];

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

    private static Dictionary<string, string> NotApplicable(LayerSite site, IEnumerable<string> formats) => formats
        .Select(f => (Format: f, Reason: NumberFormats.Get(f).WhyNot(site)))
        .Where(f => f.Reason is not null)
        .ToDictionary(f => f.Format, f => f.Reason!);
}
