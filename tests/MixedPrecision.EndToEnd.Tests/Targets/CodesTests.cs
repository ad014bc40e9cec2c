using System.Reflection;
using System.Text.RegularExpressions;
using MixedPrecision.Cli;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>The codes that targets and task write themselves, since they cannot use the engine's list.</summary>
public sealed class CodesTests
{
    private static readonly ErrorCode[] All = [.. typeof(Codes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (ErrorCode)field.GetValue(null)!)];

    [Theory]
    [InlineData("build/MixedPrecision.Build.targets")]
    [InlineData("src/MixedPrecision.Build/MixedPrecisionQuantize.cs")]
    [InlineData("src/MixedPrecision.Build/MixedPrecisionFiles.cs")]
    [InlineData("src/MixedPrecision.Build/MixedPrecisionTool.cs")]
    public void Every_code_and_every_link_is_one_of_the_list(string file)
    {
        string text = File.ReadAllText(Repository.Path(file));
        string[] codes = [.. Regex.Matches(text, "MPB[0-9]{4}").Select(match => match.Value)];
        string[] anchors = [.. Regex.Matches(text, "#mpb[0-9]{4}[a-z-]*").Select(match => match.Value)];

        Assert.NotEmpty(codes);
        Assert.NotEmpty(anchors);
        Assert.Subset(All.Select(code => code.Id).ToHashSet(), codes.ToHashSet());
        Assert.Subset(All.Select(code => "#" + Reporter.HelpLink(code).Split('#')[^1]).ToHashSet(), anchors.ToHashSet());
    }

    [Fact]
    public void The_page_that_links_point_to_lies_beside_the_tool() =>
        Assert.All(All, code => Assert.True(File.Exists(new Uri(Reporter.HelpLink(code)).LocalPath), code.Id));
}
