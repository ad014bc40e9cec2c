using System.Text;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>
/// A folder with projects that have the package as it is packed, from a feed of the tests into a packages folder of their own; without a network. Where the tool's package would be is the fake one.
/// </summary>
internal sealed class PackagedApp : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("mixed-precision-app-").FullName;
    private bool isRestored;

    /// <param name="folder">Name of the folder of the projects.</param>
    /// <param name="isIsolated">Whether the packages folder is its own; else it is the user's, and the SDK may fetch packs that it needs.</param>
    public PackagedApp(string folder = "app", bool isIsolated = true)
    {
        Folder = Directory.CreateDirectory(Path.Combine(root, folder)).FullName;
        Packages = isIsolated ? Path.Combine(root, "packages") : AppPackage.UserPackages;
        IsIsolated = isIsolated;
        File.WriteAllText(Path.Combine(root, "NuGet.config"), $"""
            <configuration>
              <packageSources>{(isIsolated ? "<clear />" : "")}<add key="local" value="{AppPackage.Feed}" /></packageSources>
              <fallbackPackageFolders>{(isIsolated ? "<clear />" : "")}<add key="tool" value="{AppPackage.ToolPackages}" /></fallbackPackageFolders>
            </configuration>
            """);
        // Nothing of a repository that the temporary folder may lie in.
        File.WriteAllText(Path.Combine(root, "Directory.Build.props"), "<Project />");
        File.WriteAllText(Path.Combine(root, "Directory.Build.targets"), "<Project />");
        File.WriteAllText(Path.Combine(root, "Directory.Packages.props"), "<Project />");
    }

    /// <summary>Full path of the folder of the projects.</summary>
    public string Folder { get; }

    /// <summary>Full path of the packages folder.</summary>
    public string Packages { get; }

    private bool IsIsolated { get; }

    public string this[string file] => Path.Combine(Folder, file);

    public string Read(string file) => File.ReadAllText(this[file]);

    /// <summary>Names of the published files of a project whose names begin so, sorted.</summary>
    public string[] Published(string start, string folder = "out") =>
        [.. Directory.GetFiles(this[folder], start + "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(this[folder], file)).Order(StringComparer.Ordinal)];

    /// <summary>How often the tool ran for policies of a folder.</summary>
    public int Runs(string folder = "") => File.Exists(this[Path.Combine(folder, "runs.txt")]) ? File.ReadAllLines(this[Path.Combine(folder, "runs.txt")]).Length : 0;

    public void Write(string file, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[file])!);
        File.WriteAllText(this[file], text, new UTF8Encoding(false));
    }

    /// <summary>A policy that emits, and its data beside it.</summary>
    public void WritePolicy(string file = "model.policy.yaml", string more = "")
    {
        Write(file, "emit\ndata.txt\n" + more);
        Write(Path.Combine(Path.GetDirectoryName(file)!, "data.txt"), "data");
    }

    /// <summary>A project with the package.</summary>
    /// <param name="properties">Further properties.</param>
    /// <param name="items">Further items.</param>
    public void WriteProject(
        string file = "App.csproj", string properties = "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy>", string items = "", string sdk = "Microsoft.NET.Sdk",
        string framework = "<TargetFramework>net10.0</TargetFramework>", string program = "System.Console.WriteLine(1);", string source = "Program.cs")
    {
        Write(file, $"""
            <Project Sdk="{sdk}">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                {framework}
                {properties}
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="MixedPrecision.Build" Version="{AppPackage.Version}" PrivateAssets="all" />
                {items}
              </ItemGroup>
            </Project>
            """);
        Write(Path.Combine(Path.GetDirectoryName(file)!, source), program);
    }

    /// <summary>An app, in a folder of its name, that has nothing but a reference to another project.</summary>
    public void WriteReferringProject(string name, string reference)
    {
        Write($"{name}/{name}.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
              </PropertyGroup>
              <ItemGroup>
                <ProjectReference Include="{reference}" />
              </ItemGroup>
            </Project>
            """);
        Write($"{name}/Program.cs", "System.Console.WriteLine(1);");
    }

    public ProcessRun Dotnet(params string[] arguments) => ProcessRun.Dotnet(Folder, [("NUGET_PACKAGES", Packages)], [.. arguments, "-nodeReuse:false"]);

    /// <summary>Publishes into <c>out</c>, which has to succeed. Only the first command restores: a restore finds the same whatever the project says of models.</summary>
    public ProcessRun Publish(params string[] more) => Succeed(["publish", "-o", "out", .. more, .. isRestored ? ["--no-restore"] : Array.Empty<string>()]);

    public ProcessRun Succeed(params string[] arguments)
    {
        ProcessRun run = Dotnet(arguments);
        Assert.True(run.ExitCode == 0, run.All);
        isRestored = true;
        return run;
    }

    public void Dispose()
    {
        if (IsIsolated && Directory.Exists(Packages) && !OperatingSystem.IsWindows())
        {
            SetMode(Packages, "u+w");
        }

        Directory.Delete(root, recursive: true);
    }

    /// <summary>Changes the rights of a folder and of all that is in it.</summary>
    public static void SetMode(string folder, string mode)
    {
        using var process = System.Diagnostics.Process.Start("chmod", ["-R", mode, folder]);
        process.WaitForExit();
    }
}
