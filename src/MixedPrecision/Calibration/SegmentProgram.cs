using MixedPrecision.Execution;

namespace MixedPrecision.Calibration;

/// <summary>
/// The forward and backward pass of a segment, compiled. Segments of equal structure share one program; names are canonical, and weights are
/// inputs unless the model runs as one segment. The backward model takes what the forward model takes, the operands and outputs of layers
/// where those are kept, and the gradients of the segment's outputs; all between is computed anew.
/// </summary>
/// <param name="Forward">Inputs and weights → what leaves the segment, and the operands and outputs of its layers where they are kept.</param>
/// <param name="Backward">Null when the segment holds no layer and nothing before it needs a gradient.</param>
/// <param name="Upstream">Gradients that the backward model takes and gives, for the labels.</param>
/// <param name="DrawnUpstream">The same for labels drawn from the model; empty without them.</param>
/// <param name="Taylor">Operand z of some layer that is computed here → output of the backward model that holds its gradient ż, over all its readers.</param>
/// <param name="DrawnOperands">The same for labels drawn from the model, of the operands that layers may hold in ranges known beforehand.</param>
/// <param name="Layers">By canonical name of the layer's output.</param>
internal sealed record SegmentProgram(
    Session Forward,
    Session? Backward,
    GradientFlow Upstream,
    GradientFlow DrawnUpstream,
    IReadOnlyDictionary<string, string> Taylor,
    IReadOnlyDictionary<string, string> DrawnOperands,
    IReadOnlyDictionary<string, LayerProgram> Layers) : IDisposable
{
    public void Dispose()
    {
        Forward.Dispose();
        Backward?.Dispose();
    }
}

/// <summary>How gradients pass a backward model.</summary>
/// <param name="Seeds">Output of the segment → input of the backward model that takes its gradient.</param>
/// <param name="Results">Input of the segment → output of the backward model that holds its gradient.</param>
internal sealed record GradientFlow(IReadOnlyDictionary<string, string> Seeds, IReadOnlyDictionary<string, string> Results);
