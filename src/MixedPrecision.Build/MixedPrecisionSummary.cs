using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace MixedPrecision.Build;

/// <summary>
/// Says what came of each model, in one message. The terminal logger hides messages, but shows behind a project what a message says that begins as "Project -> " does; what it takes for a path is
/// shown as it stands, over several lines. The last such message counts, hence this one has to follow the SDK's own.
/// </summary>
[MSBuildMultiThreadableTask]
public class MixedPrecisionSummary : Task
{
    /// <summary>The policies, each with the metadata <c>_Folder</c>: where its emitted files lie.</summary>
    [Required]
    public ITaskItem[] Models { get; set; } = [];

    /// <summary>Those of the policies whose earlier result counts.</summary>
    public ITaskItem[] Reused { get; set; } = [];

    /// <summary>Name of the project.</summary>
    [Required]
    public string Project { get; set; } = "";

    /// <summary>Where the project's files went: what the logger would show without this message.</summary>
    [Required]
    public string Target { get; set; } = "";

    /// <inheritdoc/>
    public override bool Execute()
    {
        string[] lines = [.. Models.SelectMany(LinesOf).Select(line => "    " + line)];
        if (lines.Length > 0)
        {
            Log.LogMessage(MessageImportance.High, "{0} -> {1}{2}{3}", Project, Target, Environment.NewLine, string.Join(Environment.NewLine, lines));
        }

        return true;
    }

    private IEnumerable<string> LinesOf(ITaskItem model)
    {
        bool isReused = Reused.Any(policy => policy.ItemSpec == model.ItemSpec);
        string folder = model.GetMetadata("_Folder"), emitted = EmittedFolder.EmittedIn(folder);
        foreach (ToolEvent result in EmittedFolder.ResultsIn(folder))
        {
            yield return result.Text + (isReused ? "; reused, nothing changed" : "");
        }

        IEnumerable<string> reports = Directory.Exists(emitted) ? Directory.GetFiles(emitted).Where(EmittedFolder.IsReport) : [];
        foreach (string report in reports.OrderBy(file => file, StringComparer.Ordinal))
        {
            yield return "report: " + report;
        }
    }
}
