using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>
/// Finds the plan: solves with what is known of gains, measures the configurations the plan uses that were not measured as a whole, and solves
/// again, until the plan stands on measured gains alone (design, section 6).
/// </summary>
internal sealed class Planning
{
    private readonly PolicyRun run;
    private readonly Sensitivities? sensitivities;
    private readonly Lazy<SubgraphTimer> timer;
    private readonly List<BenchmarkedConfiguration> timings = [];

    public Planning(PolicyRun run, Sensitivities? sensitivities)
    {
        Tau = run.Policy.Budget.Kind == BudgetKind.AccuracyDrop ? 0.01 : Math.Max(run.Policy.Budget.Value, 1e-4);
        this.run = run;
        this.sensitivities = sensitivities;
        timer = new(() => run.Timer());
    }

    public Sensitivities Sensitivities => sensitivities ?? throw new InvalidOperationException("nothing was calibrated");

    /// <summary>
    /// τ, the relative loss error that plans are made for: what the policy states, or where it states something else, what has been found to lead to that
    /// (at first the same share for an increase of the loss, which is at most as large as its error, and 1 % for a drop of accuracy).
    /// </summary>
    public double Tau { get; set; }

    /// <summary>The loss MSE that τ allows: τ² · E[g²].</summary>
    public double LossBudget => Tau * Tau * Sensitivities.MeanSquareLoss;

    /// <summary>The least loss MSE that the policy's rules allow: 0 unless they pin layers to other formats than the baseline.</summary>
    public double LeastLoss => Problem(0, isQuadratic: false).Subgraphs.SelectMany(s => s.Layers).Sum(l => l.Choices.Min(c => c.Loss)) * (1 + 1e-6);

    public GainTable Gains { get; } = new();

    /// <summary>Timings that stand behind the gains, per sub-graph and configuration; empty for objectives that are computed.</summary>
    public IReadOnlyList<BenchmarkedConfiguration> Timings => timings;

    /// <summary>Timings taken in this run, and timings that were there.</summary>
    public (int Measured, int Reused) Counts => timer.IsValueCreated ? (timer.Value.Measured, timer.Value.Reused) : (0, timings.Sum(t => t.Timing.Timings.Count));

    public IReadOnlyList<string> Warnings => timer.IsValueCreated ? timer.Value.Warnings : [];

    /// <summary>Makes the gains of each layer alone known.</summary>
    public void MeasureLayers()
    {
        if (run.Policy.Objective == Objective.Time)
        {
            Add(run.Runner.Get(Stages.Benchmark, Input()));
            return;
        }

        foreach (Subgraph subgraph in run.Workspace.Partition.Subgraphs)
        {
            for (int layer = 0; layer < subgraph.Layers.Count; layer++)
            {
                LayerSite site = run.Workspace.Sites[subgraph.Layers[layer].Name];
                foreach (string format in run.Allowed[site.Layer.Name].Formats.Where(f => f != Problems.Baseline))
                {
                    double gain = Computed(site, NumberFormats.Get(format));
                    Gains.Set(subgraph.Index, Problems.Alone(subgraph, layer, format), new Gain(gain, gain, gain));
                }
            }
        }
    }

    /// <summary>
    /// The best plan within a loss MSE. The diagonal alone, which is solved in no time, finds out which configurations to measure; the plan
    /// is then that of the whole prediction.
    /// </summary>
    /// <exception cref="MixedPrecisionException">MPB6001: rules of the policy force more loss MSE than the budget allows.</exception>
    public Plan Solve(double lossBudget)
    {
        Solve(lossBudget, isQuadratic: false);
        return Solve(lossBudget, isQuadratic: true);
    }

    private Plan Solve(double lossBudget, bool isQuadratic)
    {
        while (true)
        {
            Plan plan = run.Runner.Get(Stages.Solve, Problem(lossBudget, isQuadratic));
            if (plan.Status == SolverStatus.Infeasible)
            {
                throw Errors.BudgetInfeasible(
                    run.Policy.File,
                    Tau,
                    Math.Sqrt(plan.Infeasibility!.MinimalLoss / Sensitivities.MeanSquareLoss),
                    [.. plan.Infeasibility.Layers.Select(l => (l.Layer, Math.Sqrt(l.Loss / Sensitivities.MeanSquareLoss)))]);
            }

            if (run.Policy.Objective != Objective.Time || !MeasureMissing(plan))
            {
                return plan;
            }
        }
    }

    /// <summary>The program with all that is predicted of the loss, or with the diagonal alone.</summary>
    public SolverProblem Problem(double lossBudget, bool isQuadratic = true) =>
        Problems.Build(run.Workspace.Partition, run.Allowed, Sensitivities, Gains, lossBudget, isQuadratic);

    /// <summary>The gain of one sub-graph in the plan's configuration.</summary>
    public Gain GainOf(int subgraph, IReadOnlyList<string> formats)
    {
        if (Gains.Find(subgraph, formats) is Gain measured)
        {
            return measured;
        }

        IEnumerable<Gain> alone = formats.Select((f, i) => f == Problems.Baseline
            ? Gain.None
            : Gains.Find(subgraph, Problems.Alone(run.Workspace.Partition.Subgraphs[subgraph], i, f)) ?? Gain.None);
        return alone.Aggregate(Gain.None, (sum, g) => new Gain(sum.Low + g.Low, sum.Centre + g.Centre, sum.High + g.High));
    }

    /// <summary>Times the configurations of a plan that are not known yet; false when all are.</summary>
    private bool MeasureMissing(Plan plan)
    {
        Subgraph[] missing = [.. run.Workspace.Partition.Subgraphs.Where(s =>
            plan.Formats[s.Index].Any(f => f != Problems.Baseline) && !Gains.Knows(s.Index, plan.Formats[s.Index]))];
        if (missing.Length > 0)
        {
            Add(run.Runner.Get(Stages.Refine, new RefineInput(Input(), [.. missing.Select(s => (s, plan.Formats[s.Index]))])));
        }

        return missing.Length > 0;
    }

    private BenchmarkInput Input() => new(run.Workspace.Partition, run.Policy.Formats, run.ScenarioKey(), run.Machine, timer);

    private void Add(List<BenchmarkedConfiguration> measured)
    {
        double[] weights = [.. run.ScenarioWeights()];
        foreach (BenchmarkedConfiguration configuration in measured)
        {
            timings.Add(configuration);
            Gains.Set(configuration.Subgraph, configuration.Timing.Formats, configuration.Timing.Unavailable is not null
                ? null
                : new Gain(
                    configuration.Timing.Timings.Zip(weights, (t, w) => t.Low * w).Sum(),
                    configuration.Timing.Timings.Zip(weights, (t, w) => t.Gain * w).Sum(),
                    configuration.Timing.Timings.Zip(weights, (t, w) => t.High * w).Sum()));
        }
    }

    /// <summary>Bytes saved, or multiply-accumulates saved, weighted over the scenarios and counted in those of the baseline.</summary>
    private double Computed(LayerSite site, NumberFormat format) => run.Policy.Objective == Objective.Memory
        ? site.BaselineBytes - format.Bytes(site)
        : (1 - format.TimePerMac) * run.MultiplyAccumulates[site.Layer.Name];
}
