using System.Globalization;
using System.Text;

namespace MixedPrecision.Reporting.Page;

/// <summary>HTML that is safe to put into a page: a text becomes one by being escaped, an element by <see cref="Tag(string, ReadOnlySpan{Markup})"/>.</summary>
internal readonly struct Markup
{
    private static readonly HashSet<string> WithoutEnd = ["br", "meta"];

    private readonly string? html;

    private Markup(string html) => this.html = html;

    public static implicit operator Markup(string text) => new(Escape(text));

    /// <summary>What is HTML already: files of this assembly, never anything of a manifest.</summary>
    public static Markup Trusted(string html) => new(html);

    public static Markup Tag(string name, params ReadOnlySpan<Markup> children) => Tag(name, [], children);

    /// <param name="name">Name of the element.</param>
    /// <param name="attributes">Names and values; those without a value are left out.</param>
    /// <param name="children">What stands in it.</param>
    public static Markup Tag(string name, (string Name, string? Value)[] attributes, params ReadOnlySpan<Markup> children)
    {
        var text = new StringBuilder().Append('<').Append(name);
        foreach ((string attribute, string? value) in attributes)
        {
            if (value is not null)
            {
                text.Append(' ').Append(attribute).Append("=\"").Append(Escape(value)).Append('"');
            }
        }

        text.Append('>');
        foreach (Markup child in children)
        {
            text.Append(child.html);
        }

        return new(WithoutEnd.Contains(name) ? text.ToString() : text.Append("</").Append(name).Append('>').ToString());
    }

    /// <summary>One after the other.</summary>
    public static Markup All(params IEnumerable<Markup> parts) => new(string.Concat(parts.Select(p => p.html)));

    /// <summary>A name from the model: apart from the direction of writing around it, and broken where it has to be.</summary>
    public static Markup Name(string name) => Tag("bdi", [("class", "name")], name);

    public override string ToString() => html ?? "";

    /// <summary>For text and for values of attributes. Control characters, which HTML cannot hold, are shown by their codes.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            _ = c switch
            {
                '&' => escaped.Append("&amp;"),
                '<' => escaped.Append("&lt;"),
                '>' => escaped.Append("&gt;"),
                '"' => escaped.Append("&quot;"),
                '\'' => escaped.Append("&#39;"),
                _ when char.IsControl(c) => escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => escaped.Append(c),
            };
        }

        return escaped.ToString();
    }
}
