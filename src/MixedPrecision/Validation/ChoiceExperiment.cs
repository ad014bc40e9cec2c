namespace MixedPrecision.Validation;

/// <summary>What a strategy chose at a budget, and what was measured of its file. Gains are shares of the original's time.</summary>
/// <param name="Strategy">Its name.</param>
/// <param name="Budget">Number of the budget, from 0.</param>
/// <param name="BudgetMse">The greatest loss MSE that was allowed.</param>
/// <param name="Seed">Seed of a random order, else null.</param>
/// <param name="Plan">Number of the plan; equal plans, of whatever strategy, have one.</param>
/// <param name="Layers">Layers that it changes.</param>
/// <param name="PredictedMse">Its predicted loss MSE.</param>
/// <param name="PredictedMilliseconds">Its predicted gain, by lower ends of intervals, as the program counts it.</param>
/// <param name="LossMse">Loss MSE on samples that calibration has not seen.</param>
/// <param name="Error">The same as a relative loss error.</param>
/// <param name="Gain">Measured end to end.</param>
/// <param name="Low">Lower end of its interval.</param>
/// <param name="High">Upper end of its interval.</param>
public sealed record ChoicePoint(
    string Strategy, int Budget, double BudgetMse, int? Seed, int Plan, int Layers, double PredictedMse, double PredictedMilliseconds, double LossMse, double Error, double Gain, double Low, double High);

/// <summary>A strategy against the program with measured time.</summary>
/// <param name="Strategy">Its name.</param>
/// <param name="Budgets">Budgets at which it has a plan.</param>
/// <param name="Plans">Different plans among these.</param>
/// <param name="GreatestGain">The greatest measured gain of any, as a share of the original's time.</param>
/// <param name="Area">What the program gains more at equal measured error, as a share of the original's time: the mean over the logarithm of the error. Null for the program itself, and where there is one error only.</param>
/// <param name="MeanSpeedup">How many times faster the program's model is at equal error: the geometric mean, likewise.</param>
/// <param name="GreatestSpeedup">The greatest such factor.</param>
/// <param name="At">The relative loss error at which it is reached.</param>
/// <param name="Above">Budgets at which it gained more than the program, beyond both intervals.</param>
public sealed record StrategySummary(
    string Strategy, int Budgets, int Plans, double? GreatestGain, double? Area, double? MeanSpeedup, double? GreatestSpeedup, double? At, IReadOnlyList<int> Above);

/// <summary>The experiment in numbers.</summary>
/// <param name="BudgetMses">The budgets.</param>
/// <param name="Plans">Files that were emitted and measured.</param>
/// <param name="Strategies">The program with measured time first.</param>
public sealed record ChoiceSummary(IReadOnlyList<double> BudgetMses, int Plans, IReadOnlyList<StrategySummary> Strategies);

/// <summary>Gain against measured loss MSE of the program with each of its objectives and of simpler strategies, at budgets from nothing to everything (paper, experiment on the choice).</summary>
internal static class ChoiceExperiment
{
    /// <summary>The program, maximizing measured time.</summary>
    public const string Time = "IP-ET";

    /// <summary>The program, maximizing theoretical time.</summary>
    public const string TheoreticalTime = "IP-TT";

    /// <summary>The program, maximizing bytes saved.</summary>
    public const string Memory = "IP-M";

    public const string Prefix = "prefix";
    public const string RandomLower = "random, lower quartile";
    public const string RandomMedian = "random, median";
    public const string RandomUpper = "random, upper quartile";
    public const string PerLayer = "per-layer";
    public const string Uniform = "best uniform";

    /// <summary>In the order in which they are listed and drawn.</summary>
    public static readonly IReadOnlyList<string> Strategies = [Time, TheoreticalTime, Memory, Prefix, RandomLower, RandomMedian, RandomUpper, PerLayer, Uniform];

    public static ChoiceSummary Summarize(IReadOnlyList<ChoicePoint> points, IReadOnlyList<double> budgets) => new(
        budgets, points.Select(p => p.Plan).Distinct().Count(), [.. Strategies.Select(s => Against(Of(points, Time), s, Of(points, s)))]);

    /// <summary>A row for each strategy and budget.</summary>
    public static string ToCsv(IEnumerable<ChoicePoint> points) => Csv.Of(
        [
            "strategy", "budget", "budget_loss_mse", "seed", "plan", "layers_changed", "predicted_loss_mse", "predicted_gain_milliseconds",
            "measured_loss_mse", "measured_error", "gain", "gain_low", "gain_high",
        ],
        points.Select(p => new object?[]
        {
            p.Strategy, p.Budget, p.BudgetMse, p.Seed, p.Plan, p.Layers, p.PredictedMse, p.PredictedMilliseconds, p.LossMse, p.Error, p.Gain, p.Low, p.High,
        }));

    /// <summary>What a strategy reaches.</summary>
    public static Curve CurveOf(IEnumerable<ChoicePoint> points) => new(points.Select(p => (p.Error, p.Gain)));

    private static ChoicePoint[] Of(IEnumerable<ChoicePoint> points, string strategy) => [.. points.Where(p => p.Strategy == strategy)];

    private static StrategySummary Against(ChoicePoint[] program, string strategy, ChoicePoint[] other)
    {
        var summary = new StrategySummary(
            strategy, other.Length, other.Select(p => p.Plan).Distinct().Count(), other.Length == 0 ? null : other.Max(p => p.Gain), null, null, null, null, []);
        if (strategy == Time || program.Length == 0 || other.Length == 0)
        {
            return summary;
        }

        (Curve ours, Curve theirs) = (CurveOf(program), CurveOf(other));
        (double Error, double Speedup)[] speedups = [.. ours.Errors.Concat(theirs.Errors).Where(e => e > 0 && double.IsFinite(e)).Select(e => (e, Speedup(ours.At(e), theirs.At(e))))];
        (double at, double greatest) = speedups.Length == 0 ? default : speedups.MaxBy(s => s.Speedup);
        return summary with
        {
            Area = Curve.Mean(ours, theirs, (mine, their) => mine - their),
            MeanSpeedup = Curve.Mean(ours, theirs, (mine, their) => Math.Log(Speedup(mine, their))) is double mean ? Math.Exp(mean) : null,
            GreatestSpeedup = speedups.Length == 0 ? null : greatest,
            At = speedups.Length == 0 ? null : at,
            Above = [.. other.Where(o => program.Any(p => p.Budget == o.Budget && o.Low > p.High)).Select(o => o.Budget)],
        };
    }

    /// <summary>How many times as long a model takes that gains one share as one that gains another.</summary>
    private static double Speedup(double ours, double theirs) => (1 - theirs) / (1 - ours);
}
