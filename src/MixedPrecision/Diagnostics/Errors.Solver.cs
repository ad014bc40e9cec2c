using System.Globalization;

namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    /// <param name="policy">The policy, as the user named it.</param>
    /// <param name="budget">τ as stated, a fraction of 1.</param>
    /// <param name="smallestBudget">The smallest τ that is feasible, a fraction of 1.</param>
    /// <param name="layers">The layers without a choice free of loss, with the τ that each takes by itself, largest first.</param>
    public static MixedPrecisionException BudgetInfeasible(
        string policy, double budget, double smallestBudget, IReadOnlyList<(string Layer, double Budget)> layers)
    {
        const int Named = 5;
        string names = string.Join(", ", layers.Take(Named).Select(layer => $"'{layer.Layer}' ({Percent(layer.Budget)})"));
        string more = layers.Count > Named ? $" and {layers.Count - Named} more" : "";
        return new MixedPrecisionException(
            Codes.BudgetInfeasible,
            new Place(policy),
            $"No plan meets the budget of {Percent(budget)}: the formats that the policy allows need at least {Percent(smallestBudget)}. In the way stand layers "
            + $"that may not stay in fp32: {names}{more}. Raise the budget to {Percent(smallestBudget)}, or allow these layers fp32.");
    }

    /// <summary>MPB6002: the formats that rules pin are measured to lead over the budget, and nothing less is allowed.</summary>
    public static MixedPrecisionException RulesOverBudget(string policy, string budget, double measured, IReadOnlyList<string> layers) => new(
        Codes.RulesOverBudget,
        new Place(policy),
        $"The layers that rules pin ({Wording.List(layers)}) lead to {Percent(measured)} on the evaluation samples, with every other layer as it is; the budget is {budget}. "
        + "Raise the budget, or pin fewer layers.");

    /// <summary>Four digits, rounded up: a budget of the number printed is feasible.</summary>
    private static string Percent(double fraction)
    {
        double percent = fraction * 100;
        if (percent == 0)
            return "0 %";
        double unit = Math.Pow(10, Math.Floor(Math.Log10(percent)) - 3);
        return (Math.Ceiling((percent / unit) - 1e-9) * unit).ToString("G4", CultureInfo.InvariantCulture) + " %";
    }
}
