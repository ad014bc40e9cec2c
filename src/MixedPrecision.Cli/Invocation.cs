namespace MixedPrecision.Cli;

/// <summary>What the tool can be asked for.</summary>
public enum Verb
{
    Inspect,
    Calibrate,
    Benchmark,
    Solve,
    Frontier,
    Explain,
    Quantize,
    Lock,
    Validate,
    Gradient,
    Report,
    Show,
    Diff,
    Init,
    Data,
    Completion,
    CacheInfo,
    CachePrune,
    CacheClear,
    CacheExport,
    CacheImport,
}

/// <summary>How a run speaks.</summary>
public enum LogFormat
{
    /// <summary>Lines for people.</summary>
    Text,

    /// <summary>JSON lines for the MSBuild task.</summary>
    MSBuild,
}

/// <summary>One command line, read.</summary>
/// <param name="File">The model for <c>inspect</c>, <c>gradient</c>, <c>init</c> and <c>data</c>, the shell for <c>completion</c>, the manifest for <c>report</c>, <c>show</c> and <c>diff</c>, the archive for <c>cache export</c> and <c>cache import</c>, empty for the rest of <c>cache</c>, the policy for the other verbs.</param>
/// <param name="Output"><c>--output</c>; a folder for <c>quantize</c> and <c>validate</c>, a file for <c>gradient</c>, <c>report</c>, <c>init</c> and <c>data</c>, null for the others.</param>
/// <param name="CacheFolder"><c>--cache</c>, or null: the user's cache folder.</param>
/// <param name="Budget"><c>--budget</c>, or null: the policy's.</param>
/// <param name="Json"><c>--json</c>: the result as one JSON document on standard output, and nothing else there.</param>
/// <param name="LogFormat"><c>--log-format</c>.</param>
/// <param name="InputsFile"><c>--inputs-file</c>: receives the paths of the files that the run read; or null.</param>
/// <param name="Loss"><c>--loss</c>, or null.</param>
/// <param name="WithRespectTo"><c>--with-respect-to</c>, or null.</param>
public sealed record Invocation(
    Verb Verb,
    string File,
    string? Output,
    string? CacheFolder,
    string? Budget,
    bool Json,
    LogFormat LogFormat,
    string? InputsFile,
    string? Loss = null,
    IReadOnlyList<string>? WithRespectTo = null)
{
    /// <summary><c>--locked</c>.</summary>
    public bool IsLocked { get; init; }

    /// <summary><c>--export</c>: the file that <c>benchmark</c> writes a profile to, or null.</summary>
    public string? Export { get; init; }

    /// <summary><c>--emitted</c>: the model that <c>benchmark</c> times end to end, or null.</summary>
    public string? Emitted { get; init; }

    /// <summary>The layer that <c>explain</c> tells all of, or null.</summary>
    public string? Layer { get; init; }

    /// <summary><c>--samples</c>, or null.</summary>
    public int? Samples { get; init; }

    /// <summary>The manifest that <c>diff</c> holds against <see cref="File"/>, or null.</summary>
    public string? Other { get; init; }

    /// <summary>What <c>data</c> is to be made from.</summary>
    public IReadOnlyList<string> From { get; init; } = [];

    /// <summary><c>--evaluation</c>, or null.</summary>
    public string? Evaluation { get; init; }

    /// <summary><c>--labels</c>.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary><c>--tokenizer</c>, or null.</summary>
    public string? Tokenizer { get; init; }

    /// <summary><c>--images</c>, or null.</summary>
    public string? Images { get; init; }

    /// <summary><c>--older-than</c>, or null.</summary>
    public TimeSpan? OlderThan { get; init; }

    /// <summary><c>--keep</c> in bytes, or null.</summary>
    public long? Keep { get; init; }

    /// <summary><c>--show-keys</c>.</summary>
    public bool ShowKeys { get; init; }
}
