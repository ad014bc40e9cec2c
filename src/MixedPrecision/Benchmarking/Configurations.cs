using MixedPrecision.Formats;

namespace MixedPrecision.Benchmarking;

/// <summary>Which configurations are measured first.</summary>
internal static class Configurations
{
    /// <summary>
    /// Each layer alone in each format that applies to it, the others in the baseline; then, per format, all layers that it applies to,
    /// where these are more than one.
    /// </summary>
    /// <returns>Configurations, each with one format per layer; none is the baseline alone, none occurs twice.</returns>
    public static NumberFormat[][] PerLayer(IReadOnlyList<LayerSite> layers, IReadOnlyList<NumberFormat> formats)
    {
        NumberFormat[] others = [.. formats.Where(f => f != NumberFormats.Baseline)];
        var configurations = new List<NumberFormat[]>();
        for (int layer = 0; layer < layers.Count; layer++)
        {
            foreach (NumberFormat format in others.Where(f => f.WhyNot(layers[layer]) is null))
            {
                NumberFormat[] alone = [.. Enumerable.Repeat(NumberFormats.Baseline, layers.Count)];
                alone[layer] = format;
                configurations.Add(alone);
            }
        }

        foreach (NumberFormat format in others)
        {
            NumberFormat[] uniform = [.. layers.Select(l => format.WhyNot(l) is null ? format : NumberFormats.Baseline)];
            if (uniform.Count(f => f == format) > 1)
            {
                configurations.Add(uniform);
            }
        }

        return [.. configurations];
    }
}
