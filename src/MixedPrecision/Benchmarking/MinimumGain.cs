namespace MixedPrecision.Benchmarking;

/// <summary>
/// Which gains are worth a loss. A plan has to gain a stated share of what the whole model takes. A single configuration, which is a small part of the model by nature,
/// has to gain as much for each layer that it changes as would make up that share if every layer gained as much: share · total / layers. So many small equal
/// blocks add up, while a layer whose gain is far below what would ever make up the share is left alone. Any unit will do: milliseconds, operations, bytes.
/// </summary>
public static class MinimumGain
{
    /// <summary>Whether what a configuration of a sub-graph gains is a gain.</summary>
    /// <param name="gain">The lower end of its interval.</param>
    /// <param name="total">What the original model takes, in the unit of <paramref name="gain"/>: the sum over all its sub-graphs.</param>
    /// <param name="changed">Layers that the configuration takes out of the baseline, at least 1.</param>
    /// <param name="layers">Layers of the model that have a choice.</param>
    /// <param name="share">The share that a plan has to gain, from 0 to 1; at 0 any gain is one.</param>
    public static bool Counts(double gain, double total, int changed, int layers, double share) =>
        gain > 0 && gain >= share * total * changed / layers;

    /// <summary>Whether what a whole plan gains is a gain.</summary>
    public static bool Counts(double gain, double total, double share) => Counts(gain, total, 1, 1, share);
}
