using MixedPrecision.Data;
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
    /// <param name="left">Numbers of samples that do not count.</param>
    /// <param name="report">Told the fraction that is done.</param>
    public static IReadOnlyDictionary<string, LayerSensitivity> Measure(CalibrationRequest request, IReadOnlyList<Layer> layers, IReadOnlyCollection<int> left, Action<double> report, CancellationToken cancel)
    {
        SessionSettings settings = SessionSettings.Default with { Threads = request.Threads };
        Sample[] samples = [.. request.Samples.Where((_, i) => !left.Contains(i))];
        var exact = new List<(LossTarget Target, double Loss)>();
        using (Session session = Session.Create(Instrumented.Of(request.Model, []), settings, request.Model.Folder))
        {
            foreach (Sample sample in samples)
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
        var faults = new Dictionary<string, string>();
        for (int number = 0; number < cases.Length; number++)
        {
            (LayerSite site, NumberFormat format) = cases[number];
            ModelProto model = request.Model.Proto.Clone();
            Instrumented.OpenSizes(model.Graph);

            // The others stay, but one of them may balance this one's channels.
            (LayerSite, NumberFormat)[] plan = [.. request.Sites.Values.Select(s => (s, s.Layer == site.Layer ? format : NumberFormats.Baseline))];
            LayerRewriter.Apply(model, plan, name => Partitioning.Weights.Read(request.Model, request.Partition.View, name)!, request.Preparations);
            using Session session = Session.Create(model, settings, request.Model.Folder);
            double[] deltas = [.. samples.Select((sample, i) =>
            {
                using RunResults outputs = session.RunInPlace(sample.Inputs, cancel);
                return request.Loss.Value(outputs.Tensors, exact[i].Target) - exact[i].Loss;
            })];
            int fault = Array.FindIndex(deltas, d => !double.IsFinite(d));
            if (fault >= 0)
            {
                faults.TryAdd(site.Layer.Name, $"in {format.Name} it makes the loss {(double.IsNaN(deltas[fault]) ? "NaN" : "infinite")} on {samples[fault].Place}");
            }
            else
            {
                double square = deltas.Average(d => d * d);
                found[site.Layer.Name][format.Name] = new FormatSensitivity(square, square, 0, deltas);
            }

            report((number + 1.0) / cases.Length);
        }

        return layers.ToDictionary(l => l.Name, l =>
        {
            string? fault = request.Sites[l.Name].Fault ?? faults.GetValueOrDefault(l.Name);
            bool isSeen = found[l.Name].Count == 0 || found[l.Name].Values.Any(f => f.Measured > 0);
            return new LayerSensitivity(l.Name, true, 0, 0, fault is null ? found[l.Name] : new Dictionary<string, FormatSensitivity>())
            {
                State = fault is not null ? LayerState.NotFinite : isSeen ? LayerState.Judged : LayerState.ReadsZeros,
                Fault = fault,
            };
        });
    }
}
