using MixedPrecision.Calibration;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Solving;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>What plans are made of, besides gains and a budget.</summary>
/// <param name="Allowed">By layer, the formats it may take.</param>
internal sealed record PlanningInput(Partition Partition, IReadOnlyDictionary<string, LayerOptions> Allowed, Sensitivities Sensitivities)
{
    /// <summary>Which gains are worth a loss.</summary>
    public GainFloor Floor { get; init; } = GainFloor.None;

    /// <summary>The structures that a sub-graph may have besides the exported one.</summary>
    public Func<Subgraph, IReadOnlyList<FoundStructure>> Structures { get; init; } = _ => [];

    /// <summary>What is predicted of the loss, by the choices that there are: programs of one planning differ in gains.</summary>
    internal Dictionary<string, LossModel.Quadratic> Losses { get; } = [];

    /// <summary>What counts on top of the predicted loss MSE for the choice of samples, or null: nothing.</summary>
    public SampleDoubt? Doubt { get; init; }

    /// <summary>Whether only configurations count that were measured as a whole: where nothing further can be.</summary>
    public bool IsClosed { get; init; }

    /// <summary>The same where others count as the sum of their parts.</summary>
    public PlanningInput Opened => this with { IsClosed = false };

    /// <summary>The size that the file may have, or null: any.</summary>
    public FileSize? Size { get; init; }

    /// <summary>Groups of layers that carry one format each.</summary>
    public IReadOnlyList<IReadOnlyList<string>> SharedFormats { get; init; } = [];

    /// <summary>Layers that may run in something else than the baseline.</summary>
    public int Choosing => Allowed.Values.Count(o => o.Formats.Any(f => f != Problems.Baseline));

    /// <summary>Whether rules keep some layer from the baseline.</summary>
    public bool HasPins => Allowed.Values.Any(o => !o.Formats.Contains(Problems.Baseline));

    /// <summary>The greatest loss MSE that a τ allows: τ² · E[g²].</summary>
    public double LossBudget(double tau) => tau * tau * Sensitivities.MeanSquareLoss;

    /// <summary>The relative loss error that a loss MSE is.</summary>
    public double Tau(double lossMse) => lossMse == 0 ? 0 : Math.Sqrt(lossMse / Sensitivities.MeanSquareLoss);

    /// <summary>The program with all that is predicted of the loss, or with the diagonal alone.</summary>
    /// <param name="tolerance">By how much less than the most a plan may gain and still count as the optimum.</param>
    public SolverProblem Problem(Gains gains, double lossBudget, bool isQuadratic = true, Unmeasured unmeasured = Unmeasured.Cautious, double tolerance = 0) =>
        Problems.Build(this, gains, lossBudget, isQuadratic, unmeasured) with { Tolerance = tolerance };

    /// <summary>For each layer the baseline, where rules allow it, else the most precise format that they do: what is left when nothing is gained.</summary>
    public IReadOnlyList<Configuration> RulesAlone => Choose(o => o.Formats.Contains(Problems.Baseline) ? Problems.Baseline : o.Formats.MaxBy(f => FormatId.Parse(f).Family.Precision)!);

    /// <summary>For each layer a format if it may take that, else what a rule or the baseline says.</summary>
    public IReadOnlyList<Configuration> Uniform(string format) =>
        Choose(o => o.Formats.Contains(format) ? format : o.Formats.Contains(Problems.Baseline) ? Problems.Baseline : o.Formats[0]);

    /// <summary>Whether every layer may take the format that it has in a configuration.</summary>
    public bool Allows(SubgraphConfiguration configuration) =>
        configuration.Subgraph.Layers.Zip(configuration.Configuration.Formats).All(l => Allowed[l.First.Name].Formats.Contains(l.Second))
        && (configuration.Configuration.Structure == Structure.Exported || Structures(configuration.Subgraph).Any(s => s.Structure.Name == configuration.Configuration.Structure));

    /// <summary>A configuration in each sub-graph that is equal to its own and may take it: these share timings.</summary>
    public IEnumerable<SubgraphConfiguration> OfEqual(SubgraphConfiguration configuration) => Partition.Subgraphs
        .Where(s => s.Fingerprint == configuration.Subgraph.Fingerprint).Select(s => configuration with { Subgraph = s }).Where(Allows);

