using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;
using MixedPrecision.Solving;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>An emitted file that may be shipped.</summary>
/// <param name="Name">"plan", or "uniform" and the format.</param>
/// <param name="Plan">What it carries.</param>
/// <param name="Loss">Change of its loss, measured.</param>
/// <param name="Measured">What the budget's first limit is about, as measured.</param>
/// <param name="IsWithin">Whether all that is limited is within its limit, the size too.</param>
/// <param name="Times">Its end-to-end time against the original's in each scenario; null where it was not timed, being over the budget.</param>
internal sealed record Contestant(
    string Name, Plan Plan, EmittedModel Emitted, LossChange Loss, double Measured, bool IsWithin, IReadOnlyList<ScenarioTiming>? Times = null)
{
    /// <summary>Why it must not be shipped though it is within the budget, or null.</summary>
    public Diagnostic? Problem { get; init; }

    /// <summary>What a profile predicts, where times are those of another machine and the file is not timed here; else null.</summary>
    public PredictedTime? Predicted { get; init; }

    /// <summary>Whether its time is known, so that it may be shipped.</summary>
    public bool HasTime => Times is not null || Predicted is not null;

    /// <summary>Milliseconds that a run saves over the original, the mean over the scenarios by their weights, with its interval.</summary>
    public Gain Gain => Predicted is not null ? Predicted.Gain : (Times ?? []).Aggregate(
        Pipeline.Gain.None, (sum, s) => sum + new Gain(s.Timing.Low * s.Weight, s.Timing.Gain * s.Weight, s.Timing.High * s.Weight));

    /// <summary>Milliseconds of a run of the original, likewise.</summary>
    public double OriginalMilliseconds => Predicted is not null ? Predicted.OriginalMilliseconds : (Times ?? []).Sum(s => s.Timing.OriginalMilliseconds * s.Weight);
}

/// <summary>What the timings of a profile sum up to.</summary>
/// <param name="Gain">Milliseconds that a run saves over the original.</param>
/// <param name="OriginalMilliseconds">Milliseconds of the original.</param>
internal sealed record PredictedTime(Gain Gain, double OriginalMilliseconds);

/// <summary>What is shipped.</summary>
/// <param name="Winner">The file, or null: the original.</param>
/// <param name="Why">A clause for people.</param>
internal sealed record Verdict(Contestant? Winner, string Why);

/// <summary>Which of the files within the budget is shipped: never one that is slower than the original or than another of them.</summary>
internal static class Contest
{
    /// <summary>
    /// With the objective time, the fastest of all that were timed in one run, if its gain is told from zero; a gain that is not counts only if the file is smaller. With the
    /// objective memory the smallest, if smaller than the original. Theoretical time is not measured: the plan. Where the original is too large to be kept, the fastest even if it is slower. Where times are those of a profile, the files were not timed, and what it predicts counts as the program counts it.
    /// </summary>
    /// <param name="contestants">Each within the budget; the plan first.</param>
    /// <param name="originalBytes">Bytes of the original's files.</param>
    /// <param name="minimumGain">Share of the original's time from which on a gain is one.</param>
    /// <param name="isOriginalTooLarge">Whether the size is limited to less than the original has.</param>
    public static Verdict Decide(IReadOnlyList<Contestant> contestants, Objective objective, long originalBytes, double minimumGain, bool isOriginalTooLarge = false)
    {
        if (objective == Objective.TheoreticalTime)
        {
            return new Verdict(contestants[0], "the plan of the greatest theoretical gain within the budget");
        }

        if (objective == Objective.Memory)
        {
            Contestant smallest = contestants.MinBy(c => c.Emitted.Bytes)!;
            return smallest.Emitted.Bytes < originalBytes
                ? new Verdict(smallest, contestants.Count == 1 ? "smaller than the original, and within the budget" : $"the smallest of {contestants.Count} files within the budget")
                : new Verdict(null, "no file within the budget is smaller than the original");
        }

        if (contestants.All(c => c.Predicted is not null))
        {
            return Predicted(contestants, originalBytes, minimumGain);
        }

        Contestant[] fastest = [.. contestants.OrderByDescending(c => c.Gain.Centre)];
        if (fastest.FirstOrDefault(c => MinimumGain.Counts(c.Gain.Low, c.OriginalMilliseconds, minimumGain)) is { } faster)
        {
            return new Verdict(faster, faster.Gain.Centre < fastest[0].Gain.Centre || contestants.Count == 1
                ? "faster than the original, and within the budget"
                : $"the fastest of {contestants.Count} files within the budget, timed in one run");
        }

        // Not told from zero, or too little to count.
        Contestant? smaller = fastest.FirstOrDefault(c => c.Gain.High >= 0 && c.Emitted.Bytes < originalBytes);
        return smaller is null && isOriginalTooLarge ? new Verdict(fastest[0], "small enough, as the original is not, at the least cost in time")
            : smaller is not null
            ? new Verdict(smaller, "smaller than the original; no gain in time that counts was found")
            : new Verdict(null, fastest[0].Gain.High < 0
                ? "the mixed model was measured to be slower than the original"
                : "the mixed model was not measured to be faster than the original, and it is not smaller");
    }

    private static Verdict Predicted(IReadOnlyList<Contestant> contestants, long originalBytes, double minimumGain)
    {
        const string Unmeasured = "end-to-end time was not measured on the device";
        Contestant[] fastest = [.. contestants.OrderByDescending(c => c.Gain.Low)];
        if (MinimumGain.Counts(fastest[0].Gain.Low, fastest[0].OriginalMilliseconds, minimumGain))
        {
            return new Verdict(fastest[0], $"{(contestants.Count == 1 ? "predicted by the profile to be faster than the original, and within the budget" : $"by the profile the fastest of {contestants.Count} files within the budget")}; {Unmeasured}");
        }

        Contestant? smaller = fastest.FirstOrDefault(c => c.Gain.High >= 0 && c.Emitted.Bytes < originalBytes);
        return smaller is not null
            ? new Verdict(smaller, $"smaller than the original; by the profile it gains no time that counts, and {Unmeasured}")
            : new Verdict(null, $"by the profile no file gains time that counts, and none that does not lose any is smaller; {Unmeasured}");
    }

    /// <summary>MPB6004, where what ships is measured to be slower than the original, which is too large: a promise that a limit of the size may break, and not silently. Else null.</summary>
    /// <param name="originalBytes">Bytes of the original's files.</param>
    public static Diagnostic? SlowerForSize(Contestant winner, Policy policy, long originalBytes) =>
        policy.Budget.Size is { } size && size.Bytes(originalBytes) < originalBytes && winner.Times is { Count: > 0 } && winner.Gain.High < 0
            ? Errors.SlowerForSize(
                policy.PlaceOfSize, size.ToString(), winner.Emitted.Bytes, originalBytes, -winner.Gain.Centre, (-winner.Gain.High, -winner.Gain.Low), -winner.Gain.Centre / winner.OriginalMilliseconds)
            : null;
}
