using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>Elements of SVG. Colours and lines are the style's, by class.</summary>
internal static class Drawing
{
    public static Markup Rectangle(string cls, double x, double y, double width, double height) => Tag(
        "rect", [("class", cls), ("x", Plain(x)), ("y", Plain(y)), ("width", Plain(Math.Max(0, width))), ("height", Plain(Math.Max(0, height)))]);

    public static Markup Line(string cls, double x1, double y1, double x2, double y2) =>
        Tag("line", [("class", cls), ("x1", Plain(x1)), ("y1", Plain(y1)), ("x2", Plain(x2)), ("y2", Plain(y2))]);

    public static Markup Circle(string cls, double x, double y, double radius) => Tag("circle", [("class", cls), ("cx", Plain(x)), ("cy", Plain(y)), ("r", Plain(radius))]);

    /// <summary>A square that stands on a corner.</summary>
    public static Markup Diamond(string cls, double x, double y, double radius) =>
        Shape(cls, $"M{Plain(x)} {Plain(y - radius)}L{Plain(x + radius)} {Plain(y)}L{Plain(x)} {Plain(y + radius)}L{Plain(x - radius)} {Plain(y)}Z");

    public static Markup Shape(string cls, string data) => Tag("path", [("class", cls), ("d", data)]);

    /// <param name="anchor">"start", "middle" or "end".</param>
    public static Markup Text(string cls, double x, double y, string anchor, string text) =>
        Tag("text", [("class", cls), ("x", Plain(x)), ("y", Plain(y)), ("text-anchor", anchor)], text);

    /// <summary>A part of a drawing that a person can point at or reach by keys: says itself in words, also without scripts.</summary>
    /// <param name="isFirst">Whether the tab key reaches it; arrow keys reach the others.</param>
    public static Markup Point(string cls, string words, bool isFirst, params ReadOnlySpan<Markup> shapes) => Tag(
        "g",
        [("class", cls), ("role", "img"), ("tabindex", isFirst ? "0" : "-1"), ("data-point", ""), ("aria-label", words)],
        [Tag("title", words), .. shapes]);
}
