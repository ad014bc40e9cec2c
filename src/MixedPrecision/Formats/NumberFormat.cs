using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>A kernel of ONNX Runtime.</summary>
/// <param name="Operator">Operator with its domain unless that is ONNX's own.</param>
/// <param name="Attributes">Attributes it has to have, with their values.</param>
public sealed record Kernel(string Operator, params (string Name, long Value)[] Attributes)
{
    /// <summary>Whether a node of an optimized graph runs in it.</summary>
    public bool Runs(NodeProto node) => node.Operator() == Operator && Attributes.All(a => node.Attribute(a.Name)?.I == a.Value);

    public override string ToString() => Attributes.Length == 0 ? Operator : $"{Operator} ({string.Join(", ", Attributes.Select(a => $"{a.Name} = {a.Value}"))})";
}

/// <summary>The standard deviation of the rounding noise of each of some values of a weight.</summary>
public delegate void WeightDeviations(ReadOnlySpan<float> values, Span<float> deviations);

/// <summary>
/// A way to run a layer. All that belongs to the formats of one family stands in a file of its own: where it applies, what it does to the weights, the
/// nodes that replace the layer's, its noise model, its bytes and its theoretical cost. <see cref="NumberFormats"/> lists them.
/// </summary>
/// <param name="Name">The canonical text, <see cref="FormatId.Text"/>: what decides on the loss. It names the format in policies, plans, manifests and the keys of sensitivities.</param>
/// <param name="Version">Raised when what the format emits changes; part of the keys of sensitivities.</param>
/// <param name="KernelIdentity">
/// What decides on the time of a layer in this format: kernel, sizes of blocks, bits, further inputs; part of the keys of timings. Formats that differ only in the values of their constants
/// have the same, and so share their timings. Without spaces; has a new text when what the format emits takes another time.
/// </param>
/// <param name="TimePerMac">Theoretical time of one multiply-accumulate, relative to fp32.</param>
/// <param name="WhyNot">The reason why the format cannot run a layer, or null when it can.</param>
/// <param name="Prepare">The constants that replace a layer's weight, in the order <paramref name="Emit"/> reads them. Empty for products of activations.</param>
/// <param name="Emit">Adds the nodes that compute the layer's output in this format.</param>
/// <param name="InputNoise">
/// Adds nodes for Σ σᵢ² żᵢ², a scalar, from an activation operand z and its gradient ż, σᵢ² being the variance of the rounding noise (paper,
/// section 3: Δ²/12 for integers); null when the format keeps activations exact.
/// </param>
/// <param name="WeightBlock">Inputs that share one scale within an output column, or 0 when the whole column does.</param>
/// <param name="WeightSteps">
/// The steps Δ of the integer grid that a weight matrix is rounded to, [N, ⌈K/WeightBlock⌉] ([N] for whole columns). The noise model of the
/// paper (section 3) gives a rounded value the variance Δ²/12.
/// </param>
/// <param name="Kernels">
/// What the runtime has to run a layer in, any of these, once it has optimized the graph: the promise that the format's speed rests on. Empty when there is none.
/// </param>
/// <param name="Disagreement">
/// How far two correct ways to run the emitted model may lie apart, as a share of the error that the format itself makes. √2 where activations are rounded at run time:
/// a change in the last bit of an activation, as fused operators bring, takes a value to the other side of a step, in the next layer more of them, and in the end the two
/// runs carry independent rounding errors, whose difference has twice the variance of one. 0 where nothing is rounded at run time.
/// </param>
/// <param name="Bytes">Bytes of a layer's constants in this format; of a layer with several weights, of one of them (<see cref="LayerSite.ByWeight"/>), as in all that takes a weight here.</param>
public sealed record NumberFormat(
    string Name,
    int Version,
    string KernelIdentity,
    double TimePerMac,
    Func<LayerSite, string?> WhyNot,
    Func<LayerSite, Tensor, IReadOnlyList<Tensor>> Prepare,
    Action<LayerEmission> Emit,
    Func<GraphBuilder, LayerSite, string, string, string>? InputNoise,
    int WeightBlock,
    Func<LayerSite, Tensor, float[]> WeightSteps,
    Func<LayerSite, IReadOnlyList<Kernel>> Kernels,
    double Disagreement,
    Func<LayerSite, long> Bytes)
{
    /// <summary>The oldest version of ONNX's operator set that has what <see cref="Emit"/> adds; an older model is raised.</summary>
    public int Opset { get; init; }

    /// <summary>
    /// Of a weight, the noise of values that depends on the values themselves (floating types, whose steps grow with them); null where <see cref="WeightSteps"/> say all.
    /// </summary>
    public Func<Tensor, WeightDeviations>? WeightNoise { get; init; }

    /// <summary>Whether a layer reads its input with balanced channels where it can: see <see cref="LayerSite.Balance"/>.</summary>
    public bool BalancesChannels { get; init; }

    /// <summary>Whether what calibration saw a layer read, <see cref="LayerSite.Moments"/>, decides on the constants too.</summary>
    public bool ReadsMoments { get; init; }

    /// <summary>Whether ranges that calibration saw, <see cref="LayerSite.Ranges"/>, are written into what is emitted, and an activation behind the layer (<see cref="LayerSite.Tail"/>) with them.</summary>
    public bool ReadsRanges { get; init; }

    /// <summary>
    /// Where values are judged apart from layers (<see cref="ReadsRanges"/>): from the prepared constants, the weight as the format holds it, in float. With it in place of its own a layer makes the change that is the format's alone.
    /// </summary>
    public Func<LayerSite, IReadOnlyList<Tensor>, Tensor>? HeldWeight { get; init; }

    /// <summary>The reason why the format cannot run a layer, or null when it can. A weight without numbers to round keeps every format but the baseline from its layer.</summary>
    public Func<LayerSite, string?> WhyNot { get; } = Name == FormatFamilies.Baseline ? WhyNot : site => site.Fault ?? WhyNot(site);

    /// <summary>Kinds of layers that the format is meant for: that it cannot run others is no news.</summary>
    public Func<LayerKind, bool> IsFor { get; init; } = _ => true;

    /// <summary>Of operators that <see cref="Emit"/> writes besides the layer's own, the kernels that the runtime has to make of them.</summary>
    public Func<LayerSite, IReadOnlyList<KeyValuePair<string, string>>> KernelsBeside { get; init; } = _ => [];

    /// <summary>Whether it is only right on processors that add products of 8 bits exactly.</summary>
    public bool NeedsExactSums { get; init; }
}
