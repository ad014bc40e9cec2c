using MixedPrecision.Calibration.Data;
using MixedPrecision.Calibration.Formats;
using MixedPrecision.Calibration.Losses;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration;

/// <summary>All that calibration reads.</summary>
/// <param name="Sites">Every layer of the partition, by name.</param>
/// <param name="Formats">Names of the formats to judge; the baseline may be among them.</param>
/// <param name="Threads">Threads within an operator; 0 leaves the choice to ONNX Runtime.</param>
public sealed record CalibrationRequest(
    OnnxModel Model,
    Partition Partition,
    IReadOnlyDictionary<string, TensorType> Types,
    IReadOnlyDictionary<string, LayerSite> Sites,
    IReadOnlyList<string> Formats,
    LossFunction Loss,
    IReadOnlyList<Sample> Samples,
    int Threads);

/// <summary>Sensitivities by one forward and one backward pass a sample (paper, section 3), sub-graph by sub-graph.</summary>
public static class Calibrator
{
    /// <param name="progress">Told the fraction that is done.</param>
    /// <exception cref="MixedPrecisionException">MPB4xxx: the model cannot be differentiated, or data and loss do not fit it.</exception>
    public static Sensitivities Run(CalibrationRequest request, Action<double> progress, CancellationToken cancel)
    {
        GradientLimits limits = GradientLimits.Of(request.Model, request.Types, request.Loss.Outputs);
        if (request.Partition.Layers.All(l => limits.Hidden.Contains(l.Output)) && limits.Operators.Count > 0)
        {
            throw Errors.NoLayerReached(request.Model.DisplayName, limits.Operators);
        }

        HashSet<string> operands = [.. request.Partition.Layers.SelectMany(l => l.HasWeight ? new[] { l.Input } : [l.Input, l.Weight])];
        HashSet<string> wanted = DependentOnLayers(request.Partition);
        wanted.UnionWith(operands);
        wanted.ExceptWith(limits.Hidden);
        operands.ExceptWith(limits.Hidden);
        SessionSettings settings = SessionSettings.Plain with { Threads = request.Threads };
        var programs = new List<SubgraphProgram>();
        try
        {
            foreach (Subgraph subgraph in request.Partition.Subgraphs)
            {
                cancel.ThrowIfCancellationRequested();
                ExtractedSubgraph extracted = Extraction.Extract(
                    request.Model, request.Partition, request.Types, subgraph.Nodes, new ExtractionOptions(WeightsAsInputs: true));
                LayerSite[] sites = [.. subgraph.Layers.Select(l => request.Sites[l.Name])];
                programs.Add(SubgraphProgram.Create(
                    request.Model, request.Types, extracted, sites, request.Formats, new GradientValues(wanted, operands, limits.Hidden), request.Loss.HasCurvature, settings));
            }

            return new CalibrationPass(request, programs, progress, cancel).Run();
        }
        finally
        {
            programs.ForEach(p => p.Dispose());
        }
    }

    /// <summary>The values that depend on the output of some layer: through them gradients flow back to layers.</summary>
    private static HashSet<string> DependentOnLayers(Partition partition)
    {
        GraphView view = partition.View;
        HashSet<int> layers = [.. partition.Layers.Select(l => l.Node)];
        var dependent = new HashSet<string>();
        for (int node = 0; node < view.Nodes.Count; node++)
        {
            if (layers.Contains(node) || view.Inputs[node].Any(dependent.Contains))
            {
                dependent.UnionWith(view.Nodes[node].Output);
            }
        }

        return dependent;
    }
}
