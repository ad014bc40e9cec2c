using System.Text.RegularExpressions;

namespace MixedPrecision.EndToEnd.Tests.Packages;

/// <summary>Where the tool comes from, and what is said where it does not.</summary>
[Collection(nameof(RepositoryBuilds))]
public sealed class SourcesTests(PackedFixture packed)
{
    private static string Tool => $"MixedPrecision.Cli.{PackedFixture.Host}";

    [Fact]
    public void The_projects_own_restore_can_fetch_the_tool()
    {
        string app = packed.NewApp("Closed", $"<PackageDownload Include=\"MixedPrecision.Cli.$(NETCoreSdkPortableRuntimeIdentifier)\" Version=\"[{PackedFixture.Version}]\" />");
        string packages = packed.NewFolder("closed packages");
        Succeed(packed.Dotnet(app, packages, "restore", "-nodeReuse:false"));

        File.WriteAllText(Path.Combine(app, "model.policy.yaml"), "");
        packed.WriteConfig(null);
        try
        {
            string prepared = Succeed(packed.Dotnet(app, packages, "msbuild", "-t:_MixedPrecisionPrepare", "-v:diag", "-nodeReuse:false")).Output;
            Assert.Contains(Path.Combine(packages, Tool.ToLowerInvariant(), PackedFixture.Version, "tools", "net10.0", PackedFixture.Host, "mixed-precision.dll"), prepared, StringComparison.Ordinal);
            Assert.DoesNotContain("restores the tool", prepared, StringComparison.Ordinal);
        }
        finally
        {
            packed.WriteConfig(packed.Feed);
        }
    }

    [Fact]
    public void Without_tool_host_or_policy_one_message_says_so()
    {
        string app = packed.NewApp("Without");
        string feed = packed.NewFolder("main alone");
        File.Copy(packed.PathOf("MixedPrecision.Build"), Path.Combine(feed, Path.GetFileName(packed.PathOf("MixedPrecision.Build"))));
        File.WriteAllText(Path.Combine(app, "model.policy.yaml"), "");
        string packages = packed.NewFolder("other packages");
        ProcessRun Publish(params string[] more) => packed.Dotnet(app, packages, ["publish", "-o", "out", "-nodeReuse:false", .. more]);
        packed.WriteConfig(feed);
        try
        {
            string error = OneError(Publish(), "MPB9010");
            Assert.Contains($"'{Tool}' {PackedFixture.Version}", error, StringComparison.Ordinal);
            Assert.Contains("NU1101", error, StringComparison.Ordinal);
            Assert.Contains($"<PackageDownload Include=\"{Tool}\" Version=\"[{PackedFixture.Version}]\" />", error, StringComparison.Ordinal);
            Assert.Empty(Directory.GetDirectories(Path.Combine(app, "obj"), "tool-*", SearchOption.AllDirectories));
        }
        finally
        {
            packed.WriteConfig(packed.Feed);
        }

        Assert.Contains("'linux-musl-x64'", OneError(Publish("--no-restore", "-p:NETCoreSdkPortableRuntimeIdentifier=linux-musl-x64"), "MPB9009"), StringComparison.Ordinal);

        string said = Succeed(Publish("--no-restore", "-p:MixedPrecisionPolicy=")).Output;
        Assert.Single(said.Split('\n'), line => line.Contains("no policy is named, so no model is quantized", StringComparison.Ordinal));
    }

    [Fact]
    public void A_package_that_is_said_to_be_of_another_system_or_older_leaves_the_tools_own_and_a_warning()
    {
        string folder = packed.NewFolder("libraries"), older = Path.Combine(folder, "libonnxruntime.so"), none = Path.Combine(folder, "none.so"), text = Path.Combine(folder, "text.so");
        using (FileStream file = File.Create(older))
        {
            PackedFixture.WriteRenamedLibrary(file, "1.29.3");
        }

        File.WriteAllText(text, "no library");
        foreach ((string library, string version, string reason) in new[] { (older, "1.29.3", "it is older than the tool"), (none, "1.30.0", "its package has no library for this system"), (text, "1.30.0", "the system does not load its library") })
        {
            ProcessRun run = packed.Model.Tool([.. packed.Model.Quantize(), "--onnxruntime", library, "--onnxruntime-version", version]);
            Assert.True(run.ExitCode == 0, run.All);
            Assert.Contains($"{library}: warning MPB9011: The app runs ONNX Runtime {version}, which the tool cannot: {reason}. Loss, kernels and times are those of {PackedFixture.OwnRuntime()}, the tool's own.", run.Error, StringComparison.Ordinal);
            string manifest = File.ReadAllText(Path.Combine(packed.Model.Output, "model.mixed.precision.json"));
            Assert.Contains($"The app runs ONNX Runtime {version}, which the tool cannot", manifest, StringComparison.Ordinal);
            Assert.Contains($"\"{PackedFixture.OwnRuntime()}\"", manifest, StringComparison.Ordinal);
        }
    }

    private static string OneError(ProcessRun run, string code)
    {
        Assert.NotEqual(0, run.ExitCode);
        string[] errors = [.. run.Output.Split('\n').Where(line => Regex.IsMatch(line, @"\berror\b.*[A-Z]+[0-9]{4}")).Select(line => line.Trim()).Distinct()];
        Assert.True(errors.Length == 1, run.All);
        Assert.Contains($"error {code}: ", errors[0], StringComparison.Ordinal);
        return errors[0];
    }

    private static ProcessRun Succeed(ProcessRun run)
    {
        Assert.True(run.ExitCode == 0, run.All);
        return run;
    }
}
