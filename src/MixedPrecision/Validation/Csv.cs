using System.Globalization;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Validation;

/// <summary>Tables as comma-separated values (RFC 4180, but for line feeds): numbers in the shortest form that reads back to the same number.</summary>
internal static class Csv
{
    /// <param name="header">Names of the columns.</param>
    /// <param name="rows">Cells: numbers, texts, or null for none.</param>
    public static string Of(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<object?>> rows) =>
        string.Concat(rows.Select(row => row.Select(Cell)).Prepend(header).Select(cells => string.Join(',', cells) + "\n"));

    private static string Cell(object? value) => value switch
    {
        null => "",
        string text => Quoted(Wording.Escape(text)),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new ArgumentException($"no cell for a {value.GetType()}"),
    };

    private static string Quoted(string text) => text.AsSpan().ContainsAny(',', '"') ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
}
