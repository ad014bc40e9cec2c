using System.Diagnostics;
using MixedPrecision.Caching;
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
    CancellationToken Cancel)
{
    /// <summary>Whether the parts of every stage's key are told as progress: two runs that should have shared a result are compared by them.</summary>
    public bool ShowKeys { get; init; }

    /// <summary>Whether the policy has to have a lock, which has to fit.</summary>
    public bool IsLocked { get; init; }

    /// <summary>What is to be said of the ONNX Runtime that this process runs, where it is not the app's; else null.</summary>
    public Diagnostic? RuntimeWarning { get; init; }

    /// <summary>Version of the ONNX Runtime that the app references, whether or not this process runs it; null: none that is known.</summary>
    public string? AppRuntime { get; init; }

    /// <summary>The runtime identifier that the app is published for, such as win-x64; null: that of whatever the plan is made for.</summary>
    public string? RuntimeIdentifier { get; init; }

    /// <summary>Where a policy asks for a plan per scenario, the scenario whose plan <c>solve</c>, <c>frontier</c> and <c>explain</c> are to tell of (<see cref="ScenarioPlan.Key"/>); null: the first.</summary>
    public string? Scenario { get; init; }

    /// <summary>Whether every stage is computed although its artifact is known, and the two have to agree: what tests check declarations with.</summary>
    internal bool Recomputes { get; init; }
}

/// <summary>One step of a run.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Text">What happens, for people.</param>
/// <param name="Fraction">The share of the stage that is done, or null for a plain message.</param>
/// <param name="Left">Estimated time left in the stage, or null when not known.</param>
public sealed record ProgressUpdate(string Stage, string Text, double? Fraction = null, TimeSpan? Left = null)
{
    /// <summary>Whether it is one of many, of which a line of their own tells when all are done.</summary>
    public bool IsPart { get; init; }
}

/// <summary>What a run says: passed on to the front, and warnings kept for the manifest, each once.</summary>
internal sealed class RunLog
{
    private readonly RunOptions options;
    private readonly List<Diagnostic> warnings;
    private readonly HashSet<Diagnostic> told;
    private Gathering? gathering;

    public RunLog(RunOptions options)
        : this(options, [], [])
    {
    }

    private RunLog(RunOptions options, List<Diagnostic> warnings, HashSet<Diagnostic> told) => (this.options, this.warnings, this.told) = (options, warnings, told);

    /// <summary>Warnings so far, in order.</summary>
    public IReadOnlyList<Diagnostic> Warnings => warnings;

    public CancellationToken Cancel => options.Cancel;

    public bool Recomputes => options.Recomputes;

    public void Progress(ProgressUpdate update) => options.Progress(update);

    public void Say(string stage, string text) => options.Progress(new ProgressUpdate(stage, text));

    /// <summary>Says what became of a stage, which may be one of many (<see cref="AsOne"/>).</summary>
    /// <param name="isWork">Whether something is done that was not known.</param>
    public void SayOfStage(string stage, string text, bool isWork)
    {
        if (isWork && gathering is { HasWorked: false } first)
        {
            first.HasWorked = true;
            Say(first.Stage, "started");
        }

        options.Progress(new ProgressUpdate(stage, text) { IsPart = gathering is not null });
    }

    /// <summary>Counts a stage that was run, or whose artifact was known.</summary>
    public void Count(string stage, bool isReused) => gathering?.Count(stage, isReused);

    /// <summary>Says how many timings were taken, none where all were known.</summary>
    public void SayTimings(string stage, int taken)
    {
        gathering?.CountTimings(taken);
        options.Progress(new ProgressUpdate(stage, taken == 0 ? "reused" : $"{taken} timings taken") { IsPart = gathering is not null });
    }

    /// <summary>Does work of many programs and timings, of which one line tells: what is said of each goes to the front as a part. Within such work it is part of that.</summary>
    /// <param name="stage">Whose line it is.</param>
    /// <param name="made">What came of it, in words; null: programs and timings are counted.</param>
    public T AsOne<T>(string stage, Func<T> work, Func<T, string>? made = null)
    {
        if (gathering is not null)
        {
            return work();
        }

        long start = Stopwatch.GetTimestamp();
        var own = gathering = new Gathering(stage);
        try
        {
            T result = work();
            Say(stage, own.Text(Stopwatch.GetElapsedTime(start), made?.Invoke(result)));
            return result;
        }
        finally
        {
            gathering = null;
        }
    }

    public void Warn(Diagnostic warning)
    {
        if (!warnings.Contains(warning))
        {
            warnings.Add(warning);
            if (told.Add(warning))
            {
                options.Warn(warning);
            }
        }
    }

    /// <summary>The log of one of several files of a run: it begins with the warnings so far, its own are none of the other files', and the front is told each once.</summary>
    public RunLog Branch() => new(options, [.. warnings], told);

    /// <summary>Of the cache, which has no part in what is made: it does not stand in the manifest.</summary>
    public void WarnOfDamage(string stage, string? damage)
    {
        if (damage is not null)
        {
            WarnOnly(Errors.CacheEntryDamaged(stage, damage));
        }
    }

    /// <summary>Warns the front of what has no part in what is made.</summary>
    public void WarnOnly(Diagnostic warning) => options.Warn(warning);

    public void Key(string stage, CacheKey inputs)
    {
        if (options.ShowKeys)
        {
            Say(stage, $"key: {string.Join(", ", inputs.Describe().Select(part => $"{part.Name} {part.Value}"))}");
        }
    }
}
