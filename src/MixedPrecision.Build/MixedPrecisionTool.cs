using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Security;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace MixedPrecision.Build;

/// <summary>
/// Finds the tool for this host, whose native libraries lie in a package of their own, and has NuGet restore that package where it is not in the packages folder: once for each version on a machine. A restore of the
/// app's project cannot do it, since it knows the systems that the app runs on and not the one that builds it.
/// </summary>
[MSBuildMultiThreadableTask]
public class MixedPrecisionTool : ToolTask
{
    private const string PackagePrefix = "MixedPrecision.Cli.";

    private string? problem;

    /// <summary>Full path of <c>dotnet</c>; empty: the one on the search path.</summary>
    public string DotnetHost { get; set; } = "";

    /// <summary>What the SDK runs on, as .NET names it, e.g. linux-x64.</summary>
    [Required]
    public string Host { get; set; } = "";

    /// <summary>The hosts that there are packages for.</summary>
    [Required]
    public string[] Hosts { get; set; } = [];

    /// <summary>The folders that NuGet keeps packages in; the first is the one that it writes to.</summary>
    public string[] PackageFolders { get; set; } = [];

    /// <summary>What the project says of where packages come from: NuGet's properties, by their names.</summary>
    public ITaskItem[] RestoreSettings { get; set; } = [];

    /// <summary>Full path of the project, from whose folder on NuGet looks for its configuration.</summary>
    [Required]
    public string Project { get; set; } = "";

    /// <summary>Full path of a folder in obj to work in.</summary>
    [Required]
    public string Folder { get; set; } = "";

    /// <summary>Full path of the page about errors.</summary>
    [Required]
    public string ErrorsPage { get; set; } = "";

    /// <summary>Full path of the tool's assembly, <c>mixed-precision.dll</c>.</summary>
    [Output]
    public string ToolAssembly { get; private set; } = "";

    /// <summary>Version of this package and of the tool's: they are made together.</summary>
    public static string Version { get; } =
        typeof(MixedPrecisionTool).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>().InformationalVersion.Split('+')[0];

    /// <inheritdoc/>
    protected override string ToolName => Path.GetFileName(GenerateFullPathToTool());

    private string Package => PackagePrefix + Host;

    private string ProjectFile => Path.Combine(Folder, "tool.csproj");

    /// <inheritdoc/>
    protected override string GenerateFullPathToTool() => DotnetHost.Length > 0 ? DotnetHost : "dotnet";

    /// <summary>The project's folder, where an SDK is chosen by its global.json.</summary>
    protected override string GetWorkingDirectory() => Path.GetDirectoryName(Project) ?? "";

    /// <inheritdoc/>
    public override bool Execute()
    {
        if (!Hosts.Contains(Host))
        {
            LogError("MPB9009", "#mpb9009-host-not-supported", $"The tool does not run on this host, '{Host}': it needs native libraries of ONNX Runtime and OR-Tools, which there are for {string.Join(", ", Hosts)}. Publish on one of these; the app itself may run anywhere.");
            return false;
        }

        if (Find() is { } found)
        {
            ToolAssembly = found;
            return true;
        }

        Log.LogMessage(MessageImportance.High, "MixedPrecision: restores the tool for this host, {0} {1}, once", Package, Version);
        Folder = Path.Combine(Folder, "tool-" + Guid.NewGuid().ToString("N"));
        try
        {
            Directory.CreateDirectory(Folder);
            File.WriteAllText(ProjectFile, ProjectText());
            base.Execute();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            problem ??= exception.Message;
        }
        finally
        {
            EmittedFolder.Delete(Folder);
        }

        ToolAssembly = Find() ?? "";
        if (ToolAssembly.Length == 0)
        {
            LogError("MPB9010", "#mpb9010-tool-not-restored", $"The tool for this host is in the package '{Package}' {Version}, which is not in the packages folder and could not be restored: {problem ?? "NuGet said nothing"} "
                + $"Name a source that has it in the NuGet configuration. Where a publish has no network, restore it with all else: <PackageDownload Include=\"{Package}\" Version=\"[{Version}]\" /> in the project.");
        }

        return ToolAssembly.Length > 0;
    }

    /// <inheritdoc/>
    protected override string GenerateCommandLineCommands()
    {
        var line = new CommandLineBuilder();
        line.AppendSwitch("restore");
        line.AppendFileNameIfNotNull(ProjectFile);
        line.AppendSwitch("-noAutoResponse");
        line.AppendSwitch("-nologo");
        line.AppendSwitch("-nodeReuse:false");
        line.AppendSwitch("-tl:off");
        return line.ToString();
    }

    /// <summary>Of what NuGet says only its first error is of use here; all of it stands in a detailed log.</summary>
    protected override void LogEventsFromTextOutput(string singleLine, MessageImportance messageImportance)
    {
        int error = singleLine.IndexOf("error ", StringComparison.Ordinal);
        if (error >= 0)
        {
            string said = singleLine.Substring(error + "error ".Length).Split([" ["], StringSplitOptions.None)[0].Trim();
            problem ??= said.EndsWith(".", StringComparison.Ordinal) ? said : said + ".";
        }

        Log.LogMessage(MessageImportance.Low, "{0}", singleLine);
    }

    /// <summary>One error, which <see cref="Execute"/> gives.</summary>
    protected override bool HandleTaskExecutionErrors() => false;

    /// <summary>The tool in a packages folder that has the whole package: NuGet writes the metadata last.</summary>
    private string? Find() => PackageFolders.Where(folder => folder.Length > 0)
        .Select(folder => Path.Combine(folder, Package.ToLowerInvariant(), Version.ToLowerInvariant()))
        .Where(package => File.Exists(Path.Combine(package, ".nupkg.metadata")))
        .Select(package => Path.Combine(package, "tools", "net10.0", Host, "mixed-precision.dll"))
        .FirstOrDefault(File.Exists);

    /// <summary>A project that asks for the package and for nothing else, whatever stands in the folders above it.</summary>
    private string ProjectText()
    {
        IEnumerable<(string Name, string Value)> properties =
        [
            ("ImportDirectoryBuildProps", "false"),
            ("ImportDirectoryBuildTargets", "false"),
            ("ImportDirectoryPackagesProps", "false"),
            ("TargetFramework", "netstandard2.0"),
            ("DisableImplicitFrameworkReferences", "true"),
            ("NuGetAudit", "false"),
            ("RestoreRootConfigDirectory", Path.GetDirectoryName(Project) ?? ""),
            ("RestorePackagesPath", PackageFolders[0]),
            .. RestoreSettings.Select(setting => (setting.ItemSpec, setting.GetMetadata("Value"))).Where(setting => setting.Item2.Length > 0),
        ];
        // A list of NuGet's stays one; all else that MSBuild would read in a value is written so that it does not.
        return $"""
            <Project>
              <PropertyGroup>
            {string.Concat(properties.Select(p => $"    <{p.Name}>{SecurityElement.Escape(Escaping.Escape(p.Value).Replace("%3b", ";"))}</{p.Name}>\n"))}  </PropertyGroup>
              <Import Project="Sdk.props" Sdk="Microsoft.NET.Sdk" />
              <ItemGroup>
                <PackageDownload Include="{Package}" Version="[{Version}]" />
              </ItemGroup>
              <Import Project="Sdk.targets" Sdk="Microsoft.NET.Sdk" />
            </Project>
            """;
    }

    private void LogError(string code, string anchor, string text) =>
        Log.LogError(null, code, null, new Uri(ErrorsPage).AbsoluteUri + anchor, Project, 0, 0, 0, 0, "{0}", text);
}
