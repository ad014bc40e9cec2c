using MixedPrecision.Execution;

namespace MixedPrecision.Reporting;

/// <summary>Session options that make the shipped file faster, and that the policy does not say the app sets.</summary>
/// <param name="Option">What it is called.</param>
/// <param name="Set">The statements that set it, of C#, on an app's <c>SessionOptions options</c>.</param>
/// <param name="Price">What an app gives for it; null: nothing.</param>
/// <param name="Gain">What it saves, as a share of the shipped file's time without it: lower end of the interval, centre, upper end.</param>
public sealed record SessionAdvice(string Option, IReadOnlyList<SessionOption> Set, string? Price, IReadOnlyList<double> Gain)
{
    internal string ToLine() =>
        $"advice: {string.Join(' ', Set.Select(o => o.ToCode()))} saves {ReportText.Percent(Gain[1])} of the time [{ReportText.Percent(Gain[0])}, {ReportText.Percent(Gain[2])}]"
        + (Price is null ? "" : $"; {Price}");
}
