using System.Globalization;

namespace MixedPrecision.Reporting.Page;

/// <summary>Numbers of the page, as text and as co-ordinates.</summary>
internal static class Quantity
{
    public const string Milliseconds = "milliseconds";
    public const string None = "–";
    private const double LeastShare = 1e-4;
    private const double LeastNumber = 0.001;

    /// <summary>A gain with its unit: 1.25 ms, 3.40 MB, 1.2e+09 multiply-accumulates.</summary>
    public static string Gain(double value, string unit) => unit switch
    {
        Milliseconds => $"{Time(value)} ms",
        "bytes" => (value < 0 ? "−" : "") + ReportText.Bytes((long)Math.Abs(value)),
        _ => $"{ReportText.Number(value)} {unit}",
    };

    /// <summary>What a gain is of: "ms a run".</summary>
    public static string Unit(string unit) => unit switch
    {
        Milliseconds => "ms a run",
        "bytes" => "bytes",
        _ => $"{unit} a run",
    };

    /// <summary>"1.25 ms [1.13, 1.5]"; without an interval where both ends are the value.</summary>
    public static string WithInterval(ReportedGain gain) => gain.Interval is not [double low, double high] || (low == gain.Value && high == gain.Value) ? Gain(gain.Value, gain.Unit)
        : gain.Unit == Milliseconds ? $"{Gain(gain.Value, gain.Unit)} [{Time(low)}, {Time(high)}]"
        : $"{Gain(gain.Value, gain.Unit)} [{Gain(low, gain.Unit)}, {Gain(high, gain.Unit)}]";

    /// <summary>A share of the allowed loss in a sentence; what is next to nothing is not told in powers of ten.</summary>
    public static string Share(double fraction) => fraction is > 0 and < LeastShare ? "less than 0.01 %" : ReportText.Percent(fraction);

    /// <summary>The same in a column: two decimals.</summary>
    public static string ShareInColumn(double? fraction) => fraction is not { } f ? None
        : f is > 0 and < LeastShare ? "< 0.01 %" : (f * 100).ToString("#,0.00", CultureInfo.InvariantCulture) + " %";

    public static string Percent(double? fraction) => fraction is { } f ? ReportText.Percent(f) : None;

    /// <summary>Microseconds and less as decimals too: one column has one unit.</summary>
    private static string Time(double milliseconds) =>
        Math.Abs(milliseconds) is > 0 and < LeastNumber ? milliseconds.ToString("0.######", CultureInfo.InvariantCulture) : ReportText.Number(milliseconds);

    /// <summary>A co-ordinate or another number that programs read.</summary>
    public static string Plain(double value) => double.IsFinite(value) ? value.ToString("0.###", CultureInfo.InvariantCulture) : "0";

    /// <summary>A number to sort by, whole.</summary>
    public static string Key(double? value) => value is { } v && double.IsFinite(v) ? v.ToString("R", CultureInfo.InvariantCulture) : "-1";
}
