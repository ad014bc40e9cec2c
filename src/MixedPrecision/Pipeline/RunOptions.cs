using MixedPrecision.Diagnostics;

namespace MixedPrecision.Pipeline;

/// <summary>What a front hands to a verb.</summary>
/// <param name="CacheFolder">The cache folder, or null for the user's own.</param>
/// <param name="Budget">A budget that overrides the policy's, as a policy would say it, or null.</param>
/// <param name="Progress">Told what goes on.</param>
/// <param name="Warn">Told of diagnostics that do not stop the run.</param>
/// <param name="Cancel">Stops the run within about a second; nothing half-written stays behind.</param>
public sealed record RunOptions(
    string? CacheFolder,
    string? Budget,
    Action<ProgressUpdate> Progress,
    Action<Diagnostic> Warn,
    CancellationToken Cancel);

/// <summary>One step of a run.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Text">What happens, for people.</param>
/// <param name="Fraction">The share of the stage that is done, or null for a plain message.</param>
/// <param name="Left">Estimated time left in the stage, or null when not known.</param>
public sealed record ProgressUpdate(string Stage, string Text, double? Fraction = null, TimeSpan? Left = null);
