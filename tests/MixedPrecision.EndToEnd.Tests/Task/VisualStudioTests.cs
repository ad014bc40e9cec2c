using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace MixedPrecision.EndToEnd.Tests.Task;

/// <summary>
/// Visual Studio builds with an MSBuild that runs on .NET Framework and may be years older than the SDK's. It does not run here; what it would stumble over is looked for in the assembly of the tasks and in the
/// targets. What older versions have was read in their packages: Microsoft.Build of 16.6 and 17.6, Microsoft.Build.Framework and .Utilities.Core of 16.6 and 17.4, for .NET Framework. All that stands here is in the
/// later ones, and all but two in those of 16.6: help links came in July 2020 (dotnet/msbuild, pull request 5488), StableStringHash in September (5723), and 17.0 in November 2021.
/// </summary>
public sealed partial class VisualStudioTests
{
    /// <summary>Property functions, and tasks with their parameters, that MSBuild 17.0 has.</summary>
    private static readonly string[] Functions =
        ["Escape", "EnsureTrailingSlash", "MakeRelative", "NormalizeDirectory", "NormalizePath", "StableStringHash", "VersionGreaterThanOrEquals", "System.IO.Path::GetDirectoryName"];

    private static readonly Dictionary<string, string[]> Tasks = new()
    {
        ["Error"] = ["Code", "Condition", "File", "HelpLink", "Text"],
        ["Message"] = ["Importance", "Text"],
        ["MSBuild"] = ["BuildInParallel", "Condition", "Projects", "Properties", "RemoveProperties", "SkipNonexistentTargets", "Targets"],
        ["RemoveDir"] = ["Directories"],
        ["RemoveDuplicates"] = ["Inputs"],
    };

    /// <summary>Members that MSBuild 17.0 has; help links are the longest forms of LogError and LogWarning.</summary>
    private static readonly string[] Members =
    [
        "CommandLineBuilder..ctor", "CommandLineBuilder.AppendFileNameIfNotNull", "CommandLineBuilder.AppendSwitch", "ITaskItem.GetMetadata", "ITaskItem.get_ItemSpec", "OutputAttribute..ctor", "RequiredAttribute..ctor",
        "Task..ctor", "Task.get_Log", "TaskItem..ctor", "TaskLoggingHelper.LogError", "TaskLoggingHelper.LogMessage", "TaskLoggingHelper.LogWarning", "TaskLoggingHelper.get_HasLoggedErrors",
        "ToolTask..ctor", "ToolTask.Cancel", "ToolTask.Execute", "ToolTask.GenerateFullPathToTool", "ToolTask.LogEventsFromTextOutput", "ToolTask.get_ExitCode",
    ];

    [Fact]
    public void The_tasks_are_for_every_runtime_and_need_nothing_but_MSBuild()
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, "MixedPrecision.Build.dll")));
        MetadataReader assembly = file.GetMetadataReader();
        (string Name, Version Version)[] references = [.. assembly.AssemblyReferences.Select(assembly.GetAssemblyReference).Select(reference => (assembly.GetString(reference.Name), reference.Version))];

        // All versions of MSBuild since 15 have one version of their assemblies.
        Assert.Equal(
            [("Microsoft.Build.Framework", new Version(15, 1, 0, 0)), ("Microsoft.Build.Utilities.Core", new Version(15, 1, 0, 0)), ("netstandard", new Version(2, 0, 0, 0))],
            references.OrderBy(reference => reference.Name, StringComparer.Ordinal));
        string[] members =
        [
            .. from handle in assembly.MemberReferences
               let member = assembly.GetMemberReference(handle)
               where member.Parent.Kind == HandleKind.TypeReference
               let type = assembly.GetTypeReference((TypeReferenceHandle)member.Parent)
               where assembly.GetString(type.Namespace).StartsWith("Microsoft.Build.", StringComparison.Ordinal)
               select $"{assembly.GetString(type.Name)}.{assembly.GetString(member.Name)}",
        ];
        Assert.NotEmpty(members);
        Assert.Subset(Members.ToHashSet(), members.ToHashSet());
        Assert.Equal(".NETStandard,Version=v2.0", typeof(Build.MixedPrecisionQuantize).Assembly.GetCustomAttribute<System.Runtime.Versioning.TargetFrameworkAttribute>()!.FrameworkName);
    }

    [Fact]
    public void The_targets_ask_for_nothing_that_MSBuild_17_lacks()
    {
        string text = string.Join('\n', new[] { "build/MixedPrecision.Build.props", "build/MixedPrecision.Build.targets" }.Select(file => File.ReadAllText(Repository.Path(file))));
        string[] functions = [.. Function().Matches(text).Select(match => match.Groups[1].Value == "MSBuild" ? match.Groups[2].Value : $"{match.Groups[1].Value}::{match.Groups[2].Value}").Distinct()];
        Assert.NotEmpty(functions);
        Assert.Subset(Functions.ToHashSet(), functions.ToHashSet());
        Assert.Empty(InstanceFunction().Matches(text).Select(match => match.Value));
        Assert.Empty(ItemFunction().Matches(text).Select(match => match.Value));

        XElement[] tasks = [.. XElement.Load(Repository.Path("build/MixedPrecision.Build.targets")).Elements("Target").Elements()
            .Where(element => element.Name.LocalName is not ("PropertyGroup" or "ItemGroup") && !element.Name.LocalName.StartsWith("MixedPrecision", StringComparison.Ordinal))];
        Assert.NotEmpty(tasks);
        Assert.All(tasks, task => Assert.Subset(
            Tasks.GetValueOrDefault(task.Name.LocalName, []).ToHashSet(), task.Attributes().Select(attribute => attribute.Name.LocalName).ToHashSet()));
        // The one word that came later, and the version that it came with.
        Assert.Single(Regex.Matches(text, ">IfDifferent<"));
        Assert.Matches("""Condition="\$\(\[MSBuild\]::VersionGreaterThanOrEquals\('\$\(MSBuildVersion\)', '17\.13'\)\)">IfDifferent<""", text);
    }

    [GeneratedRegex(@"\$\(\[([A-Za-z.]+)\]::([A-Za-z]+)")]
    private static partial Regex Function();

    [GeneratedRegex(@"\$\([A-Za-z_]+\.[A-Za-z]+\(")]
    private static partial Regex InstanceFunction();

    [GeneratedRegex(@"->[A-Za-z]+\(")]
    private static partial Regex ItemFunction();
}
