using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>The baseline: the layer as the model has it, untouched. Applies to every layer, adds no noise.</summary>
internal static class Fp32
{
    public static NumberFormat Of(FormatId id) => new(
        Name: id.Text,
        Version: 1,
        KernelIdentity: id.Text,
        TimePerMac: 1,
        WhyNot: _ => null,
        Prepare: (_, _) => [],
        Emit: _ => throw new InvalidOperationException("a layer in the baseline is not rewritten"),
        InputNoise: null,
        WeightBlock: 0,
        WeightSteps: (_, _) => [],
        Kernels: _ => [],
        Disagreement: 0,
        Bytes: site => site.BaselineBytes);
}
