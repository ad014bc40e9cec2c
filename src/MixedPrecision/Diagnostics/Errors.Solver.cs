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

    /// <summary>MPB6003: no plan is predicted to be small enough within the loss that is allowed.</summary>
    /// <param name="place">Where the limit stands.</param>
    /// <param name="limit">The limit in the policy's words.</param>
    /// <param name="most">The same in bytes.</param>
    /// <param name="budget">τ of the plan, a fraction of 1.</param>
    /// <param name="smallest">Bytes of the smallest file within it.</param>
    /// <param name="budgetOfSmallest">τ that is predicted of that.</param>
    /// <param name="leastBudget">The least τ at which a file is small enough, as far as found; null: none is.</param>
    public static MixedPrecisionException SizeInfeasible(Place place, string limit, long most, double budget, long smallest, double budgetOfSmallest, double? leastBudget) => new(
        Codes.SizeNotMet, place,
        $"No plan meets {limit} ({Size(most)}) at a relative loss error of {Percent(budget)}: the smallest file within it has about {Size(smallest)}, at a predicted loss error of {Percent(budgetOfSmallest)}. "
        + (leastBudget is { } least ? $"With a loss error of {Percent(least)} a file of {Size(most)} is possible. Allow that, or {Size(smallest)}, or add formats of fewer bits."
            : $"The formats that the policy allows make no smaller one, whatever the loss. Allow {Size(smallest)}, or add formats of fewer bits."));

    /// <summary>MPB6003: no file was measured to be within all limits, and the original is too large to take their place.</summary>
    public static MixedPrecisionException SizeNotMet(Place place, string limit, long original, string reason) => new(
        Codes.SizeNotMet, place,
        $"No file meets {limit} and all other limits: {reason}. The original, which would be kept, has {Size(original)}. Raise the limit or the budget, or add formats of fewer bits.");

    /// <summary>MPB6004: the file is slower than the original, which is too large.</summary>
    public static Diagnostic SlowerForSize(Place place, string limit, long bytes, long original, double lost, (double Low, double High) interval, double share) => new(
        Codes.SlowerForSize, Severity.Warning, place,
        string.Create(CultureInfo.InvariantCulture, $"what ships is slower than the original, which is too large for {limit}: {Size(bytes)} in place of {Size(original)}, and {lost:0.###} ms more a run [{interval.Low:0.###}, {interval.High:0.###}], {share * 100:0.#} % of it. ")
            + "It is the fastest of the files that were small enough. A larger limit, or formats of fewer bits that run fast here, may avoid that.");

    private static string Size(long bytes) => bytes < 1_000_000 ? string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} kB") : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.00} MB");

    /// <summary>MPB6002: the formats that rules pin are measured to lead over the budget, and nothing less is allowed.</summary>
    public static MixedPrecisionException RulesOverBudget(string policy, string budget, string measured, IReadOnlyList<string> layers) => new(
        Codes.RulesOverBudget,
        new Place(policy),
        $"The layers that rules pin ({Wording.List(layers)}) lead to {measured} on the evaluation samples, with every other layer as it is; the budget is {budget}. "
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
