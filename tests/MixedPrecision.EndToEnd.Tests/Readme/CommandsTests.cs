using System.Text.Json;
using System.Text.RegularExpressions;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>The README's commands, run as they stand there, in this repository; with a cache of their own, as on a new machine.</summary>
[Collection(nameof(Packages.RepositoryBuilds))]
public sealed partial class CommandsTests : IDisposable
{
    private const string TestCommand = "dotnet test MixedPrecision.Build.sln -c Release";

    private static readonly Markdown Readme = Markdown.Read("README.md");

    private readonly string cache = Directory.CreateTempSubdirectory("mixed-precision").FullName;

    [Fact]
    public void Each_does_what_is_written_under_it()
    {
        string[] commands = [.. Readme.Blocks("sh").SelectMany(block => block.TrimEnd().Split('\n'))];
        // The last one is what runs this test.
        Assert.Equal(TestCommand, commands[^1]);
        Assert.Contains(TestCommand, File.ReadAllLines(Repository.Path(".ci/run")));
        ProcessRun[] runs = [.. commands[..^1].Select(Run)];

        // Publish: the sentence of the first block, with this machine's numbers; the file, its manifest, and the page in obj.
        Assert.Matches(Readme.ResultPattern(), runs[0].Output);
        Assert.All(["model.mixed.onnx", "model.mixed.precision.json"], file => Assert.True(File.Exists(Repository.Path("out/" + file)), file));
        Assert.True(File.Exists(Repository.Path("samples/DocArea/obj/Release/net10.0/mixed-precision/emitted/model.mixed.report.html")));

        // The sample: as many areas as are written there, all known, with falling shares, the most likely one the same.
        string[] printed = runs[1].Output.TrimEnd().Split('\n'), example = Readme.Blocks("text")[^1].TrimEnd().Split('\n');
        using JsonDocument labels = JsonDocument.Parse(File.ReadAllText(Repository.Path("samples/DocArea/labels.json")));
        HashSet<string> areas = [.. labels.RootElement.GetProperty("classes").EnumerateArray().Select(area => area.GetString()!)];
        foreach (string[] lines in new[] { printed, example })
        {
            Match[] rows = [.. lines.Select(line => Row().Match(line))];
            Assert.All(rows, row => Assert.Contains(row.Groups["area"].Value, areas));
            double[] shares = [.. rows.Select(row => double.Parse(row.Groups["share"].Value, System.Globalization.CultureInfo.InvariantCulture))];
            Assert.Equal(shares.OrderDescending(), shares);
        }

        Assert.Equal(example.Length, printed.Length);
        Assert.Equal(Row().Match(example[0]).Groups["area"].Value, Row().Match(printed[0]).Groups["area"].Value);
    }

    public void Dispose() => Directory.Delete(cache, recursive: true);

    private ProcessRun Run(string command)
    {
        string[] words = [.. Word().Matches(command).Select(match => match.Value.Trim('"'))];
        (string Name, string? Value)[] environment = [("XDG_CACHE_HOME", cache), ("LOCALAPPDATA", cache)];
        ProcessRun run = words[0] == "dotnet" ? ProcessRun.Dotnet(Repository.Path("."), environment, words[1..]) : ProcessRun.Of(Repository.Path(words[0]), Repository.Path("."), environment, words[1..]);
        Assert.True(run.ExitCode == 0, $"{command}: {run.All}");
        return run;
    }

    [GeneratedRegex("\"[^\"]*\"|[^ ]+")]
    private static partial Regex Word();

    [GeneratedRegex("^ *(?<share>[0-9.]+) ?% +(?<area>[^ ]+)\r?$")]
    private static partial Regex Row();
}
