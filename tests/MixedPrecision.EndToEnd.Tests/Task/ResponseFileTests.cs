using System.CommandLine;
using CsCheck;
using MixedPrecision.Cli;

namespace MixedPrecision.EndToEnd.Tests.Task;

/// <summary>From the task's properties over the response file to the tool's own parser, without a process.</summary>
public sealed class ResponseFileTests
{
    [Fact]
    public void Every_property_is_a_switch()
    {
        Invocation invocation = Read(new TaskProbe
        {
            ToolAssembly = "/tools/mixed-precision.dll",
            Policy = "/app/model.policy.yaml",
            CacheDirectory = "/cache",
            Locked = true,
            RuntimeIdentifier = "win-x64",
            Run = "/app/obj/run",
        });

        Assert.Equal(new Invocation(Verb.Quantize, "/app/model.policy.yaml", "/app/obj/run/emitted", "/cache", null, false, LogFormat.MSBuild, "/app/obj/run/read.txt") { IsLocked = true, RuntimeIdentifier = "win-x64" }, invocation);
    }

    [Fact]
    public void A_cache_that_is_not_set_is_left_to_the_tool()
    {
        Invocation invocation = Read(new TaskProbe { ToolAssembly = "/t.dll", Policy = "p.yaml" });

        Assert.Null(invocation.CacheFolder);
    }

    [Theory]
    [InlineData("/with space/p.yaml")]
    [InlineData("/é/模型/😀.yaml")]
    [InlineData("/say \"hello\"/p.yaml")]
    [InlineData("\"quoted\"")]
    [InlineData("C:\\folder\\")]
    [InlineData("# no comment")]
    [InlineData("@no response file")]
    [InlineData("--output")]
    [InlineData("?:name")]
    [InlineData("h")]
    [InlineData(" spaces at both ends ")]
    [InlineData("a%20b;c,d'e$(f)`g`")]
    public void Paths_arrive_as_they_are(string path)
    {
        Invocation invocation = Read(new TaskProbe { ToolAssembly = "/t.dll", Policy = "/p.yaml", CacheDirectory = "/" + path });

        Assert.Equal("/" + path, invocation.CacheFolder);
    }

    [Fact]
    public void Any_path_arrives_as_it_is() =>
        Gen.String[Gen.Char.Where(c => c is not ('\n' or '\r' or '\0') && !char.IsSurrogate(c)), 0, 30].Sample(
            path => Read(new TaskProbe { ToolAssembly = "/t.dll", Policy = "/p.yaml", Run = "/" + path }).Output == Path.Combine("/" + path, "emitted"),
            iter: 200);

    [Fact]
    public void Host_and_tool_alone_stand_on_the_command_line()
    {
        var task = new TaskProbe { DotnetHost = "/usr/bin/dotnet", ToolAssembly = "/a b/mixed-precision.dll", Policy = "/p.yaml" };

        Assert.Equal("exec --roll-forward Major \"/a b/mixed-precision.dll\"", task.CommandLineText);
        Assert.Equal("/usr/bin/dotnet", task.Program);
        Assert.Equal("dotnet", new TaskProbe().Program);
    }

    [Theory]
    [InlineData("MPB9002", "frob")]
    [InlineData("Required command", "--json")]
    [InlineData("'--output' is required", "quantize", "p.yaml")]
    [InlineData("'POLICY' missing", "solve")]
    [InlineData("'--output'", "inspect", "m.onnx", "--output", "x")]
    [InlineData("'--budget'", "inspect", "m.onnx", "--budget", "1%")]
    [InlineData("'text'", "solve", "p.yaml", "--log-format", "xml")]
    [InlineData("exclude each other", "solve", "p.yaml", "--json", "--log-format", "msbuild")]
    [InlineData("'nowhere.rsp' cannot be read", "@nowhere.rsp")]
    public void A_wrong_command_line_is_one_error_that_names_the_problem(string expected, params string[] arguments)
    {
        ParseResult parsed = new CommandLine().Parse(arguments, (_, _) => throw new InvalidOperationException("must not run"));

        Assert.NotEmpty(parsed.Errors);
        string message = CommandLine.Problem(parsed).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains("--help' lists what can be given.", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private static Invocation Read(TaskProbe task)
    {
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            File.WriteAllText(file, task.ResponseFileText);
            Invocation? read = null;
            ParseResult parsed = new CommandLine().Parse(["@" + file], (invocation, _) =>
            {
                read = invocation;
                return System.Threading.Tasks.Task.FromResult(0);
            });
            Assert.Empty(parsed.Errors);
            Assert.Equal(0, parsed.Invoke());
            return read!;
        }
        finally
        {
            File.Delete(file);
        }
    }
}
