using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace MixedPrecision.Benchmarks.Training.Search;

/// <summary>A type or member of .NET and what its documentation says of it in a sentence or two.</summary>
/// <param name="Name">With namespace and type, without type parameters and arguments.</param>
/// <param name="Type">The type itself, or the one that declares the member.</param>
internal sealed partial record ApiEntry(string Name, string Type, string Text)
{
    private const int FewestCharacters = 20;

    /// <summary>Parts of names that people do not look for.</summary>
    private static readonly string[] Hidden = ["#", "Intrinsics", ".Resources", ".Internal", ".op_"];

    /// <summary>The type's name and the member's.</summary>
    public string Query => Name == Type ? Last(Type) : $"{Last(Type)}.{Last(Name)}";

    /// <summary>Entries of the documentation that comes with the SDK this runs with, in the order of their names, types first; none has the text or the query of another.</summary>
    public static IReadOnlyList<ApiEntry> ReadAll()
    {
        string packs = Path.GetFullPath("../../../packs", RuntimeEnvironment.GetRuntimeDirectory());
        string[] files = [.. Directory.EnumerateFiles(packs, "*.xml", SearchOption.AllDirectories).Where(f => f.Replace('\\', '/').Contains($"/ref/net{Environment.Version.Major}.0/", StringComparison.Ordinal))];
        IEnumerable<(bool IsType, ApiEntry Entry)> all = files.SelectMany(Read).OrderBy(e => !e.IsType).ThenBy(e => e.Entry.Name, StringComparer.Ordinal).ThenBy(e => e.Entry.Text, StringComparer.Ordinal);
        return [.. all.Select(e => e.Entry).DistinctBy(e => e.Text).DistinctBy(e => e.Query)];
    }

    private static IEnumerable<(bool IsType, ApiEntry Entry)> Read(string file)
    {
        XDocument document;
        try
        {
            document = XDocument.Load(file);
        }
        catch (XmlException)
        {
            yield break;
        }

        foreach (XElement member in document.Descendants("member"))
        {
            string id = member.Attribute("name")?.Value ?? "";
            if (id.Length < 3 || Hidden.Any(id.Contains) || member.Element("summary") is not XElement summary)
            {
                continue;
            }

            bool isType = id[0] == 'T';
            string name = Arity().Replace(id[2..].Split('(', '~')[0], ""), text = Spaces().Replace(TextOf(summary), " ").Trim();
            if (text.Length >= FewestCharacters && !text.Contains("infrastructure", StringComparison.Ordinal))
            {
                yield return (isType, new ApiEntry(name, isType ? name : name[..Math.Max(0, name.LastIndexOf('.'))], text));
            }
        }
    }

    /// <summary>The words of an element, with the last part of every name that it refers to.</summary>
    private static string TextOf(XElement element) => string.Concat(element.Nodes().Select(node => node switch
    {
        XText text => text.Value,
        XElement { } inner when inner.Attribute("cref") is XAttribute reference => Last(Arity().Replace(reference.Value[Math.Min(2, reference.Value.Length)..].Split('(')[0], "")),
        XElement inner => inner.Attribute("langword")?.Value ?? inner.Attribute("name")?.Value ?? TextOf(inner),
        _ => "",
    }));

    private static string Last(string name) => name[(name.LastIndexOf('.') + 1)..];

    [GeneratedRegex("`+[0-9]+")]
    private static partial Regex Arity();

    [GeneratedRegex("\\s+")]
    private static partial Regex Spaces();
}
