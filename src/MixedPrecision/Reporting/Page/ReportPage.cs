using System.Security.Cryptography;
using System.Text;
using static MixedPrecision.Reporting.Page.Markup;

namespace MixedPrecision.Reporting.Page;

/// <summary>
/// A manifest as one HTML file for people: a function of the manifest alone. It loads nothing, and says so to the browser, which then refuses; its tables are whole without
/// scripts. What the manifest has from a model, a policy or a machine is escaped.
/// </summary>
public static class ReportPage
{
    /// <summary>Of the file beside the manifest: model.mixed.report.html.</summary>
    public const string Extension = ".report.html";

    public static string Write(Manifest manifest)
    {
        var data = PageData.Of(manifest);
        string style = Resource("page.css");
        string script = Resource("page.js");
        Markup[] sections =
        [
            .. new[]
            {
                WarningsSection.Of(data), BudgetSection.Of(data), FrontierSection.Of(data), LayersSection.Of(data), PredictionSection.Of(data), TimingsSection.Of(data), AttemptsSection.Of(data),
                StrategiesSection.Of(data), NextSection.Of(data), ProvenanceSection.Of(data),
            }.OfType<Section>().Select(s => s.ToMarkup()),
        ];
        Markup page = Tag(
            "html",
            [("lang", "en")],
            Tag(
                "head",
                Tag("meta", [("charset", "utf-8")]),
                Tag("meta", [("name", "viewport"), ("content", "width=device-width, initial-scale=1")]),
                Tag("meta", [("name", "color-scheme"), ("content", "light dark")]),
                Tag("meta", [("http-equiv", "Content-Security-Policy"), ("content", $"default-src 'none'; style-src '{Hash(style)}'; script-src '{Hash(script)}'; base-uri 'none'; form-action 'none'")]),
                Tag("title", $"{manifest.Output.File}: mixed precision"),
                Tag("style", Trusted(style))),
            Tag("body", Heading.Of(data), Tag("main", sections), Tag("script", Trusted(script))));
        return $"<!doctype html>\n{page}\n";
    }

    private static string Resource(string name)
    {
        using Stream stream = typeof(ReportPage).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"'{name}' is no part of the assembly");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    private static string Hash(string text) => "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
