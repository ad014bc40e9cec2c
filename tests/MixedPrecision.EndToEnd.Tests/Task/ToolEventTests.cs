using CsCheck;
using Microsoft.Build.Framework;
using MixedPrecision.Build;
using MixedPrecision.Cli;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;

namespace MixedPrecision.EndToEnd.Tests.Task;

/// <summary>From what the tool writes to what MSBuild logs.</summary>
public sealed class ToolEventTests
{
    [Fact]
    public void An_error_carries_code_place_and_help()
    {
        var task = new TaskProbe();
        task.Read(Written(reporter => reporter.Diagnose(new Diagnostic(Codes.PolicyUnknownKey, Severity.Error, new Place("/a b/é.yaml", 3, 7), "unknown key '{0}'"))));

        BuildErrorEventArgs error = Assert.Single(task.Errors);
        Assert.Equal(("MPB1005", "/a b/é.yaml", 3, 7, "unknown key '{0}'"), (error.Code, error.File, error.LineNumber, error.ColumnNumber, error.Message));
        Assert.EndsWith("errors.md#mpb1005-unknown-key-in-the-policy", error.HelpLink, StringComparison.Ordinal);
    }

    [Fact]
    public void A_warning_about_a_node_names_it_in_the_text_and_its_file_by_the_full_path()
    {
        var task = new TaskProbe();
        task.Read(Written(reporter => reporter.Diagnose(new Diagnostic(Codes.GraphInvalid, Severity.Warning, new Place("m.onnx", Node: "/q"), "odd")), "/app"));

        BuildWarningEventArgs warning = Assert.Single(task.Warnings);
        Assert.Equal(("MPB2007", "/app/m.onnx", 0, "node '/q': odd"), (warning.Code, warning.File, warning.LineNumber, warning.Message));
    }

    [Fact]
    public void Results_are_shown_and_progress_is_not()
    {
        var task = new TaskProbe();
        task.Read(Written(reporter => reporter.Result(["1.6 times as fast"])));
        task.Read(Written(reporter => reporter.Progress(new ProgressUpdate("calibrate", "sample 3", 0.5, TimeSpan.FromSeconds(4)))));

        task.Read(Written(reporter => reporter.Progress(new ProgressUpdate("solve", "done in 0.0 s") { IsPart = true })));

        Assert.Equal([("1.6 times as fast", MessageImportance.High), ("calibrate: sample 3 50 %, 4 s left", MessageImportance.Low), ("solve: done in 0.0 s", MessageImportance.Low)], task.Messages.Select(m => (m.Message, m.Importance)));
    }

    [Fact]
    public void A_stage_is_one_line()
    {
        var task = new TaskProbe();
        task.Read(Written(reporter => reporter.Progress(new ProgressUpdate("calibrate", "started"))));
        task.Read(Written(reporter => reporter.Progress(new ProgressUpdate("calibrate", "done in 0.2 s"))));

        Assert.Equal([("calibrate: started", MessageImportance.Low), ("calibrate: done in 0.2 s", MessageImportance.High)], task.Messages.Select(m => (m.Message, m.Importance)));
    }

    [Fact]
    public void A_result_says_what_it_came_from()
    {
        ToolEvent? result = ToolEvent.TryParse(Written(reporter => reporter.Emitted("m: 2.0× faster", "m.mixed.onnx", ["/a b/m.onnx", "/a b/m.data"])));

        Assert.Equal(("result", "m: 2.0× faster", "m.mixed.onnx"), (result?.Kind, result?.Text, result?.Output));
        Assert.Equal(["/a b/m.onnx", "/a b/m.data"], result?.Originals);
    }

    [Fact]
    public void Any_text_arrives_as_it_is() =>
        Gen.String.Where(text => text.All(c => !char.IsSurrogate(c))).Sample(
            text => ToolEvent.TryParse(Written(reporter => reporter.Result([text])))?.Text == text, iter: 500);

    [Fact]
    public void Any_other_line_is_no_event_and_no_exception() =>
        Gen.Select(Gen.Int[0, 60], Gen.Char["{}\",:\\u09ab n"], Gen.Int[0, 60]).Sample((at, with, cut) =>
        {
            string line = "{\"kind\":\"message\",\"line\":3,\"text\":\"a\\u00e9\\n\"}";
            string damaged = line[..Math.Min(at, line.Length)] + with + line[Math.Min(at, line.Length)..];
            string end = damaged[..Math.Min(cut, damaged.Length)];
            return ToolEvent.TryParse(end) is null || JsonLine.TryParse(end) is not null;
        }, iter: 2000);

    [Theory]
    [InlineData("")]
    [InlineData("Unhandled exception.")]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("{\"kind\":\"message\"}")]
    [InlineData("{\"kind\":\"shout\",\"text\":\"x\"}")]
    [InlineData("{\"kind\":\"message\",\"text\":null}")]
    [InlineData("{\"kind\":\"message\",\"text\":\"x\"} trailing")]
    [InlineData("{\"kind\":\"message\",\"text\":\"x\\q\"}")]
    [InlineData("{\"kind\":\"message\",\"text\":\"\\u12\"}")]
    [InlineData("{\"kind\":\"message\",\"text\":[1]}")]
    [InlineData("{\"kind\":\"message\",\"text\":\"x\",}")]
    public void A_line_that_is_no_event_is_null(string line) => Assert.Null(ToolEvent.TryParse(line));

    [Fact]
    public void Null_and_space_are_read()
    {
        ToolEvent? parsed = ToolEvent.TryParse(" { \"kind\" : \"error\" , \"code\" : null , \"line\" : 12 , \"text\" : \"\\\"\\/\\t\" } ");

        Assert.Equal(new ToolEvent("error", null, null, 12, 0, "\"/\t", null), parsed);
    }

    [Theory]
    [InlineData("it wrote nothing")]
    [InlineData("killed", "started", "killed")]
    [InlineData("Unhandled exception. Odd: x", "started", "Unhandled exception. Odd: x", "   at A.B()", "   at C.D()")]
    public void A_failure_without_an_error_is_one_with_what_the_tool_said_last(string expected, params string[] lines)
    {
        var task = new TaskProbe { Policy = "/p.yaml", ToolAssembly = "/tools/mixed-precision.dll" };
        foreach (string line in lines)
        {
            task.Read(line);
        }

        Assert.False(task.Fail());
        BuildErrorEventArgs error = Assert.Single(task.Errors);
        Assert.Equal((Codes.ToolFailed.Id, "/p.yaml"), (error.Code, error.File));
        Assert.EndsWith("without naming an error: " + expected, error.Message, StringComparison.Ordinal);
        Assert.Equal(Reporter.HelpLink(Codes.ToolFailed).Split('/')[^1], error.HelpLink.Split('/')[^1]);
    }

    [Fact]
    public void A_failure_that_the_tool_named_is_not_named_again()
    {
        var task = new TaskProbe();
        task.Read("{\"kind\":\"error\",\"text\":\"x\"}");

        Assert.False(task.Fail());
        Assert.Single(task.Errors);
    }

    private static string Written(Action<MSBuildReporter> report, params string[] folders)
    {
        var output = new StringWriter();
        report(new MSBuildReporter(output, folders));
        string line = output.ToString().TrimEnd('\r', '\n');
        Assert.DoesNotContain('\n', line);
        return line;
    }
}
