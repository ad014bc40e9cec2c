namespace MixedPrecision.Cli;

/// <summary>How far a stage has come.</summary>
/// <param name="Fraction">Share done, 0 to 1; null: a plain message.</param>
/// <param name="Left">Time left, or null.</param>
public sealed record ProgressUpdate(string Stage, string Text, double? Fraction, TimeSpan? Left);

/// <summary>The verbs, as calls of the pipeline.</summary>
internal static class Engine
{
    /// <summary>The lines of the result.</summary>
    public static IReadOnlyList<string> Execute(Invocation invocation, Reporter reporter, CancellationToken cancel) =>
        throw new InvalidOperationException($"This build has no pipeline to run '{invocation.Verb}' with.");
}
