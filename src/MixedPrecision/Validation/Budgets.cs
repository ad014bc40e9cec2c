using MixedPrecision.Solving;

namespace MixedPrecision.Validation;

/// <summary>Budgets from nothing to everything.</summary>
internal static class Budgets
{
    /// <summary>Room for what a program rounds.</summary>
    private const double Room = 1 + 1e-6;

    /// <summary>
    /// Loss MSEs in ascending order, each once: the least there is, then those at which sub-graphs that are taken one after the other, in order of what they gain for their loss, gain equal parts of what all of them do. So they lie
    /// where the choice matters, over as many orders of magnitude as it does.
    /// </summary>
    /// <param name="problem">The program; its own budget does not matter.</param>
    /// <param name="count">How many at most, at least 2.</param>
    public static IReadOnlyList<double> Of(SolverProblem problem, int count)
    {
        var table = new ChoiceTable(problem);
        QuadraticLoss? quadratic = problem.Loss is LossModel.Quadratic model ? QuadraticLoss.Of(model, table) : null;
        double Loss(int[] plan) => quadratic?.Evaluate(table.Taken(plan)) ?? table.DiagonalLoss(plan);
        int[] least = table.LeastLoss(), greatest = table.GreatestGain();
        (double leastLoss, double leastGain) = (Loss(least), table.Gain(least));
        int[] order =
        [
            .. Enumerable.Range(0, problem.Subgraphs.Count)
                .Select(subgraph => (subgraph, Plan: With(least, subgraph)))
                .Select(s => (s.subgraph, Gain: table.Gain(s.Plan) - leastGain, Loss: Math.Max(Loss(s.Plan) - leastLoss, double.Epsilon)))
                .Where(s => s.Gain > 0).OrderByDescending(s => s.Gain / s.Loss).Select(s => s.subgraph),
        ];
        var path = new List<(double Gain, double Loss)> { (leastGain, leastLoss) };
        int[] plan = least;
        foreach (int subgraph in order)
        {
            plan = With(plan, subgraph);
            path.Add((Math.Max(path[^1].Gain, table.Gain(plan)), Math.Max(path[^1].Loss, Loss(plan))));
        }

        return [.. Enumerable.Range(0, count).Select(i => At(path, leastGain + ((path[^1].Gain - leastGain) * i / (count - 1))) * Room).Distinct()];

        int[] With(int[] plan, int subgraph)
        {
            (int first, int end) = (table.FirstLayer[subgraph], table.FirstLayer[subgraph + 1]);
            return table.Consistent([.. plan[..first], .. greatest[first..end], .. plan[end..]]);
        }
    }

    /// <summary>The loss at a gain, between the points of the path on straight lines.</summary>
    private static double At(List<(double Gain, double Loss)> path, double gain)
    {
        int next = path.FindIndex(p => p.Gain >= gain);
        if (next <= 0)
        {
            return next == 0 ? path[0].Loss : path[^1].Loss;
        }

        ((double fromGain, double from), (double toGain, double to)) = (path[next - 1], path[next]);
        return from + ((to - from) * (gain - fromGain) / (toGain - fromGain));
    }
}
