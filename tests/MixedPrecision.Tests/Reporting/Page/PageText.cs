using System.Text.RegularExpressions;
using System.Xml.Linq;
using MixedPrecision.Reporting;
using MixedPrecision.Reporting.Page;

namespace MixedPrecision.Tests.Reporting.Page;

/// <summary>A page as a tree. What the generator writes is XML but for the elements without an end; text that had become markup would break it or show in it.</summary>
internal static partial class PageText
{
    public static XElement Tree(Manifest manifest) => Tree(ReportPage.Write(manifest));

    public static XElement Tree(string page)
    {
        string xml = page.Replace("<!doctype html>", "", StringComparison.Ordinal);
        xml = WithoutEnd().Replace(xml, "$0</$1>");
        xml = Raw().Replace(xml, "<$1><![CDATA[$2]]></$1>");
        return XElement.Parse(xml);
    }

    public static IEnumerable<XElement> All(this XElement tree, string name) => tree.DescendantsAndSelf(name);

    public static XElement ById(this XElement tree, string id) => tree.Descendants().Single(e => (string?)e.Attribute("id") == id);

    [GeneratedRegex("<(meta|br)( [^>]*)?>")]
    private static partial Regex WithoutEnd();

    [GeneratedRegex("<(style|script)>(.*?)</\\1>", RegexOptions.Singleline)]
    private static partial Regex Raw();
}
