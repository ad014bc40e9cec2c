using System.Globalization;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>Numbers and tables for people: the one place that formats them.</summary>
internal static class ReportText
{
    /// <summary>At least three significant digits: 0.0123, 12.3, 1234, 1.23e-07.</summary>
    public static string Number(double value) => Math.Abs(value) is 0 or (>= 0.001 and < 100_000)
        ? value.ToString(Decimals(value), CultureInfo.InvariantCulture)
        : value.ToString("0.##e-00", CultureInfo.InvariantCulture);

    /// <summary>A fraction as percent, three significant digits: 0.82 %.</summary>
    public static string Percent(double fraction) => Number(fraction * 100) + " %";

    /// <summary>A fraction near to 1 as percent, two decimals: 99.95 %.</summary>
    public static string NearlyAll(double fraction) => (fraction * 100).ToString("0.##", CultureInfo.InvariantCulture) + " %";

    /// <summary>A time with its unit: 0.123 ms.</summary>
    public static string Milliseconds(double milliseconds) => Number(milliseconds) + " ms";

    /// <summary>A factor: 1.52×.</summary>
    public static string Factor(double factor) => factor.ToString("0.00", CultureInfo.InvariantCulture) + "×";

    /// <summary>A number of bytes in MB of 1,000,000 bytes, in kB when it is small, or in GB when it is large.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1_000_000 => (bytes / 1e3).ToString("0.0", CultureInfo.InvariantCulture) + " kB",
        < 1_000_000_000 => (bytes / 1e6).ToString("0.00", CultureInfo.InvariantCulture) + " MB",
        _ => (bytes / 1e9).ToString("0.00", CultureInfo.InvariantCulture) + " GB",
    };

    /// <summary>A count: 3,407,123.</summary>
    public static string Count(long count) => count.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>"1 sample", "2 samples".</summary>
    public static string Count(long count, string noun) => $"{Count(count)} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>"768×192", or a dash for a product of two activations.</summary>
    public static string Shape(IReadOnlyList<long> shape) => shape.Count == 0 ? "–" : string.Join('×', shape);

    /// <summary>Rows with their columns aligned, indented by two spaces; no line ends in a space. Cells may be untrusted text; one that may be long is cut by the caller.</summary>
    public static IEnumerable<string> Table(IReadOnlyList<IReadOnlyList<string>> cells)
    {
        if (cells.Count == 0)
        {
            return [];
        }

        string[][] rows = [.. cells.Select(row => row.Select(Wording.EscapeWhole).ToArray())];
        int[] widths = [.. Enumerable.Range(0, rows.Max(r => r.Length)).Select(column => rows.Max(r => column < r.Length ? r[column].Length : 0))];
        return rows.Select(row => ("  " + string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column])))).TrimEnd());
    }

    /// <summary>Warnings, each on a line of its own.</summary>
    public static IEnumerable<string> Warnings(IEnumerable<string> warnings) => warnings.Select(w => "warning: " + w);

    private static string Decimals(double value)
    {
        int digits = value == 0 ? 0 : Math.Clamp(2 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 5);
        return digits == 0 ? "0" : "0." + new string('#', digits);
    }
}
