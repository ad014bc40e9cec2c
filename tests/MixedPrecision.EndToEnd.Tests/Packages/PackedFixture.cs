using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using MixedPrecision.EndToEnd.Tests.Cli;
using MixedPrecision.EndToEnd.Tests.Readme;

namespace MixedPrecision.EndToEnd.Tests.Packages;

/// <summary>
/// The packages as <c>dotnet pack</c> makes them, for this host alone, in a feed of their own; and the README's own app, with a package of ONNX Runtime of a version that no other has, published by <c>dotnet publish</c> from
/// that feed into a packages folder of its own.
/// </summary>
public sealed class PackedFixture : IDisposable
{
    /// <summary>What runs this, as .NET names it.</summary>
    public static readonly string Host = (OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux") + "-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    /// <summary>File name of ONNX Runtime's native library on this host.</summary>
    public static readonly string Library = OperatingSystem.IsWindows() ? "onnxruntime.dll" : OperatingSystem.IsMacOS() ? "libonnxruntime.dylib" : "libonnxruntime.so";

    /// <summary>What the app's ONNX Runtime says that it is: newer than the tool's.</summary>
    public const string AppRuntime = "1.31.7";

    private readonly string root = Directory.CreateTempSubdirectory("mixed précision packed ").FullName;

    public PackedFixture()
    {
        Feed = Directory.CreateDirectory(Path.Combine(root, "feed")).FullName;
        Packages = Path.Combine(root, "packages");
        ProcessRun packed = ProcessRun.Dotnet(Repository.Path("."), "pack", "src/MixedPrecision.Build", "-c", "Release", "--no-restore", "-o", Feed, $"-p:ToolPackageRuntimeIdentifiers={Host}", "-nodeReuse:false");
        Assert.True(packed.ExitCode == 0, packed.All);
        WriteRuntimePackage(Path.Combine(Feed, $"Microsoft.ML.OnnxRuntime.{AppRuntime}.nupkg"));

        // Nothing of a repository that the temporary folder may lie in.
        foreach (string name in new[] { "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props" })
        {
            File.WriteAllText(Path.Combine(root, name), "<Project />");
        }

        WriteConfig(Feed);
        Model = new SmallModel();
        Model.WritePolicy();
        App = NewReadmeApp("App");
        Published = Publish(App);
    }

    /// <summary>Version of the packages.</summary>
    public static string Version { get; } = Build.MixedPrecisionTool.Version;

    /// <summary>The folder of the packages.</summary>
    public string Feed { get; }

    /// <summary>The packages folder of the app.</summary>
    public string Packages { get; }

    /// <summary>The published app's folder; its files are in <c>out</c>.</summary>
    public string App { get; }

    /// <summary>What the first publish said.</summary>
    internal ProcessRun Published { get; }

    internal SmallModel Model { get; }

    /// <summary>A package of the feed, opened.</summary>
    public ZipArchive Open(string id) => ZipFile.OpenRead(PathOf(id));

    public string PathOf(string id) => Path.Combine(Feed, $"{id}.{Version}.nupkg");

    /// <summary>Names of the files that a package carries, without those that a package is made of.</summary>
    public string[] FilesOf(string id)
    {
        using ZipArchive package = Open(id);
        return [.. package.Entries.Select(entry => entry.FullName).Where(name => !name.EndsWith(".nuspec", StringComparison.Ordinal) && name is not ("[Content_Types].xml" or "_rels/.rels") && !name.StartsWith("package/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    }

    /// <summary>Where packages come from, for all apps: a folder, or nothing.</summary>
    public void WriteConfig(string? feed) => File.WriteAllText(
        Path.Combine(root, "NuGet.config"),
        $"<configuration><packageSources><clear />{(feed is null ? "" : $"<add key=\"local\" value=\"{feed}\" />")}</packageSources></configuration>");

    /// <summary>A folder beside the feed.</summary>
    public string NewFolder(string name) => Directory.CreateDirectory(Path.Combine(root, name)).FullName;

    /// <summary>A console app that has the package.</summary>
    public string NewApp(string name, string items = "", string properties = "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy>") => NewProject(name, $"""
              <PropertyGroup>
                {properties}
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="MixedPrecision.Build" Version="{Version}" PrivateAssets="all" />
                {items}
              </ItemGroup>
            """);

    /// <summary>A console app, with what its project says besides.</summary>
    private string NewProject(string name, string more)
    {
        string folder = NewFolder(name);
        File.WriteAllText(Path.Combine(folder, name + ".csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <UseAppHost>false</UseAppHost>
              </PropertyGroup>
              {more}
            </Project>
            """);
        File.WriteAllText(Path.Combine(folder, "Program.cs"), "System.Console.WriteLine(1);");
        return folder;
    }

    /// <summary>
    /// The app that the README tells how to make: its snippets as they stand there, with the model of a sample that takes such data, some of that sample's lines behind the README's own, and little time to search.
    /// </summary>
    private string NewReadmeApp(string name)
    {
        Markdown readme = Markdown.Read("README.md");
        string sample = Repository.Path("samples/DocArea");
        string folder = NewProject(name, $"""
              {readme.Blocks("xml").Single()}
              <ItemGroup>
                <PackageReference Include="Microsoft.ML.OnnxRuntime" Version="{AppRuntime}" />
              </ItemGroup>
            """);
        File.WriteAllText(Path.Combine(folder, "model.policy.yaml"), readme.Blocks("yaml").Single() + "searchSeconds: 1\n");
        File.WriteAllText(Path.Combine(folder, "calibration.jsonl"), readme.Blocks("json").Single() + string.Join('\n', File.ReadLines(Path.Combine(sample, "calibration.jsonl")).Take(47)));
        File.Copy(Path.Combine(sample, "model.onnx"), Path.Combine(folder, "model.onnx"));
        return folder;
    }

    internal ProcessRun Publish(string folder, params string[] more) => Dotnet(folder, Packages, ["publish", "-c", "Release", "-o", "out", $"-p:MixedPrecisionCacheDirectory={Model.Cache}", .. more]);

    internal ProcessRun Dotnet(string folder, string packages, params string[] arguments) =>
        ProcessRun.Dotnet(folder, [.. Model.Environment, ("NUGET_PACKAGES", packages), ("NUGET_HTTP_CACHE_PATH", Path.Combine(root, "http")), ("DOTNET_SKIP_FIRST_TIME_EXPERIENCE", "1")], arguments);

    public void Dispose()
    {
        Model.Dispose();
        Directory.Delete(root, recursive: true);
    }

    /// <summary>The library that the tool has, which only says that it is of another version.</summary>
    internal static void WriteRenamedLibrary(Stream target, string version)
    {
        string library = Path.Combine(AppContext.BaseDirectory, "runtimes", Host, "native", Library);
        byte[] bytes = File.ReadAllBytes(library);
        byte[] own = Encoding.ASCII.GetBytes($"\0{OwnRuntime()}\0"), other = Encoding.ASCII.GetBytes($"\0{version}\0");
        Assert.Equal(own.Length, other.Length);
        int place = bytes.AsSpan().IndexOf(own);
        Assert.True(place > 0);
        other.CopyTo(bytes, place);
        target.Write(bytes);
    }

    /// <summary>Version of the tool's own ONNX Runtime.</summary>
    internal static string OwnRuntime() => Notices.VersionOf("Microsoft.ML.OnnxRuntime");

    private static void WriteRuntimePackage(string file)
    {
        using ZipArchive package = ZipFile.Open(file, ZipArchiveMode.Create);
        using (var writer = new StreamWriter(package.CreateEntry("Microsoft.ML.OnnxRuntime.nuspec").Open()))
        {
            writer.Write($"""
                <package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
                  <metadata><id>Microsoft.ML.OnnxRuntime</id><version>{AppRuntime}</version><authors>tests</authors><description>Says that it is newer.</description></metadata>
                </package>
                """);
        }

        using Stream library = package.CreateEntry($"runtimes/{Host}/native/{Library}", CompressionLevel.Fastest).Open();
        WriteRenamedLibrary(library, AppRuntime);
    }
}

/// <summary>Tests that build this repository's own projects or time models, hence one after another and beside no other; the packages among them are made once.</summary>
[CollectionDefinition(nameof(RepositoryBuilds), DisableParallelization = true)]
public sealed class RepositoryBuilds : ICollectionFixture<PackedFixture>;
