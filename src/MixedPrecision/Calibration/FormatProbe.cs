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
    private readonly LayerSite site;
    private readonly Session session;
    private readonly IReadOnlyDictionary<string, string> deltas;

    private FormatProbe(LayerSite site, Session session, IReadOnlyDictionary<string, string> deltas)
    {
        this.site = site;
        this.session = session;
        this.deltas = deltas;
    }

    /// <summary>The probe of a layer, or null when no format but the baseline applies.</summary>
    /// <param name="constant">The tensor of a constant value of the model.</param>
    public static FormatProbe? Create(LayerSite site, IReadOnlyList<string> formats, Func<string, Tensor> constant, int threads)
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
        if (layer.Bias is not null)
        {
            graph.Initializer.Add(constant(layer.Bias).ToProto(layer.Bias));
        }

        var b = new GraphBuilder(GraphBuilder.NamesIn(graph), "probe/");
        var deltas = new Dictionary<string, string>();
        foreach (NumberFormat format in applicable)
        {
            string result = b.Fresh(format.Name);
            LayerRewriter.Emit(b, site, format, constant, [], result);
            deltas[format.Name] = b.ReduceSum(b.Mul(b.Sub(result, Exact), Gradient));
        }

        b.AppendTo(graph);
        graph.Output.AddRange(deltas.Values.Select(d => new TensorType(ElementType.Float, []).ToProto(d)));
        var model = new ModelProto { IrVersion = 10, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 21 });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return new FormatProbe(site, Session.Create(model, SessionSettings.Default with { Threads = threads, ReuseMemory = false }), deltas);
    }

    /// <summary>δ by format, for one sample.</summary>
    /// <param name="input">x.</param>
    /// <param name="second">The second operand of a product of activations, else null.</param>
    /// <param name="exact">y in the baseline.</param>
    /// <param name="gradient">ẏ.</param>
    public IEnumerable<(string Format, double Delta)> Run(Tensor input, Tensor? second, Tensor exact, Tensor gradient)
    {
        var inputs = new Dictionary<string, Tensor> { [site.Layer.Input] = input, [Exact] = exact, [Gradient] = gradient };
        if (second is not null)
        {
            inputs[site.Layer.Weight] = second;
        }

        IReadOnlyDictionary<string, Tensor> results = session.Run(inputs);
        return deltas.Select(d => (d.Key, (double)results[d.Value].Values<float>()[0]));
    }

    public void Dispose() => session.Dispose();

    private static TensorType AnySize(TensorType type) => type with { Shape = type.Shape?.Select(_ => Dimension.Unknown).ToArray() };
}
