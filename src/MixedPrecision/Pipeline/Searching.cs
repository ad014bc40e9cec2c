using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>A configuration of a sub-graph, by the sub-graph's index.</summary>
internal sealed record SearchedConfiguration(int Subgraph, Configuration Configuration);

/// <summary>Configurations that a search asked for.</summary>
/// <param name="IsComparison">Whether they were known and timed once more, more exactly.</param>
internal sealed record SearchStep(bool IsComparison, IReadOnlyList<SearchedConfiguration> Configurations);

/// <summary>What a search asked for, in order.</summary>
/// <param name="IsWhole">Whether it came to its end before its time was over.</param>
internal sealed record Searched(IReadOnlyList<SearchStep> Steps, bool IsWhole);

/// <summary>
/// The search for what plans of several budgets use (<see cref="Planner"/>), kept as the list of what it measured: a run for which all of that is known takes the timings, and solves nothing. A search that its time cut short
/// is not kept: the next run searches again, and finds its timings known.
/// </summary>
internal static class Searching
{
    /// <summary>The gains with those of what the plans of some budgets use.</summary>
    /// <param name="budgets">Loss MSEs; those that come first have the time that there is.</param>
    public static Gains Run(StageRunner runner, PlanningInput input, Gains gains, IReadOnlyList<double> budgets, PlanningSteps steps)
    {
        Searched found = runner.Get(Stages.Search, new SearchInput(
            Steps.ContentOf(input.Problem(gains, lossBudget: 0)), gains.Content, input.Floor, input.IsClosed, budgets, () => Search(input, gains, budgets, steps)));
        return found.Steps.Aggregate(gains, (known, step) => (step.IsComparison ? steps.Compare : steps.Measure)(
            known, [.. step.Configurations.Select(c => new SubgraphConfiguration(input.Partition.Subgraphs[c.Subgraph], c.Configuration))]));
    }

    private static Searched Search(PlanningInput input, Gains gains, IReadOnlyList<double> budgets, PlanningSteps steps)
    {
        var taken = new List<SearchStep>();
        bool isCut = false;
        PlanningSteps noting = steps with
        {
            Measure = (known, configurations) => Noted(isComparison: false, steps.Measure(known, configurations), configurations),
            Compare = (known, configurations) => Noted(isComparison: true, steps.Compare(known, configurations), configurations),
            IsOver = share =>
            {
                bool isOver = steps.IsOver(share);
                isCut |= isOver;
                return isOver;
            },
        };
        _ = budgets.Aggregate(gains, (known, budget) => Planner.PlanOrLeast(input, known, budget, noting).Gains);
        return new Searched(taken, !isCut);

        Gains Noted(bool isComparison, Gains after, IReadOnlyList<SubgraphConfiguration> configurations)
        {
            taken.Add(new SearchStep(isComparison, [.. configurations.Select(c => new SearchedConfiguration(c.Subgraph.Index, c.Configuration))]));
            return after;
        }
    }
}
