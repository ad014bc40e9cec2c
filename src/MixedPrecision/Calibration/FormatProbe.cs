using System.Numerics;
using System.Runtime.InteropServices;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;

namespace MixedPrecision.Calibration;

/// <summary>What a layer had in one sample.</summary>
/// <param name="Input">x.</param>
/// <param name="Second">The second operand of a product of activations, else null.</param>
/// <param name="Output">y in the baseline; of several results all elements in a row, and so in the gradients.</param>
/// <param name="Gradient">ẏ.</param>
/// <param name="DrawnGradient">ẏ for labels drawn from the model, or null.</param>
internal sealed record LayerValues(Tensor Input, Tensor? Second, Tensor Output, Tensor Gradient, Tensor? DrawnGradient)
{
    /// <summary>By name, what else it reads that is not constant.</summary>
    public IReadOnlyDictionary<string, Tensor> Further { get; init; } = new Dictionary<string, Tensor>();
}

/// <summary>A layer in a format, or some of its output columns.</summary>
/// <param name="First">The first of the columns; 0 for a product of activations.</param>
/// <param name="Count">How many columns; 0 for a product of activations.</param>
internal sealed record ProbeCase(LayerSite Site, NumberFormat Format, int First, int Count);

/// <summary>
/// Runs layers in formats that apply to them and takes δ = ⟨y_f − y, ẏ⟩ of each. The nodes are those that the emitted model
/// will hold, optimized as an app's session optimizes them, so that the kernels' true arithmetic is measured.
/// </summary>
internal sealed class FormatProbe : IDisposable
{
    /// <summary>With the output of the probe that is held against the layer's result, or against another of the probe where what the layer adds is computed.</summary>
    private readonly IReadOnlyList<(ProbeCase Case, string Output, string? Exact)> cases;
    private readonly Session session;

    private FormatProbe(IReadOnlyList<(ProbeCase Case, string Output, string? Exact)> cases, Session session)
    {
        this.cases = cases;
        this.session = session;
    }

    /// <summary>Cases that are probed together: all of small layers, one by one of large ones, the largest in tiles of columns.</summary>
    /// <param name="parameters">Parameters of layers that are not many.</param>
    public static IReadOnlyList<IReadOnlyList<ProbeCase>> Batches(IEnumerable<LayerSite> sites, IReadOnlyList<NumberFormat> formats, long parameters)
    {
        ProbeCase[] cases =
        [
            .. from site in sites
               from format in formats
               where format != NumberFormats.Baseline && format.WhyNot(site) is null
               from tile in Tiles(site, parameters)
               select new ProbeCase(site, format, tile.First, tile.Count),
        ];
        return cases.Length == 0 ? [] : cases.Sum(c => c.Site.Layer.Parameters) <= parameters ? [cases] : [.. cases.Select(c => new[] { c })];
    }

