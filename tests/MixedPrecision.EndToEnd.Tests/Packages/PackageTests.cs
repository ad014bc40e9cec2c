using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MixedPrecision.EndToEnd.Tests.Readme;
using MixedPrecision.EndToEnd.Tests.Targets;

namespace MixedPrecision.EndToEnd.Tests.Packages;

/// <summary>What is in the packages, and what an app gets that has them.</summary>
[Collection(nameof(RepositoryBuilds))]
public sealed class PackageTests(PackedFixture packed, ITestOutputHelper output)
{
    private const string Main = "MixedPrecision.Build";
    private const string Cli = "MixedPrecision.Cli";

    /// <summary>Bytes that a package to download may have.</summary>
    private const long Limit = 80_000_000;

    private static string Tool => $"{Cli}.{PackedFixture.Host}";

    private static string ToolFolder => $"tools/net10.0/{PackedFixture.Host}/";

    [Fact]
    public void One_reference_is_enough_to_publish_a_model()
    {
        Assert.True(packed.Published.ExitCode == 0, packed.Published.All);
        Assert.Contains($"restores the tool for this host, {Tool} {PackedFixture.Version}, once", packed.Published.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(" warning ", packed.Published.All.Replace("warning MPB7003", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(
            ["App.deps.json", "App.dll", "App.pdb", "App.runtimeconfig.json", "model.mixed.onnx", "model.mixed.precision.json", $"runtimes/{PackedFixture.Host}/native/{PackedFixture.Library}"],
            Directory.GetFiles(Path.Combine(packed.App, "out"), "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Path.Combine(packed.App, "out"), file)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Nothing_of_it_is_in_the_apps_dependencies()
    {
        string dependencies = File.ReadAllText(Path.Combine(packed.App, "out", "App.deps.json"));
        Assert.DoesNotContain("MixedPrecision", dependencies, StringComparison.Ordinal);
        using JsonDocument document = JsonDocument.Parse(dependencies);
        Assert.Equal(["App/1.0.0", $"Microsoft.ML.OnnxRuntime/{PackedFixture.AppRuntime}"], document.RootElement.GetProperty("libraries").EnumerateObject().Select(library => library.Name));
    }

    [Fact]
    public void Measured_is_what_ships()
    {
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(packed.App, "out", "model.mixed.precision.json")));
        Assert.Contains($"\"{PackedFixture.AppRuntime}\"", manifest.RootElement.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain($"\"{PackedFixture.OwnRuntime()}\"", manifest.RootElement.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_publish_needs_no_source()
    {
        packed.WriteConfig(null);
        try
        {
            ProcessRun again = packed.Publish(packed.App);
            Assert.True(again.ExitCode == 0, again.All);
            Assert.Contains("; reused, nothing changed", again.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("restores the tool", again.Output, StringComparison.Ordinal);
        }
        finally
        {
            packed.WriteConfig(packed.Feed);
        }
    }

    [Fact]
    public void A_download_is_small()
    {
        long main = new FileInfo(packed.PathOf(Main)).Length, tool = new FileInfo(packed.PathOf(Tool)).Length;
        output.WriteLine($"{Main}: {main / 1e6:0.00} MB; {Tool}: {tool / 1e6:0.0} MB");
        Assert.InRange(main, 1, 1_000_000);
        Assert.InRange(main + tool, 1, Limit);

        // What the others carry in place of this host's libraries, as it is packed in the packages that it is from.
        long common = tool - Natives(PackedFixture.Host);
        foreach (string host in Hosts())
        {
            long size = common + Natives(host);
            output.WriteLine($"{Cli}.{host}: {size / 1e6:0.0} MB, from what its libraries take in their packages");
            Assert.InRange(size, 10_000_000, Limit);
        }
    }

    [Fact]
    public void Hosts_are_the_same_in_tool_and_targets()
    {
        string targets = File.ReadAllText(Repository.Path("build/MixedPrecision.Build.targets"));
        Assert.Equal(Hosts(), Regex.Match(targets, "<_MixedPrecisionHost Include=\"([^\"]+)\"").Groups[1].Value.Split(';'));
    }

    [Fact]
    public void The_main_package_has_targets_task_and_pages_and_no_more()
    {
        string[] files = packed.FilesOf(Main);
        string[] pages = [.. Directory.GetFiles(Repository.Path("build"), "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Repository.Path("."), file).Replace('\\', '/'))
            .Except(["build/README.md", "build/icon.png", "build/THIRD-PARTY-NOTICES.txt"])];
        Assert.Equal([.. new[] { "CHANGELOG.md", "LICENSE", "README.md", "icon.png", "tasks/netstandard2.0/MixedPrecision.Build.dll" }.Concat(pages).Order(StringComparer.Ordinal)], files);
    }

    [Fact]
    public void The_faster_tests_have_the_same_package()
    {
        using ZipArchive theirs = ZipFile.OpenRead(Assert.Single(Directory.GetFiles(AppPackage.Feed))), real = packed.Open(Main);
        string[] files = packed.FilesOf(Main);

        Assert.Equal(files, theirs.Entries.Select(entry => entry.FullName).Intersect(files).Order(StringComparer.Ordinal));
        Assert.Equal(real.Entries.Count, theirs.Entries.Count);
        // An assembly says which commit it was built from, and packing builds it anew after one.
        Assert.All(files.Where(file => !file.EndsWith(".dll", StringComparison.Ordinal)), file => Assert.Equal(Bytes(real.GetEntry(file)!), Bytes(theirs.GetEntry(file)!)));
    }

    [Fact]
    public void The_tools_package_has_only_what_runs_on_its_host()
    {
        string[] files = packed.FilesOf(Tool);
        Assert.DoesNotContain(files, file => Path.GetExtension(file) is ".pdb" or ".xml" && !file.EndsWith("DotnetToolSettings.xml", StringComparison.Ordinal));
        Assert.DoesNotContain(files, file => file.Contains("/runtimes/", StringComparison.Ordinal) || Path.GetExtension(file) is ".dylib" or ".lib");
        // Of ONNX Runtime's libraries the host's alone.
        Assert.Equal([PackedFixture.Library], files.Select(file => file.Replace(ToolFolder, "", StringComparison.Ordinal)).Where(file => Regex.IsMatch(file, @"^(lib)?onnxruntime\.")));
        Assert.Superset(new HashSet<string>(["errors.md", "mixed-precision.dll", "mixed-precision.deps.json", "mixed-precision.runtimeconfig.json", PackedFixture.Library]), files.Select(file => file.Replace(ToolFolder, "", StringComparison.Ordinal)).ToHashSet());
    }

    public static TheoryData<string> Ids => new([Main, Cli, Tool]);

    [Theory]
    [MemberData(nameof(Ids))]
    public void Each_tells_what_it_is(string id)
    {
        using ZipArchive package = packed.Open(id);
        XElement metadata = XElement.Parse(Encoding.UTF8.GetString(Bytes(package.GetEntry(id + ".nuspec")!)).TrimStart('\uFEFF')).Elements().Single();
        string Value(string name) => metadata.Elements().Single(element => element.Name.LocalName == name).Value;

        Assert.Equal(id, Value("id"));
        Assert.Equal(PackedFixture.Version, Value("version"));
        Assert.Equal("MIT", Value("license"));
        Assert.Equal("README.md", Value("readme"));
        Assert.Equal("icon.png", Value("icon"));
        Assert.NotEqual("Package Description", Value("description"));
        Assert.Equal(File.ReadAllText(Repository.Path("CHANGELOG.md")).Trim(), Value("releaseNotes").Trim().ReplaceLineEndings("\n"));
        Assert.DoesNotContain(metadata.Elements(), element => element.Name.LocalName is "dependencies" && element.Descendants().Any(d => d.Name.LocalName == "dependency"));
        Assert.Equal(id == Main, metadata.Elements().Any(element => element.Name.LocalName == "developmentDependency" && element.Value == "true"));
        // A picture of the size that galleries show.
        byte[] icon = Bytes(package.GetEntry("icon.png")!);
        Assert.Equal([0x89, 0x50, 0x4E, 0x47, 0, 0, 0, 128, 0, 0, 0, 128], icon[..4].Concat(icon[16..24]));
    }

    [Fact]
    public void The_readme_of_the_packages_has_absolute_links_and_this_version()
    {
        Markdown readme = Markdown.Read("build/README.md");
        Assert.NotEmpty(readme.Links);
        Assert.All(readme.Links, link => Assert.StartsWith("https://", link, StringComparison.Ordinal));
        Assert.All(Regex.Matches(readme.Text, @"`(build/[^`]+)`").Select(match => match.Groups[1].Value), file => Assert.Contains(file, packed.FilesOf(Main)));
        XElement[] snippets = [.. readme.Blocks("xml").Select(block => XElement.Parse($"<Project>{block}</Project>"))];
        Assert.All(snippets.Descendants().Where(element => element.Name.LocalName.StartsWith("Package", StringComparison.Ordinal)), reference => Assert.Equal(PackedFixture.Version, reference.Attribute("Version")!.Value.Trim('[', ']')));
        Assert.Contains(snippets.Descendants("PackageReference"), reference => reference.Attribute("Include")!.Value == Main);
    }

    [Fact]
    public void The_task_needs_nothing_but_MSBuild()
    {
        using ZipArchive package = packed.Open(Main);
        using var reader = new PEReader(new MemoryStream(Bytes(package.GetEntry("tasks/netstandard2.0/MixedPrecision.Build.dll")!)));
        MetadataReader metadata = reader.GetMetadataReader();
        Assert.Equal(
            ["Microsoft.Build.Framework", "Microsoft.Build.Utilities.Core", "netstandard"],
            metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Nothing_names_the_folder_it_was_built_in()
    {
        string folder = Path.GetFullPath(Repository.Path("."));
        foreach ((string id, string[] own) in new[] { (Main, new[] { "MixedPrecision.Build.dll" }), (Tool, ["MixedPrecision.dll", "mixed-precision.dll", "mixed-precision.deps.json", "mixed-precision.runtimeconfig.json"]) })
        {
            using ZipArchive package = packed.Open(id);
            foreach (ZipArchiveEntry entry in package.Entries.Where(entry => own.Contains(entry.Name)))
            {
                Assert.DoesNotContain(folder, Encoding.UTF8.GetString(Bytes(entry)), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Every_library_that_is_carried_has_its_notice_and_every_notice_its_library()
    {
        string[] carried = [.. packed.FilesOf(Tool).Where(file => file.StartsWith(ToolFolder, StringComparison.Ordinal)).Select(file => file[ToolFolder.Length..]).Except(Notices.OwnFiles)];
        Assert.All(carried, file => Assert.Single(Notices.Components, component => component.Covers(file)));
        Assert.All(Notices.Components, component => Assert.Contains(carried, component.Covers));
    }

    [Fact]
    public void The_notices_are_in_the_package()
    {
        using ZipArchive package = packed.Open(Tool);
        Assert.Equal(File.ReadAllBytes(Repository.Path("build/THIRD-PARTY-NOTICES.txt")), Bytes(package.GetEntry("THIRD-PARTY-NOTICES.txt")!));
        Assert.NotEmpty(Bytes(package.GetEntry("notices/onnxruntime.txt")!));
        Assert.NotEmpty(Bytes(package.GetEntry("LICENSE")!));
    }

    private static string[] Hosts() => XElement.Load(Repository.Path("src/MixedPrecision.Cli/MixedPrecision.Cli.csproj")).Descendants("RuntimeIdentifiers").Single().Value.Split(';');

    /// <summary>Bytes that the native libraries of a host take, compressed.</summary>
    private static long Natives(string host)
    {
        long size = 0;
        foreach ((string id, string version) in new[] { ($"google.ortools.runtime.{host}", Notices.VersionOf("Google.OrTools")), ("microsoft.ml.onnxruntime", Notices.VersionOf("Microsoft.ML.OnnxRuntime")) })
        {
            using ZipArchive package = ZipFile.OpenRead(Path.Combine(Notices.PackagesFolder, id, version, $"{id}.{version}.nupkg"));
            size += package.Entries.Where(entry => entry.FullName.StartsWith($"runtimes/{host}/native/", StringComparison.Ordinal)).Sum(entry => entry.CompressedLength);
        }

        return size;
    }

    private static byte[] Bytes(ZipArchiveEntry entry)
    {
        using Stream stream = entry.Open();
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }
}
