using System;
using System.Globalization;
using System.Linq;

namespace MixedPrecision.Build;

/// <summary>Texts as MSBuild takes them.</summary>
internal static class Escaping
{
    private const string Special = "%*?@$();'";

    /// <summary>What an item or a piece of metadata has to be given for it to read as a text.</summary>
    public static string Escape(string text) =>
        string.Concat(text.Select(c => Special.IndexOf(c) < 0 ? c.ToString() : "%" + ((int)c).ToString("x2", CultureInfo.InvariantCulture)));

    /// <summary>The section of the page about errors, which lies beside the tool.</summary>
    public static string HelpLink(string toolAssembly, string anchor) => new Uri(new Uri(toolAssembly), "errors.md").AbsoluteUri + anchor;
}
