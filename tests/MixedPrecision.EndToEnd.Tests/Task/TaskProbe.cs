using System.Collections;
using Microsoft.Build.Framework;
using MixedPrecision.Build;

namespace MixedPrecision.EndToEnd.Tests.Task;

/// <summary>The task with its response file and its reading of lines in the open, and an engine that keeps what is logged.</summary>
internal sealed class TaskProbe : MixedPrecisionQuantize, IBuildEngine
{
    public TaskProbe() => BuildEngine = this;

    public List<BuildErrorEventArgs> Errors { get; } = [];

    public List<BuildWarningEventArgs> Warnings { get; } = [];

    public List<BuildMessageEventArgs> Messages { get; } = [];

    public string ResponseFileText => GenerateResponseFileCommands();

    public string CommandLineText => GenerateCommandLineCommands();

    public string Run
    {
        get => RunFolder;
        set => RunFolder = value;
    }

    public string Program => GenerateFullPathToTool();

    public void Read(string line) => LogEventsFromTextOutput(line, MessageImportance.High);

    public bool Fail() => HandleTaskExecutionErrors();

    bool IBuildEngine.ContinueOnError => false;

    int IBuildEngine.LineNumberOfTaskNode => 0;

    int IBuildEngine.ColumnNumberOfTaskNode => 0;

    string IBuildEngine.ProjectFileOfTaskNode => "app.csproj";

    void IBuildEngine.LogErrorEvent(BuildErrorEventArgs e) => Errors.Add(e);

    void IBuildEngine.LogWarningEvent(BuildWarningEventArgs e) => Warnings.Add(e);

    void IBuildEngine.LogMessageEvent(BuildMessageEventArgs e) => Messages.Add(e);

    void IBuildEngine.LogCustomEvent(CustomBuildEventArgs e) => throw new NotSupportedException();

    bool IBuildEngine.BuildProjectFile(string projectFileName, string[] targetNames, IDictionary globalProperties, IDictionary targetOutputs) =>
        throw new NotSupportedException();
}
