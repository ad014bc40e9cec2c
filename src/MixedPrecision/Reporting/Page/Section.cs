using static MixedPrecision.Reporting.Page.Markup;

namespace MixedPrecision.Reporting.Page;

/// <summary>A part of the page with a heading.</summary>
/// <param name="Id">What links lead to.</param>
/// <param name="Title">The heading.</param>
/// <param name="Content">What stands under it.</param>
internal sealed record Section(string Id, string Title, params IReadOnlyList<Markup> Content)
{
    public Markup ToMarkup() => Tag("section", [("id", Id), ("aria-labelledby", Id + "-title")], [Tag("h2", [("id", Id + "-title")], Title), .. Content]);
}
