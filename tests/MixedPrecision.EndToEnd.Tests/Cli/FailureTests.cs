using MixedPrecision.Cli;

namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>Whatever fails ends with a code, a place and a remedy on one line; no trace reaches a user, and no work is done before it is known.</summary>
public sealed class FailureTests : IDisposable
{
    /// <summary>A file that everybody may open and nobody can read.</summary>
    private const string Unreadable = "/proc/self/mem";

    /// <summary>A folder in which nobody, the administrator included, can make a file.</summary>
    private const string Unwritable = "/proc";

    private readonly SmallModel model = new();

    [Fact]
    public void A_model_that_cannot_be_read()
    {
        File.Delete(model["model.onnx"]);
        File.CreateSymbolicLink(model["model.onnx"], Unreadable);

        Failed(model.Tool("inspect", model["model.onnx"]), $"{model["model.onnx"]}: error MPB8007: ");
        Failed(model.Tool(model.Quantize()), "model.onnx: error MPB8007: ");
    }

    [Fact]
    public void A_manifest_that_is_none()
    {
        string manifest = model["a.precision.json"];
        Failed(model.Tool("report", manifest), manifest + ": error MPB8007: ");
        File.WriteAllText(manifest, "{\"schema\": 1, \"budget\": 0.01}");
        Failed(model.Tool("report", manifest), manifest + ": error MPB8007: ");
        File.WriteAllText(manifest, "\u001b[31m");
        Failed(model.Tool("report", manifest), manifest + ": error MPB8007: ");
        Assert.False(File.Exists(model["a.report.html"]));
    }

    [Fact]
    public void Data_that_cannot_be_read()
    {
        File.Delete(model["calibration.jsonl"]);
        File.CreateSymbolicLink(model["calibration.jsonl"], Unreadable);

        Failed(model.Tool(model.Quantize()), "calibration.jsonl: error MPB3002: ");
    }

    [Fact]
    public void Folders_that_cannot_be_written()
    {
        string beneathFile = Path.Combine(model["model.onnx"], "cache");

        Failed(Tool(("TMPDIR", Unwritable), model.Quantize()), Unwritable + "/: error MPB8006: ");
        Failed(Tool(("TMPDIR", model["absent"]), ["inspect", model["model.onnx"]]), model["absent"] + "/: error MPB8006: ");
        Failed(Tool(("HOME", Unwritable), ["quantize", model.Policy, "--output", model.Output]), Unwritable + "/.cache/mixed-precision: error MPB8001: ");
        Failed(model.Tool("solve", model.Policy, "--cache", beneathFile), beneathFile + ": error MPB8001: ");
        Failed(model.Tool(model.Quantize(output: beneathFile)), beneathFile + ": error MPB8004: ");
        Failed(model.Tool(model.Quantize(output: Unwritable)), Unwritable + ": error MPB8004: ");
        Failed(model.Tool("gradient", model["model.onnx"], "--output", Path.Combine(beneathFile, "g.onnx")), beneathFile + ": error MPB8004: ");
    }

    [Fact]
    public void An_output_file_whose_place_a_folder_has()
    {
        string target = Directory.CreateDirectory(Path.Combine(model.Output, "model.mixed.onnx")).FullName;

        Failed(model.Tool(model.Quantize()), target + ": error MPB8004: ");
    }

    [Fact]
    public void A_broken_installation_and_any_other_surprise_is_reported_with_its_trace_in_a_file()
    {
        string tool = BrokenTool();
        ProcessRun run = ProcessRun.Dotnet(model.Folder, model.Environment, "exec", tool, "inspect", model["model.onnx"]);

        string report = Assert.Single(Directory.GetFiles(model.Temporary));
        Failed(run, $"{report}: error MPB9003: ", VerbRunner.Defect);
        Assert.Contains("   at ", File.ReadAllText(report), StringComparison.Ordinal);
        Assert.Contains("Google.Protobuf", File.ReadAllText(report), StringComparison.Ordinal);

        ProcessRun logged = ProcessRun.Dotnet(model.Folder, model.Environment, ["exec", tool, .. model.Quantize(), "--log-format", "msbuild"]);
        Assert.Equal(VerbRunner.Defect, logged.ExitCode);
        Assert.Equal("MPB9003", Build.ToolEvent.TryParse(logged.Output.Trim())?.Code);
    }

    [Fact]
    public void Memory_that_does_not_suffice() =>
        Failed(Tool(("DOTNET_GCHeapHardLimit", "0x1000000"), ["inspect", Repository.Path("samples/DocArea/model.onnx")]), "error MPB9004: ");

    public void Dispose() => model.Dispose();

    private ProcessRun Tool((string Name, string? Value) variable, string[] arguments) =>
        ProcessRun.Dotnet(model.Folder, [.. model.Environment, variable], SmallModel.Command(arguments));

    private void Failed(ProcessRun run, string start, int exitCode = VerbRunner.UserError)
    {
        Assert.True(run.ExitCode == exitCode, run.All);
        Assert.StartsWith(start, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Empty(run.Output);
        Assert.Empty(model.CachedStages);
    }

    /// <summary>The tool with one library that is none.</summary>
    private string BrokenTool()
    {
        string folder = Directory.CreateDirectory(model["tool"]).FullName;
        foreach (string entry in Directory.GetFileSystemEntries(AppContext.BaseDirectory))
        {
            string copy = Path.Combine(folder, Path.GetFileName(entry));
            if (Path.GetFileName(entry).StartsWith("mixed-precision.", StringComparison.Ordinal))
            {
                File.Copy(entry, copy);
            }
            else if (Path.GetFileName(entry) != "Google.Protobuf.dll")
            {
                File.CreateSymbolicLink(copy, entry);
            }
        }
        File.WriteAllText(Path.Combine(folder, "Google.Protobuf.dll"), "no library");
        return Path.Combine(folder, "mixed-precision.dll");
    }
}