    private IReadOnlyList<Configuration> Choose(Func<LayerOptions, string> format) =>
        [.. Partition.Subgraphs.Select(s => Configuration.Exported([.. s.Layers.Select(l => format(Allowed[l.Name]))]))];
}

/// <summary>What planning asks of the rest of the pipeline.</summary>
/// <param name="Solve">The plan of greatest gain of a program.</param>
/// <param name="Measure">Gains with those of further configurations.</param>
/// <param name="Compare">Gains with those of configurations measured anew, more exactly, and those of one sub-graph together.</param>
/// <param name="Evaluate">The change of the loss that the file emitted from a plan is measured to have, on samples that calibration did not see.</param>
/// <param name="Say">Told what happens, for people.</param>
/// <param name="IsOver">Whether a share of the time is over that the policy gives the search.</param>
internal sealed record PlanningSteps(
    Func<SolverProblem, Plan> Solve,
    Func<Gains, IReadOnlyList<SubgraphConfiguration>, Gains> Measure,
    Func<Gains, IReadOnlyList<SubgraphConfiguration>, Gains> Compare,
    Func<Plan, LossChange> Evaluate,
    Action<string> Say,
    Func<double, bool> IsOver)
{
    /// <summary>Bytes of the file that a plan is emitted to; asked for only where the size is limited.</summary>
    public Func<Plan, long> Emit { get; init; } = _ => throw new InvalidOperationException("nothing is emitted here");

    /// <summary>Does what makes a plan, which takes many programs, and tells of it as one.</summary>
    public Func<Func<(Plan Plan, Gains Gains)>, (Plan Plan, Gains Gains)> AsOne { get; init; } = make => make();
}

/// <summary>Finds the plan of a budget.</summary>
internal static class Planner
{
    /// <summary>A budget that is just feasible, with room for what its rounding to integers takes.</summary>
    private const double JustFeasible = 1 + 1e-6;

    /// <summary>Share of what the original takes that configurations which were not measured may gain at most beyond the plan: a quarter of what counts as a gain by default.</summary>
    public const double Gap = 0.0025;

    /// <summary>Of that share, how much less than the most a plan may gain while the search goes on: proofs among near ties take longest, and say nothing that timings could tell.</summary>
    private const double Near = 0.2;

    /// <summary>Share of the time for what was not timed; the rest is for timing again what comes near the best.</summary>
    private const double Exploring = 0.75;

    /// <summary>
    /// The best plan within a loss MSE. Configurations that were not measured count at an optimistic bound; what the optimum uses of them is measured, until the
    /// optimum stands on measured gains, or no plan could gain more than a small gap beyond the best that does, or the time is over (design, section 6). The bound of the plan is that of
    /// all configurations, measured or not: what is left of that gap, on top of the plan's gain. The diagonal alone, which is solved in no time, finds out most of what there is to measure; the plan is then that of the whole prediction.
    /// The best of many timings is in part the luckiest: in the end what a plan uses is measured once more, together with what comes near it (<see cref="Rivals"/>).
    /// Infeasible when rules of the policy force more loss.
    /// </summary>
    public static (Plan Plan, Gains Gains) Plan(PlanningInput input, Gains gains, double lossBudget, PlanningSteps steps) => steps.AsOne(() => Make(input, gains, lossBudget, steps));

    /// <summary>The same, or where that is infeasible the best plan of the least loss MSE that the rules allow.</summary>
    public static (Plan Plan, Gains Gains) PlanOrLeast(PlanningInput input, Gains gains, double lossBudget, PlanningSteps steps)
    {
        (Plan plan, gains) = Plan(input, gains, lossBudget, steps);
        return plan.Infeasibility is { } least ? Plan(input, gains, least.MinimalLoss * JustFeasible, steps) : (plan, gains);
    }

