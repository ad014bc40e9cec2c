using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>What limits are about, as measured on an emitted file.</summary>
internal static class Limits
{
    /// <summary>Differences of fractions, such as shares of labels, are within a limit up to rounding.</summary>
    private const double Rounding = 1e-9;

    /// <summary>What a limit is about, as measured; NaN where it cannot be told.</summary>
    public static double Measured(LossLimit limit, LossChange loss) => limit.Kind switch
    {
        BudgetKind.LossError => loss.RelativeLossError,
        BudgetKind.LossIncrease => loss.MeanLossChange == 0 ? 0 : loss.MeanLossChange / Math.Abs(loss.MeanLoss),
        BudgetKind.AccuracyDrop => loss.Accuracy is { } accuracy ? accuracy.Original - accuracy.Mixed : double.NaN,
        _ => loss.Agreement ?? double.NaN,
    };

    /// <summary>What the first limit is about, as measured.</summary>
    public static double Measured(BudgetPolicy budget, LossChange loss) => Measured(budget.Limits[0], loss);

    /// <summary>What is measured of the original itself: it changes nothing.</summary>
    public static double OfOriginal(LossLimit limit) => limit.Kind == BudgetKind.Agreement ? 1 : 0;

    /// <summary>Whether a measured value is within a limit.</summary>
    public static bool IsWithin(LossLimit limit, double measured) => limit.Kind switch
    {
        BudgetKind.LossError => measured <= limit.Value,
        BudgetKind.Agreement => measured >= limit.Value - Rounding,
        _ => measured <= limit.Value + Rounding,
    };

    /// <summary>Whether all that is limited of the loss and of answers is; never where the loss is no number.</summary>
    public static bool AreWithin(BudgetPolicy budget, LossChange loss) => double.IsFinite(loss.RelativeLossError) && budget.Limits.All(limit => IsWithin(limit, Measured(limit, loss)));

    /// <summary>What was measured of each limit, such as "lossError 0.9 %, agreement 98.7 %".</summary>
    public static string Text(BudgetPolicy budget, LossChange loss) => budget.Limits.Count == 1 ? ReportText.Percent(Measured(budget, loss))
        : string.Join(", ", budget.Limits.Select(limit => $"{limit.Key} {ReportText.Percent(Measured(limit, loss))}{(IsWithin(limit, Measured(limit, loss)) ? "" : ", which is over")}"));
}
