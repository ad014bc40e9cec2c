using System.Globalization;

namespace MixedPrecision.Reporting.Page;

/// <summary>Numbers of the page, as text and as co-ordinates.</summary>
internal static class Quantity
{
    public const string Milliseconds = "milliseconds";
    public const string None = "–";

    /// <summary>A gain with its unit: 1.25 ms, 3.40 MB, 1.2e+09 multiply-accumulates.</summary>
    public static string Gain(double value, string unit) => unit switch
    {
        Milliseconds => ReportText.Milliseconds(value),
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

    /// <summary>"1.25 ms [1.13 ms, 1.50 ms]"; without an interval where both ends are the value.</summary>
    public static string WithInterval(ReportedGain gain) => gain.Interval is [double low, double high] && (low != gain.Value || high != gain.Value)
        ? $"{Gain(gain.Value, gain.Unit)} [{Gain(low, gain.Unit)}, {Gain(high, gain.Unit)}]"
        : Gain(gain.Value, gain.Unit);

    /// <summary>Ends of the interval, or twice the value where a manifest has none.</summary>
    public static (double Low, double High) Ends(ReportedGain gain) => gain.Interval is [double low, double high] ? (low, high) : (gain.Value, gain.Value);

    public static string Percent(double? fraction) => fraction is { } f ? ReportText.Percent(f) : None;

    /// <summary>A co-ordinate or another number that programs read.</summary>
    public static string Plain(double value) => double.IsFinite(value) ? value.ToString("0.###", CultureInfo.InvariantCulture) : "0";

    /// <summary>A number to sort by, whole.</summary>
    public static string Key(double? value) => value is { } v && double.IsFinite(v) ? v.ToString("R", CultureInfo.InvariantCulture) : "-1";
}