    private static (Plan Plan, Gains Gains) Make(PlanningInput input, Gains gains, double lossBudget, PlanningSteps steps)
    {
        (_, gains) = Search(input, gains, lossBudget, isQuadratic: false, steps);
        (Plan plan, gains) = Search(input, gains, lossBudget, isQuadratic: true, steps);
        if (plan.Status == SolverStatus.Infeasible)
        {
            return (plan, gains);
        }

        var compared = new HashSet<SubgraphConfiguration>();
        while (Rivals.Of(input, gains, plan, Gap * input.Floor.Total, compared) is { Count: > 0 } rivals && !steps.IsOver(1))
        {
            gains = steps.Compare(gains, rivals);
            compared.UnionWith(rivals);
            (plan, gains) = Standing(input, gains, lossBudget, isQuadratic: true, ToleranceOf(input), steps);
        }

        (plan, gains) = Standing(input, gains, lossBudget, isQuadratic: true, 0, steps);
        Plan bound = steps.Solve(input.Opened.Problem(gains, lossBudget, true, Unmeasured.Optimistic, ToleranceOf(input)));
        double beyond = bound.Bound - EstimateOf(input, gains, plan);
        if (input.IsClosed && beyond > Gap * input.Floor.Total)
        {
            // What the search would time now: it is asked for, to be told.
            gains = steps.Measure(gains, Open(input, gains, bound));
        }

        return (plan with { Bound = Math.Max(plan.Bound, plan.Gain + beyond) }, gains);
    }

    /// <summary>Measures until no plan could gain more than a small gap beyond the one that is given, which stands on measured gains up to a tolerance.</summary>
    private static (Plan Plan, Gains Gains) Search(PlanningInput input, Gains gains, double lossBudget, bool isQuadratic, PlanningSteps steps)
    {
        (Plan best, gains) = Standing(input, gains, lossBudget, isQuadratic, ToleranceOf(input), steps);
        if (best.Status == SolverStatus.Infeasible)
        {
            return (best, gains);
        }

        double gain = Estimate(best);
        while (true)
        {
            Plan bound = steps.Solve(input.Problem(gains, lossBudget, isQuadratic, Unmeasured.Optimistic, ToleranceOf(input)));
            SubgraphConfiguration[] open = Open(input, gains, bound);
            if (open.Length == 0 || bound.Bound - gain <= Gap * input.Floor.Total || steps.IsOver(Exploring))
            {
                return Standing(input, gains, lossBudget, isQuadratic, ToleranceOf(input), steps);
            }

            gains = steps.Measure(gains, [.. open.Concat(UnmeasuredNeighbours.Of(input, gains, open))]);
            if (input.Partition.Subgraphs.All(s => bound.Configurations[s.Index] is var c && (!c.Changes(Problems.Baseline) || gains.Find(new SubgraphConfiguration(s, c)) is not null)))
            {
                gain = Math.Max(gain, Estimate(bound));
            }
        }

        double Estimate(Plan plan) => EstimateOf(input, gains, plan);
    }

    /// <summary>What a plan gains by best estimates, as configurations count that were not measured.</summary>
    private static double EstimateOf(PlanningInput input, Gains gains, Plan plan) =>
        Strategies.Of(input.Problem(gains, lossBudget: 0, isQuadratic: false, Unmeasured.Optimistic), plan.Configurations).Gain;

    private static double ToleranceOf(PlanningInput input) => Near * Gap * input.Floor.Total;

    /// <summary>The best plan that stands on measured gains, where configurations that were not measured count cautiously: what it uses is measured, and it is solved again.</summary>
    private static (Plan Plan, Gains Gains) Standing(PlanningInput input, Gains gains, double lossBudget, bool isQuadratic, double tolerance, PlanningSteps steps)
    {
        while (true)
        {
            Plan plan = steps.Solve(input.Problem(gains, lossBudget, isQuadratic, tolerance: tolerance));
            SubgraphConfiguration[] open = plan.Status == SolverStatus.Infeasible ? [] : Open(input, gains, plan);
            if (open.Length == 0)
            {
                return (plan, gains);
            }

            gains = steps.Measure(gains, open);
        }
    }

    /// <summary>What a plan uses and is not known, also of the sub-graphs that are equal to those that use it: these share its timings.</summary>
    private static SubgraphConfiguration[] Open(PlanningInput input, Gains gains, Plan plan) => [.. input.Partition.Subgraphs
        .Select(s => new SubgraphConfiguration(s, plan.Configurations[s.Index]))
        .Where(c => c.Configuration.Changes(Problems.Baseline) && !gains.Knows(c))
        .SelectMany(input.OfEqual)
        .Distinct()
        .Where(c => !gains.Knows(c))
        .OrderBy(c => c.Subgraph.Index)];
}
