using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace MixedPrecision.Build;

/// <summary>From what the runs of all policies emitted to the items that a project publishes: which files, under which names, in place of which.</summary>
[MSBuildMultiThreadableTask]
public class MixedPrecisionFiles : Task
{
    // Names that differ in case alone are one file on most systems that apps are copied to.
    private static readonly StringComparer Names = StringComparer.OrdinalIgnoreCase;

    private const int SecondsOfAYear = 365 * 24 * 60 * 60;

    /// <summary>The policies, each with the metadata <c>_Folder</c>, where its emitted files lie, and <c>Replace</c>: true, false, or where nobody said either nothing.</summary>
    [Required]
    public ITaskItem[] Models { get; set; } = [];

    /// <summary>The items of the project, and of those that it refers to, that may be published, with <c>TargetPath</c>.</summary>
    public ITaskItem[] Content { get; set; } = [];

    /// <summary>Full path of the tool's assembly, beside which the page about errors lies.</summary>
    [Required]
    public string ToolAssembly { get; set; } = "";

    /// <summary>The emitted files, with <c>TargetPath</c>.</summary>
    [Output]
    public ITaskItem[] Files { get; private set; } = [];

    /// <summary>Those of the items that give way to an emitted model.</summary>
    [Output]
    public ITaskItem[] Replaced { get; private set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        var files = new List<(ITaskItem Model, string File, string TargetPath)>();
        var replaced = new List<ITaskItem>();
        foreach (ITaskItem model in Models)
        {
            string folder = model.GetMetadata("_Folder");
            IReadOnlyList<ToolEvent> results = EmittedFolder.ResultsIn(folder);
            string[] emitted = [.. Directory.GetFiles(EmittedFolder.EmittedIn(folder)).Where(file => !EmittedFolder.IsReport(file)).OrderBy(file => file, StringComparer.Ordinal)];
            bool isReplacing = IsTrue(model.GetMetadata("Replace"));
            ITaskItem[] originals = [.. Content.Where(IsPublished).Where(item => results.Any(r => r.Originals.Contains(item.GetMetadata("FullPath"))))];
            if (isReplacing && results.Count != 1)
            {
                LogError("MPB9008", "#mpb9008-model-cannot-be-replaced", model.ItemSpec, $"The policy emits {results.Count} models, which cannot all take the name of the original. Leave 'Replace' and the property MixedPrecisionReplace out for it, and load the models by their names.");
                continue;
            }

            if (isReplacing)
            {
                replaced.AddRange(originals);
                LetOriginalReturn(Path.Combine(EmittedFolder.EmittedIn(folder), results[0].Output), results[0].Originals[0]);
            }
            else if (model.GetMetadata("Replace").Length == 0 && originals.Length > 0)
            {
                Warn(model.ItemSpec, originals[0].GetMetadata("TargetPath"), results[0].Output);
            }

            string name = isReplacing ? NameOf(results[0], originals) : "";
            files.AddRange(emitted.Select(file => (model, file, TargetOf(Path.GetFileName(file), results, name))));
        }

        foreach (IGrouping<string, (ITaskItem Model, string File, string TargetPath)> same in files.GroupBy(file => file.TargetPath, Names).Where(same => same.Count() > 1))
        {
            LogError("MPB9006", "#mpb9006-two-models-of-one-name", same.Last().Model.ItemSpec, $"The file '{same.Key}' would be published for this policy and for '{same.First().Model.ItemSpec}'. Give one of their models another name, with the key 'output' of its policy.");
        }

        Files = [.. files.Select(file => new TaskItem(Escaping.Escape(file.File), new Dictionary<string, string> { ["TargetPath"] = Escaping.Escape(file.TargetPath) }))];
        Replaced = [.. replaced];
        return !Log.HasLoggedErrors;
    }

    /// <summary>
    /// Makes the emitted model older than the original, by a time that depends on when it was emitted: one that is copied in place of another still differs from it, and the original, as soon as it is published again,
    /// is the newer file, which MSBuild copies over an older one alone.
    /// </summary>
    private static void LetOriginalReturn(string emitted, string original)
    {
        DateTime made = File.GetLastWriteTimeUtc(emitted), before = File.GetLastWriteTimeUtc(original);
        if (made >= before)
        {
            File.SetLastWriteTimeUtc(emitted, before.AddSeconds(-1 - (made.Ticks / TimeSpan.TicksPerSecond % SecondsOfAYear)));
        }
    }

    /// <summary>Where the original is published, or its file name where it is not.</summary>
    private static string NameOf(ToolEvent result, ITaskItem[] originals)
    {
        string model = result.Originals[0];
        return originals.FirstOrDefault(item => item.GetMetadata("FullPath") == model)?.GetMetadata("TargetPath") ?? Path.GetFileName(model);
    }

    /// <param name="name">What the emitted model is published as, or "": its own name. Files that belong to it lie beside it.</param>
    private static string TargetOf(string file, IReadOnlyList<ToolEvent> results, string name) =>
        name.Length == 0 ? file : file == results[0].Output ? name : Path.Combine(Path.GetDirectoryName(name) ?? "", file);

    /// <summary>Where only the build's folder is spoken of, that of the publish holds the same.</summary>
    private static bool IsPublished(ITaskItem item)
    {
        string copy = item.GetMetadata("CopyToPublishDirectory");
        copy = copy.Length > 0 ? copy : item.GetMetadata("CopyToOutputDirectory");
        return copy.Length > 0 && !Names.Equals(copy, "Never");
    }

    private static bool IsTrue(string value) => Names.Equals(value, "true");

    private void Warn(string policy, string original, string emitted) => Log.LogWarning(
        null, "MPB9007", null, Escaping.HelpLink(ToolAssembly, "#mpb9007-original-and-emitted-model-published"), policy, 0, 0, 0, 0, "{0}",
        $"The original '{original}' is published beside '{emitted}'. Set MixedPrecisionReplace, or Replace=\"true\" on the policy's MixedPrecisionModel item, to true: the emitted model then takes the original's name and place. Or take the original out of the content of the project that has it; or, where the app loads both, set it to false.");

    private void LogError(string code, string anchor, string file, string text) =>
        Log.LogError(null, code, null, Escaping.HelpLink(ToolAssembly, anchor), file, 0, 0, 0, 0, "{0}", text);
}
