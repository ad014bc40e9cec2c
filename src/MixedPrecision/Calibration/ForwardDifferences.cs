using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;

namespace MixedPrecision.Calibration;

/// <summary>
/// Sensitivities without gradients, for layers behind an operator that has none: the model runs forward with one layer in one format, and δ is the
/// change of the loss itself, its rise included. A run of the whole model for each layer, format and sample.
/// </summary>
internal static class ForwardDifferences
{
    /// <param name="layers">The layers to judge.</param>
    /// <param name="report">Told the fraction that is done.</param>
    public static IReadOnlyDictionary<string, LayerSensitivity> Measure(CalibrationRequest request, IReadOnlyList<Layer> layers, Action<double> report, CancellationToken cancel)
    {
        SessionSettings settings = SessionSettings.Default with { Threads = request.Threads };
        var exact = new List<(LossTarget Target, double Loss)>();
        using (Session session = Session.Create(request.Model.Proto, settings, request.Model.Folder))
        {
            foreach (var sample in request.Samples)
            {
                using RunResults outputs = session.RunInPlace(sample.Inputs, cancel);
                LossTarget target = request.Loss.TargetOf(sample, exact.Count, outputs.Tensors);
                exact.Add((target, request.Loss.Value(outputs.Tensors, target)));
            }
        }

        (LayerSite Site, NumberFormat Format)[] cases =
        [
            .. from layer in layers
               let site = request.Sites[layer.Name]
               from format in request.Formats
               where format != NumberFormats.Baseline && format.WhyNot(site) is null
               select (site, format),
        ];
        var found = layers.ToDictionary(l => l.Name, _ => new Dictionary<string, FormatSensitivity>());
        for (int number = 0; number < cases.Length; number++)
        {
            (LayerSite site, NumberFormat format) = cases[number];
            ModelProto model = request.Model.Proto.Clone();
            LayerRewriter.Apply(model, [(site, format)], name => Partitioning.Weights.Read(request.Model, request.Partition.View, name)!, request.Preparations);
            using Session session = Session.Create(model, settings, request.Model.Folder);
            double[] deltas = [.. request.Samples.Select((sample, i) =>
            {
                using RunResults outputs = session.RunInPlace(sample.Inputs, cancel);
                return request.Loss.Value(outputs.Tensors, exact[i].Target) - exact[i].Loss;
            })];
            double square = deltas.Average(d => d * d);
            found[site.Layer.Name][format.Name] = new FormatSensitivity(square, square, 0, deltas);
            report((number + 1.0) / cases.Length);
        }

        return layers.ToDictionary(l => l.Name, l => new LayerSensitivity(l.Name, true, 0, 0, found[l.Name]));
    }
}
