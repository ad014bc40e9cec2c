using System.Globalization;
using MixedPrecision.Caching;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// The plan that the search finds against the plan from timing every configuration of every sub-graph: what either gains, and how many configurations the search asked for. Where they differ, what differs is timed
/// once more, in one run: of so many timings the best is in part the luckiest.
/// </summary>
internal static class SearchBenchmark
{
    /// <summary>More configurations of one sub-graph than this are not timed one by one.</summary>
    private const int Most = 5000;

    /// <summary>Plans whose gains differ by less, as a share of what the original takes, count as equal.</summary>
    private const double Near = 0.005;

    private static readonly double[] Budgets = [0.001, 0.003, 0.01];

    /// <param name="cache">Folder in which timings are kept: an interrupted run goes on.</param>
    public static int Run(string cache, IReadOnlyList<string> policies)
    {
        Console.WriteLine("| policy | τ | configurations | timed by the search | gain, all timed | gain, search | bound | same plan | in one run, all timed | search |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        bool isSame = true;
        foreach (string policy in policies)
        {
            var options = new RunOptions(cache, null, update => { if (update.Fraction is { } f) { Console.Error.Write($"\r{update.Stage} {f:0 %}   "); } }, _ => { }, CancellationToken.None);
            var runner = new StageRunner(new ContentStore(cache), new RunLog(options));
            using Materials materials = Materials.Open(policy, options, runner);
            isSame &= Compare(Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(policy)))!, materials, runner);
        }

        return isSame ? 0 : 1;
    }

    private static bool Compare(string name, Materials materials, StageRunner runner)
    {
        Calibration.Sensitivities sensitivities = Steps.Calibrate(materials, runner);
        PlanningInput input = Steps.Input(materials, Choices.Judged(materials.Policy, materials.Allowed, sensitivities), sensitivities);
        Subgraph[] distinct = [.. input.Partition.Subgraphs.DistinctBy(s => s.Fingerprint)];
        foreach (Subgraph large in distinct.Where(s => All(input, s).Take(Most + 1).Count() > Most))
        {
            throw new ArgumentException($"{name}: sub-graph {large.Index} has more than {Most} configurations");
        }

        var measuring = new Measuring(materials, runner);
        (input, Gains first) = Steps.Begin(materials, measuring, input);
        Gains all = measuring.Add(Gains.Empty, [.. input.Partition.Subgraphs.SelectMany(s => All(input, s))]);
        bool isSame = true;
        foreach (double tau in Budgets)
        {
            PlanningSteps steps = Steps.Planning(runner, measuring) with { IsOver = _ => false };
            (Plan best, Gains known) = Planner.Plan(input, all, input.LossBudget(tau), steps);
            (Plan found, Gains timed) = Planner.Plan(input, first, input.LossBudget(tau), steps);
            bool same = best.Configurations.SequenceEqual(found.Configurations);
            SubgraphConfiguration[] differing = [.. input.Partition.Subgraphs.Where(s => !best.Configurations[s.Index].Equals(found.Configurations[s.Index]))
                .SelectMany(s => new[] { new SubgraphConfiguration(s, best.Configurations[s.Index]), new SubgraphConfiguration(s, found.Configurations[s.Index]) }).Where(c => c.Configuration.Changes(Problems.Baseline))];
            Gains again = measuring.Compare(known, differing);
            double bestAgain = again.Sum(input.Partition, best.Configurations).Centre, foundAgain = again.Sum(input.Partition, found.Configurations).Centre;
            isSame &= same || foundAgain >= bestAgain - (Near * measuring.Total(again));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {tau:0.0 %} | {distinct.Sum(s => All(input, s).Count())} | {distinct.Sum(s => timed.Of(s).Count())} | {best.Gain:0.000} ms | {found.Gain:0.000} ms | {found.Bound:0.000} ms | {(same ? "yes" : "no")} "
                + $"| {bestAgain:0.000} ms | {foundAgain:0.000} ms |"));
            foreach (Subgraph subgraph in input.Partition.Subgraphs.Where(s => !same && !best.Configurations[s.Index].Equals(found.Configurations[s.Index])))
            {
                Console.Error.WriteLine($"{name}, sub-graph {subgraph.Index}: {best.Configurations[subgraph.Index]}, {again.Of(new SubgraphConfiguration(subgraph, best.Configurations[subgraph.Index]))}; "
                    + $"found {found.Configurations[subgraph.Index]}, {again.Of(new SubgraphConfiguration(subgraph, found.Configurations[subgraph.Index]))}");
            }
        }

        return isSame;
    }

    /// <summary>Every configuration of a sub-graph but the original.</summary>
    private static IEnumerable<SubgraphConfiguration> All(PlanningInput input, Subgraph subgraph) =>
        input.Structures(subgraph).Select(s => (s.Structure.Name, s.Match.Fixed)).Prepend((Structure.Exported, new Dictionary<string, string>()))
            .SelectMany(structure => subgraph.Layers
                .Select(l => structure.Fixed.TryGetValue(l.Name, out string? own) ? [own] : input.Allowed[l.Name].Formats)
                .Aggregate(Enumerable.Repeat(Array.Empty<string>(), 1), (all, formats) => all.SelectMany(before => formats.Select(f => (string[])[.. before, f])))
                .Select(formats => new SubgraphConfiguration(subgraph, new Configuration(structure.Name, formats))))
            .Where(c => c.Configuration.Changes(Problems.Baseline));
}
