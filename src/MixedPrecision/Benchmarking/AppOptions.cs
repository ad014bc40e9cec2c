using MixedPrecision.Execution;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarking;

/// <summary>Session options that may help with no change of the file.</summary>
/// <param name="Name">What it is called in reports.</param>
/// <param name="Price">What an app gives for it, as a clause; empty: nothing.</param>
/// <param name="IsSet">Whether the policy says that the app sets it.</param>
/// <param name="Options">How it is set; none: it cannot be, for this policy.</param>
/// <param name="ChangesNumbers">Whether a run computes other numbers with it.</param>
public sealed record AppOption(string Name, string Price, bool IsSet, IReadOnlyList<SessionOption> Options, bool ChangesNumbers);

/// <summary>The table of <see cref="AppOption"/>s.</summary>
public static class AppOptions
{
    public static IReadOnlyList<AppOption> Of(Policy policy) =>
    [
        new(
            "free dimensions",
            "the session then takes inputs of these sizes alone",
            policy.Runtime.FreeDimensions,
            [.. policy.FixedSizes.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => SessionOption.FreeDimension(s.Key, s.Value))],
            ChangesNumbers: false),
        new("Gelu approximation", "outputs differ a little, within the budget", policy.Runtime.GeluApproximation, [SessionOption.GeluApproximation], ChangesNumbers: true),
        new("no spinning", "", !policy.Runtime.Spinning, [SessionOption.NoSpinning], ChangesNumbers: false),
    ];

    /// <summary>What the policy says that the app sets; null: nothing.</summary>
    public static IReadOnlyList<SessionOption>? Set(Policy policy) => Of(policy).Where(o => o.IsSet).SelectMany(o => o.Options).ToArray() is { Length: > 0 } set ? set : null;
}
