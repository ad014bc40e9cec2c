using MixedPrecision.Calibration.Formats;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration;

/// <summary>
/// Runs one layer in all formats that apply to it and takes δ = ⟨y_f − y, ẏ⟩ of each. The nodes are those that the emitted model
/// will hold, optimized as an app's session optimizes them, so that the kernels' true arithmetic is measured.
/// </summary>
internal sealed class FormatProbe : IDisposable
{
    private const string Exact = "exact";
    private const string Gradient = "upstream";
    private const string DrawnGradient = "drawn upstream";
    private readonly LayerSite site;
    private readonly Session session;
    private readonly IReadOnlyDictionary<string, (string Delta, string? Drawn)> deltas;

    private FormatProbe(LayerSite site, Session session, IReadOnlyDictionary<string, (string Delta, string? Drawn)> deltas)
    {
        this.site = site;
        this.session = session;
        this.deltas = deltas;
    }

    /// <summary>The probe of a layer, or null when no format but the baseline applies.</summary>
    /// <param name="constant">The tensor of a constant value of the model.</param>
    /// <param name="withDrawn">Whether runs give a second gradient, for labels drawn from the model.</param>
    public static FormatProbe? Create(LayerSite site, IReadOnlyList<string> formats, Func<string, Tensor> constant, bool withDrawn, int threads)
    {
        NumberFormat[] applicable = [.. formats.Select(NumberFormats.Get).Where(f => f != NumberFormats.Baseline && f.WhyNot(site) is null)];
        if (applicable.Length == 0)
        {
            return null;
        }

        Layer layer = site.Layer;
        var graph = new GraphProto { Name = "formats" };
        graph.Input.Add(AnySize(site.Input).ToProto(layer.Input));
        if (layer.Kind == LayerKind.ActivationMatMul && layer.Weight != layer.Input)
        {
            graph.Input.Add(AnySize(site.Weight).ToProto(layer.Weight));
        }

        graph.Input.Add(new TensorType(ElementType.Float, null).ToProto(Exact));
        graph.Input.Add(new TensorType(ElementType.Float, null).ToProto(Gradient));
        if (withDrawn)
        {
            graph.Input.Add(new TensorType(ElementType.Float, null).ToProto(DrawnGradient));
        }

        if (layer.Bias is not null)
        {
            graph.Initializer.Add(constant(layer.Bias).ToProto(layer.Bias));
        }

        var b = new GraphBuilder(GraphBuilder.NamesIn(graph), "probe/");
        var deltas = new Dictionary<string, (string Delta, string? Drawn)>();
        foreach (NumberFormat format in applicable)
        {
            string result = b.Fresh(format.Name);
            LayerRewriter.Emit(b, site, format, constant, [], result);
            string change = b.Sub(result, Exact);
            deltas[format.Name] = (b.ReduceSum(b.Mul(change, Gradient)), withDrawn ? b.ReduceSum(b.Mul(change, DrawnGradient)) : null);
        }

        b.AppendTo(graph);
        graph.Output.AddRange(deltas.Values.SelectMany(d => new[] { d.Delta, d.Drawn }).OfType<string>().Select(d => new TensorType(ElementType.Float, []).ToProto(d)));
        var model = new ModelProto { IrVersion = 10, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 21 });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return new FormatProbe(site, Session.Create(model, SessionSettings.Default with { Threads = threads, ReuseMemory = false }), deltas);
    }

    /// <summary>δ by format, for one sample; and the same with the second gradient, 0 without one.</summary>
    /// <param name="input">x.</param>
    /// <param name="second">The second operand of a product of activations, else null.</param>
    /// <param name="exact">y in the baseline.</param>
    /// <param name="gradient">ẏ.</param>
    /// <param name="drawnGradient">ẏ for labels drawn from the model, or null.</param>
    public IEnumerable<(string Format, double Delta, double DrawnDelta)> Run(
        Tensor input, Tensor? second, Tensor exact, Tensor gradient, Tensor? drawnGradient)
    {
        var inputs = new Dictionary<string, Tensor> { [site.Layer.Input] = input, [Exact] = exact, [Gradient] = gradient };
        if (second is not null)
        {
            inputs[site.Layer.Weight] = second;
        }

        if (drawnGradient is not null)
        {
            inputs[DrawnGradient] = drawnGradient;
        }

        IReadOnlyDictionary<string, Tensor> results = session.Run(inputs);
        return deltas.Select(d => (d.Key, (double)results[d.Value.Delta].Values<float>()[0], d.Value.Drawn is { } drawn ? results[drawn].Values<float>()[0] : 0.0));
    }

    public void Dispose() => session.Dispose();

    private static TensorType AnySize(TensorType type) => type with { Shape = type.Shape?.Select(_ => Dimension.Unknown).ToArray() };
}
