using static MixedPrecision.Reporting.Page.Markup;

namespace MixedPrecision.Reporting.Page;

/// <summary>What the reader should know first.</summary>
internal static class WarningsSection
{
    public static Section? Of(PageData data)
    {
        string[] warnings =
        [
            .. data.Manifest.Warnings,
            .. data.Manifest.Measured.Scenarios.SelectMany(s => s.Warnings.Select(w => $"{s.Name}: {w}")),
        ];
        return warnings.Length == 0 ? null : new Section("warnings", "Take note", Tag("ul", [.. warnings.Select(w => Tag("li", Name(w)))]));
    }
}
