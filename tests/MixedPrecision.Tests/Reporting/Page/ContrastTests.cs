using System.Globalization;
using System.Text.RegularExpressions;
using MixedPrecision.Reporting.Page;

namespace MixedPrecision.Tests.Reporting.Page;

/// <summary>Contrast of the page's colours after WCAG 2.2 (1.4.3 and 1.4.11), light and dark.</summary>
public class ContrastTests
{
    private const double OfText = 4.5;
    private const double OfGraphics = 3;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ColoursStandOutFromThePaper(bool isDark)
    {
        string page = ReportPage.Write(Examples.Manifest);
        string[] blocks = [.. Regex.Matches(page, ":root \\{(.*?)\\}", RegexOptions.Singleline).Select(m => m.Groups[1].Value)];
        Assert.Equal(2, blocks.Length);
        Dictionary<string, string> colours = Regex.Matches(blocks[isDark ? 1 : 0], "--([a-z0-9]+): (#[0-9a-f]{6});").ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
        Assert.All(["ink", "soft", "accent"], name =>
        {
            Assert.InRange(Contrast(colours[name], colours["paper"]), OfText, 21);
            Assert.InRange(Contrast(colours[name], colours["raised"]), OfText, 21);
        });
        string[] formats = [.. colours.Keys.Except(["ink", "soft", "accent", "paper", "raised", "rule"])];
        Assert.Equal(9, formats.Length);
        Assert.All(formats, name => Assert.True(Contrast(colours[name], colours["paper"]) >= OfGraphics, $"{name}: {Contrast(colours[name], colours["paper"])}"));
    }

    private static double Contrast(string a, string b)
    {
        double[] both = [Luminance(a), Luminance(b)];
        return (both.Max() + 0.05) / (both.Min() + 0.05);
    }

    private static double Luminance(string colour)
    {
        double[] channels = [.. colour[1..].Chunk(2).Select(c => int.Parse(c, NumberStyles.HexNumber, CultureInfo.InvariantCulture) / 255.0).Select(c => c <= 0.04045 ? c / 12.92 : Math.Pow((c + 0.055) / 1.055, 2.4))];
        return (0.2126 * channels[0]) + (0.7152 * channels[1]) + (0.0722 * channels[2]);
    }
}
