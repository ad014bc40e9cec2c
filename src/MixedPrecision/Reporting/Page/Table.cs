using static MixedPrecision.Reporting.Page.Markup;

namespace MixedPrecision.Reporting.Page;

/// <summary>A column: its heading, and whether it holds numbers, which stand to the right.</summary>
internal sealed record Column(string Heading, bool IsNumber = false);

/// <summary>A cell, and what it is sorted by where that is not its text.</summary>
internal readonly record struct Cell(Markup Content, string? Key = null)
{
    public static implicit operator Cell(string text) => new(text);

    public static implicit operator Cell(Markup content) => new(content);
}

/// <summary>Tables that scroll by themselves where they are wider than the screen. The first cell of a row is its heading.</summary>
internal static class Table
{
    /// <param name="caption">What it shows.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="rows">Its rows; each has a cell for each column.</param>
    /// <param name="isSortable">Whether a script may sort it.</param>
    /// <param name="chosen">Row that stands out, or -1.</param>
    public static Markup Of(string caption, IReadOnlyList<Column> columns, IEnumerable<IReadOnlyList<Cell>> rows, bool isSortable = false, int chosen = -1) => Tag(
        "div",
        [("class", "wide"), ("role", "region"), ("tabindex", "0"), ("aria-label", caption)],
        Tag(
            "table",
            [("data-sortable", isSortable ? "" : null)],
            Tag("caption", caption),
            Tag("thead", Tag("tr", [.. columns.Select(c => Tag("th", [("scope", "col"), ("class", Class(c))], c.Heading))])),
            Tag("tbody", [.. rows.Select((row, r) => Tag("tr", [("class", r == chosen ? "chosen" : null)], [.. row.Select((cell, i) => Of(cell, columns[i], i == 0))]))])));

    /// <summary>What is shown on demand: works without scripts.</summary>
    public static Markup Details(string summary, bool isOpen, params ReadOnlySpan<Markup> content) => Tag("details", [("open", isOpen ? "" : null)], [Tag("summary", summary), .. content]);

    private static Markup Of(Cell cell, Column column, bool isHeading) => isHeading
        ? Tag("th", [("scope", "row"), ("class", Class(column)), ("data-sort", cell.Key)], cell.Content)
        : Tag("td", [("class", Class(column)), ("data-sort", cell.Key)], cell.Content);

    private static string? Class(Column column) => column.IsNumber ? "number" : null;
}
