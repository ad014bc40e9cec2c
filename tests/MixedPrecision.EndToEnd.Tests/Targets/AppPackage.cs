using MixedPrecision.EndToEnd.Tests.Packages;

[assembly: AssemblyFixture(typeof(MixedPrecision.EndToEnd.Tests.Targets.AppPackage))]

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>
/// The package as <c>dotnet pack</c> makes it, in a feed of its own, for all apps of a run of the tests; and, where NuGet would have put the tool's package for this host, the fake tool.
/// Made when the first app asks for it.
/// </summary>
public sealed class AppPackage : IDisposable
{
    private static readonly Lazy<string> Root = new(Make);

    /// <summary>One that no other run has: a packages folder that is the user's keeps what it has of a version.</summary>
    internal static string Version { get; } = $"{Build.MixedPrecisionTool.Version}-tests{Guid.NewGuid():N}";

    /// <summary>The folder of the package.</summary>
    internal static string Feed => Path.Combine(Root.Value, "feed");

    /// <summary>A packages folder, to fall back on, that has the tool's package alone.</summary>
    internal static string ToolPackages => Path.Combine(Root.Value, "tool");

    /// <summary>The packages folder of the user who runs the tests.</summary>
    internal static string UserPackages => Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    public void Dispose()
    {
        if (!Root.IsValueCreated)
        {
            return;
        }

        Directory.Delete(Root.Value, recursive: true);
        string extracted = Path.Combine(UserPackages, "mixedprecision.build", Version);
        if (Directory.Exists(extracted))
        {
            Directory.Delete(extracted, recursive: true);
        }
    }

    private static string Make()
    {
        string root = Directory.CreateTempSubdirectory("mixed-precision-package-").FullName;
        // What `dotnet pack` runs, without what this repository has behind it: the packages of the tool, which take longer than all of this.
        ProcessRun packed = ProcessRun.Dotnet(
            Repository.Path("src/MixedPrecision.Build"), "msbuild", "-t:_GetRestoreProjectStyle;_IntermediatePack;GenerateNuspec", "-nodeReuse:false",
            $"-p:Configuration={Repository.Configuration};NoBuild=true;PackageVersion={Version};PackageOutputPath={root}/feed/;NuspecOutputPath={root}/nuspec/");
        Assert.True(packed.ExitCode == 0 && File.Exists(Path.Combine(root, "feed", $"MixedPrecision.Build.{Version}.nupkg")), packed.All);

        string package = Path.Combine(root, "tool", $"mixedprecision.cli.{PackedFixture.Host}", Build.MixedPrecisionTool.Version);
        string tool = Directory.CreateDirectory(Path.Combine(package, "tools", "net10.0", PackedFixture.Host)).FullName;
        foreach (string extension in new[] { ".dll", ".runtimeconfig.json" })
        {
            File.Copy(Path.Combine(AppContext.BaseDirectory, "fake-tool" + extension), Path.Combine(tool, "mixed-precision" + extension));
        }

        File.WriteAllText(Path.Combine(package, ".nupkg.metadata"), """{"version": 2}""");
        return root;
    }
}
