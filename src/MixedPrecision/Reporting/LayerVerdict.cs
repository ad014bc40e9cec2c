using MixedPrecision.Policies;

namespace MixedPrecision.Reporting;

/// <summary>What decided on the format of a layer.</summary>
internal enum LayerVerdict
{
    /// <summary>A rule of the policy.</summary>
    Pinned,

    /// <summary>The plan, which gains by another format.</summary>
    Changed,

    /// <summary>No other format was judged.</summary>
    NotJudged,

    /// <summary>No other format applies.</summary>
    NotApplicable,

    /// <summary>Whatever was tried did not gain for certain.</summary>
    NothingGains,

    /// <summary>Every other format loses more than the budget allows, by itself.</summary>
    TooSensitive,

    /// <summary>Other layers use the budget better.</summary>
    NotWorth,
}

/// <summary>Judges layers by what a manifest holds.</summary>
internal static class LayerVerdicts
{
    /// <param name="changing">See <see cref="Changing"/>.</param>
    /// <param name="budget">The loss MSE that is allowed, or null where that is not known.</param>
    public static LayerVerdict Of(PlannedLayer layer, IReadOnlyList<TriedConfiguration> changing, double? budget) =>
        layer.Pinned is not null ? LayerVerdict.Pinned
        : layer.Format != FormatFamilies.Baseline ? LayerVerdict.Changed
        : layer.Sensitivity.Count == 0 ? layer.NotApplicable.Count > 0 ? LayerVerdict.NotApplicable : LayerVerdict.NotJudged
        : changing.Count > 0 && changing.All(t => t.Gain!.Ends.Low <= 0) ? LayerVerdict.NothingGains
        : budget is { } allowed && layer.Sensitivity.Values.Min() > allowed ? LayerVerdict.TooSensitive
        : LayerVerdict.NotWorth;

    /// <summary>The configurations that ran, and have a layer in another format than the original's.</summary>
    /// <param name="index">The layer's place in its sub-graph.</param>
    /// <param name="tried">What was tried of the sub-graph.</param>
    public static IReadOnlyList<TriedConfiguration> Changing(int index, IEnumerable<TriedConfiguration> tried) =>
        [.. tried.Where(t => t.Gain is not null && index < t.Formats.Count && t.Formats[index] != FormatFamilies.Baseline)];
}
