using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using MixedPrecision.Caching;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;
using MixedPrecision.Solving;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// The search on a model whose configurations are too many to be timed, under several limits of its time: how many it asks for, what the plan gains, how much more any other could, and whether the limit is kept.
/// Each limit starts from timings of its own.
/// </summary>
internal static class SearchLimitsBenchmark
{
    /// <param name="folder">Takes the cache, and timings of each limit.</param>
    /// <param name="policy">Its objective is time.</param>
    /// <param name="budget">Such as "3%", in place of the policy's.</param>
    /// <param name="limits">Seconds, each as <c>searchSeconds</c> of the policy.</param>
    public static int Run(string folder, string policy, string budget, IReadOnlyList<int> limits)
    {
        string cache = Path.Combine(Path.GetFullPath(folder), "cache");
        var options = new RunOptions(cache, null, update => { if (update.Fraction is { } f) { Console.Error.Write($"\r{update.Stage} {f:0 %}   "); } }, _ => { }, CancellationToken.None);
        double tau = double.Parse(budget.TrimEnd('%'), CultureInfo.InvariantCulture) / 100;
        var runner = new StageRunner(new ContentStore(cache), new RunLog(options));
        using Materials materials = Materials.Open(policy, options, runner);
        Calibration.Sensitivities sensitivities = Steps.Calibrate(materials, runner);
        PlanningInput input = Steps.Input(materials, Choices.Judged(materials.Policy, materials.Allowed, sensitivities), sensitivities);
        Subgraph[] distinct = [.. input.Partition.Subgraphs.DistinctBy(s => s.Fingerprint)];
        BigInteger all = distinct.Aggregate(BigInteger.Zero, (sum, s) => sum + s.Layers.Aggregate(BigInteger.One, (product, l) => product * input.Allowed[l.Name].Formats.Count) - 1);
        Console.WriteLine($"{input.Partition.Layers.Count()} layers in {input.Partition.Subgraphs.Count} sub-graphs, of which {distinct.Length} differ, the largest of {distinct.Max(s => s.Layers.Count)} layers; "
            + $"{all.ToString("e1", CultureInfo.InvariantCulture)} configurations in the exported structure");
        Console.WriteLine("| limit | timed before | seconds | timed by the search | seconds | gain | bound | gap, of the original's time | proven |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (int limit in limits)
        {
            string own = Path.Combine(Path.GetFullPath(folder), string.Create(CultureInfo.InvariantCulture, $"timings-{limit}"));
            Show(materials with { Policy = materials.Policy with { SearchSeconds = limit } }, input, distinct, new StageRunner(new ContentStore(own), new RunLog(options)), tau);
        }

        return 0;
    }

    private static void Show(Materials materials, PlanningInput input, Subgraph[] distinct, StageRunner runner, double tau)
    {
        var measuring = new Measuring(materials, runner);
        var watch = Stopwatch.StartNew();
        (input, Gains first) = Steps.Begin(materials, measuring, input);
        double before = watch.Elapsed.TotalSeconds;
        watch.Restart();
        (Plan plan, Gains gains) = Planner.Plan(input, first, input.LossBudget(tau), Steps.Planning(runner, measuring));
        int Timed(Gains known) => distinct.Sum(s => known.Of(s).Count());
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {materials.Policy.SearchSeconds} s | {Timed(first)} | {before:0} | {Timed(gains) - Timed(first)} | {watch.Elapsed.TotalSeconds:0} | {plan.Gain:0.000} ms | {plan.Bound:0.000} ms | {(plan.Bound - plan.Gain) / measuring.Total(gains):0.00 %} "
            + $"| {(plan.Status == SolverStatus.Optimal ? "yes" : "no")} |"));
    }
}