    /// <param name="constant">The tensor of a constant value of the model, null for a value that is none.</param>
    /// <param name="preparations">Where prepared constants are kept, or null.</param>
    public static FormatProbe Create(IReadOnlyList<ProbeCase> batch, Func<string, Tensor?> constant, int threads, Preparations? preparations = null)
    {
        var graph = new GraphProto { Name = "formats" };
        var declared = new HashSet<string>();
        foreach ((LayerSite site, _, int first, int count) in batch.DistinctBy(c => c.Site))
        {
            if (declared.Add(site.Layer.Input))
            {
                graph.Input.Add(AnySize(site.Input).ToProto(site.Layer.Input));
            }

            if (!site.Layer.HasWeight && declared.Add(site.Layer.Weight))
            {
                graph.Input.Add(AnySize(site.Weight).ToProto(site.Layer.Weight));
            }

            foreach (string value in site.Layer.Further.Where(declared.Add))
            {
                if (constant(value) is { } known)
                {
                    graph.Initializer.Add(HalfPrecision.Widen(known).ToProto(value));
                }
                else
                {
                    graph.Input.Add(new TensorType(site.TypeOfFurther(value), null).ToProto(value));
                }
            }

            if (site.Layer.Bias is string bias && constant(bias) is { } addend && declared.Add(bias))
            {
                Tensor values = HalfPrecision.Widen(addend);
                graph.Initializer.Add((IsWhole(site, count) ? values : ColumnTile.OfBias(site, values, first, count)).ToProto(bias));
            }
        }

        var b = new GraphBuilder(GraphBuilder.NamesIn(graph), "probe/");
        var shared = new Dictionary<string, string[]>();
        var cases = new List<(ProbeCase, string, string?)>();
        foreach (ProbeCase probed in batch)
        {
            (LayerSite whole, NumberFormat format, int first, int count) = probed;
            string output = b.Fresh(format.Name);
            LayerSite site = IsWhole(whole, count) ? whole : ColumnTile.Of(whole, count);
            Tensor Weight(string name) => IsWhole(whole, count) ? constant(name)! : ColumnTile.OfWeight(whole, constant(name)!, first, count);
            string? exact = null;
            if (site.Layer.Bias is string bias && constant(bias) is null)
            {
                // What is added is the same in both, and unknown here: products alone are compared.
                site = site with { Layer = site.Layer with { Bias = null } };
                exact = b.Node(site.Node.OpType, [site.Layer.Input, b.Constant(HalfPrecision.Widen(Weight(site.Layer.Weight)))], [.. site.Node.Attribute]);
                graph.Output.Add(new ValueInfoProto { Name = exact });
            }

            if (format.BalancesChannels && site.Balance is not null)
            {
                // What another layer will do at no cost.
                string balanced = b.Node("Div", [site.Layer.Input, b.Constant(Tensor.Of<float>(site.Balance.Scales, site.InputSize), "channels")]);
                site = site.Balanced() with { Layer = site.Layer with { Input = balanced } };
            }

            if (format.HeldWeight is { } held)
            {
                Tensor weight = Weight(site.Layer.Weight);
                string rounded = b.Constant(held(site, preparations is null ? format.Prepare(site, weight) : preparations.Get(site, format, weight)), "held");
                b.NodeTo([output], site.Node.OpType, "", site.Layer.Bias is string addend ? [site.Layer.Input, rounded, addend] : [site.Layer.Input, rounded], [.. site.Node.Attribute]);
            }
            else if (site.IsRecurrent)
            {
                LayerSite renamed = site.WithOutputs(b.Fresh);
                LayerRewriter.Emit(b, renamed, format, Weight, shared, renamed.Layer.Output, preparations);
                output = SegmentCompiler.InARow(b, renamed.Layer.Outputs);
            }
            else
            {
                LayerRewriter.Emit(b, site, format, Weight, shared, output, preparations);
            }

            cases.Add((probed, output, exact));
            graph.Output.Add(new ValueInfoProto { Name = output });
        }

        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 10, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 21 });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return new FormatProbe(cases, Session.Create(model, SessionSettings.Default with { Threads = threads }));
    }

    /// <summary>δ by case, for one sample; and the same with the second gradient, 0 without one. Those of a layer's tiles add up to the layer's.</summary>
    /// <param name="values">By name of the layer.</param>
    public IReadOnlyList<(LayerSite Site, string Format, double Delta, double DrawnDelta)> Run(IReadOnlyDictionary<string, LayerValues> values, CancellationToken cancel)
    {
        var inputs = new Dictionary<string, Tensor>();
        foreach (LayerSite site in cases.Select(c => c.Case.Site))
        {
            LayerValues layer = values[site.Layer.Name];
            inputs[site.Layer.Input] = layer.Input;
            if (layer.Second is not null)
            {
                inputs[site.Layer.Weight] = layer.Second;
            }

            foreach ((string value, Tensor tensor) in layer.Further)
            {
                inputs[value] = tensor;
            }
        }

        using RunResults results = session.RunInPlace(inputs, cancel);
        return
        [
            .. cases.Select(c =>
            {
                ((LayerSite site, NumberFormat format, int first, int count), string output, string? product) = c;
                LayerValues layer = values[site.Layer.Name];
                ReadOnlySpan<float> result = results.Tensors[output].Values<float>(), gradient = layer.Gradient.Values<float>();
                ReadOnlySpan<float> exact = product is null ? layer.Output.Values<float>() : results.Tensors[product].Values<float>();
                ReadOnlySpan<float> drawn = layer.DrawnGradient is { } g ? g.Values<float>() : [];
                if (IsWhole(site, count))
                {
                    (double whole, double wholeDrawn) = Change(result, exact, gradient, drawn);
                    return (site, format.Name, whole, wholeDrawn);
                }

                double delta = 0, drawnDelta = 0;
                for (int row = 0; row < result.Length / count; row++)
                {
                    int start = (row * site.OutputSize) + first;
                    (double part, double drawnPart) = Change(
                        result.Slice(row * count, count), exact.Slice(product is null ? start : row * count, count), gradient.Slice(start, count), drawn.IsEmpty ? [] : drawn.Slice(start, count));
                    delta += part;
                    drawnDelta += drawnPart;
                }

                return (site, format.Name, delta, drawnDelta);
            }),
        ];
    }

    public void Dispose() => session.Dispose();

    /// <summary>⟨y_f − y, ẏ⟩ for one or two gradients, in one pass; summed in double from runs of 4,096.</summary>
    internal static (double Delta, double Drawn) Change(ReadOnlySpan<float> format, ReadOnlySpan<float> exact, ReadOnlySpan<float> gradient, ReadOnlySpan<float> drawn)
    {
        const int run = 4096;
        double delta = 0, drawnDelta = 0;
        for (int start = 0; start < exact.Length; start += run)
        {
            int length = Math.Min(run, exact.Length - start);
            (float first, float second) = RunOf(
                format.Slice(start, length), exact.Slice(start, length), gradient.Slice(start, length), drawn.IsEmpty ? [] : drawn.Slice(start, length));
            delta += first;
            drawnDelta += second;
        }

        return (delta, drawnDelta);
    }

    private static (float Delta, float Drawn) RunOf(ReadOnlySpan<float> format, ReadOnlySpan<float> exact, ReadOnlySpan<float> gradient, ReadOnlySpan<float> drawn)
    {
        ReadOnlySpan<Vector<float>> f = MemoryMarshal.Cast<float, Vector<float>>(format), y = MemoryMarshal.Cast<float, Vector<float>>(exact);
        ReadOnlySpan<Vector<float>> g = MemoryMarshal.Cast<float, Vector<float>>(gradient), h = MemoryMarshal.Cast<float, Vector<float>>(drawn);
        Vector<float> first = default, second = default;
        for (int i = 0; i < y.Length; i++)
        {
            Vector<float> change = f[i] - y[i];
            first += change * g[i];
            if (!h.IsEmpty)
            {
                second += change * h[i];
            }
        }

        float delta = Vector.Sum(first), drawnDelta = Vector.Sum(second);
        for (int i = y.Length * Vector<float>.Count; i < exact.Length; i++)
        {
            delta += (format[i] - exact[i]) * gradient[i];
            drawnDelta += drawn.IsEmpty ? 0 : (format[i] - exact[i]) * drawn[i];
        }

        return (delta, drawnDelta);
    }

    /// <summary>Output columns that are probed together: columns of a product do not depend on each other.</summary>
    private static IEnumerable<(int First, int Count)> Tiles(LayerSite site, long parameters)
    {
        if (!site.HasWeightMatrix || site.Layer.Parameters <= parameters)
        {
            return [(0, site.HasWeightMatrix ? site.OutputSize : 0)];
        }

        int width = (int)Math.Max(1, parameters / site.InputSize), outputs = site.OutputSize;
        return Enumerable.Range(0, (outputs + width - 1) / width).Select(i => (i * width, Math.Min(width, outputs - (i * width))));
    }

    private static bool IsWhole(LayerSite site, int count) => !site.HasWeightMatrix || count == site.OutputSize;

    private static TensorType AnySize(TensorType type) => type with { Shape = type.Shape?.Select(_ => Dimension.Unknown).ToArray() };
}
