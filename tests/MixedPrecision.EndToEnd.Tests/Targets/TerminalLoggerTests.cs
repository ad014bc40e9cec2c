using System.Text.RegularExpressions;
using MixedPrecision.EndToEnd.Tests.Cli;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>What a person sees who publishes at a terminal, where MSBuild's logger hides messages of every importance.</summary>
public sealed partial class TerminalLoggerTests : IClassFixture<AppFixture>
{
    private readonly AppFixture app;

    public TerminalLoggerTests(AppFixture app)
    {
        this.app = app;
        app.Reset();
    }

    [Fact]
    public void The_result_and_where_the_reports_are_stand_behind_the_project()
    {
        string first = Shown(app.Publish("-tl:on"));
        Assert.Matches(@"App net10\.0 succeeded.* → out/\n    model\.mixed: 1\.62× faster, 13\.6 → 8\.35 MB\n    report: .*/emitted/model\.mixed\.report\.html\n    report: .*/emitted/model\.mixed\.report\.txt\n", first);
        // The logger shows the classic one's lines only when asked for more.
        Assert.DoesNotContain("calibrate: done", first, StringComparison.Ordinal);

        Assert.Contains("    model.mixed: 1.62× faster, 13.6 → 8.35 MB; reused, nothing changed\n", Shown(app.Publish("-tl:on")), StringComparison.Ordinal);
    }

    [Fact]
    public void So_they_do_behind_a_project_that_another_one_publishes()
    {
        string shown = Shown(ProcessRun.Dotnet(app.Other, "publish", "-c", "Release", "--no-restore", "-o", app.Published(""), "-nodeReuse:false", "-tl:on"));
        Assert.Contains("model.mixed: 1.62× faster, 13.6 → 8.35 MB\n", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void The_real_tool_says_it_in_one_sentence_and_the_rest_in_a_file()
    {
        using var model = new SmallModel();
        string[] real =
        [
            $"-p:MixedPrecisionToolPath={Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll")}",
            $"-p:MixedPrecisionPolicy={model.Policy}",
            $"-p:MixedPrecisionCacheDirectory={model.Cache}",
        ];
        model.WritePolicy("objective: theoretical-time");
        string shown = Shown(app.Publish([.. real, "-tl:on"]));
        Match sentence = Sentence().Match(shown);
        Assert.True(sentence.Success, shown);
        string[] report = File.ReadAllLines(app.Stage("emitted/" + AppFixture.TextReport));
        Assert.Equal(sentence.Groups[1].Value, report[0]);
        Assert.Contains(report, line => line.StartsWith("model.mixed.onnx: 2 layers: ", StringComparison.Ordinal));

        ProcessRun again = app.Publish(real);
        Assert.Contains(report[0] + "; reused, nothing changed", again.Output, StringComparison.Ordinal);
        app.Reset();
        ProcessRun classic = app.Publish(real);
        Assert.Equal(1, classic.Output.Split('\n').Count(line => line.Trim() == "observe: reused"));
        Assert.DoesNotContain("started", classic.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("2 layers: ", classic.Output, StringComparison.Ordinal);
        Assert.Contains("  " + report[0] + "\n", classic.Output, StringComparison.Ordinal);
    }

    /// <summary>The lines that stay, without colours, links and what is drawn over.</summary>
    private static string Shown(ProcessRun run)
    {
        Assert.True(run.ExitCode == 0, run.All);
        return Sequences().Replace(run.Output, "").Replace("\r", "", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"\e\[[0-9;?]*[A-Za-z]|\e\][^\e]*\e\\")]
    private static partial Regex Sequences();

    [GeneratedRegex(@"^    (model: .*loss error [0-9.]+ % of 1 % allowed, accuracy .* → .* %, .* → .* kB)$", RegexOptions.Multiline)]
    private static partial Regex Sentence();
}
