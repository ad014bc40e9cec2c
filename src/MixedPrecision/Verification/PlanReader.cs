using System.Security.Cryptography;
using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;

namespace MixedPrecision.Verification;

/// <summary>
/// Reads from an emitted graph which format each layer runs in, and holds it against the plan. A layer's form is everything between its output and
/// values that the original model has as well: operators, attributes and the very constants. It is compared with what a format emits for the layer.
/// </summary>
/// <param name="original">The original model.</param>
/// <param name="weight">The tensor of a weight of the original, by its value name.</param>
public sealed class PlanReader(OnnxModel original, Func<string, Tensor> weight)
{
    private readonly HashSet<string> originalValues =
    [
        .. original.Graph.Input.Select(i => i.Name), .. original.Graph.Initializer.Select(i => i.Name), .. original.Graph.Node.SelectMany(n => n.Output),
    ];

    /// <summary>Checks that the file carries the plan and nothing else.</summary>
    /// <param name="path">Path of the emitted model.</param>
    /// <param name="plan">Every layer with its format.</param>
    /// <exception cref="MixedPrecisionException">MPB7002: it does not.</exception>
    public void Check(string path, IReadOnlyList<(LayerSite Site, NumberFormat Format)> plan)
    {
        string file = Path.GetFileName(path);
        using OnnxModel emitted = OnnxModel.Load(path, file);
        var graph = Graph.Of(emitted);
        foreach ((LayerSite site, NumberFormat format) in plan)
        {
            if (FormOf(graph, site.Layer.Output) != FormIn(site, format))
            {
                throw Errors.EmittedModelDiffersFromPlan(file, site.Layer.Name, format.Name, Read(graph, site)?.Name);
            }
        }

        HashSet<string> rewritten = [.. plan.Where(p => p.Format != NumberFormats.Baseline).Select(p => p.Site.Layer.Output)];
        HashSet<ByteString> nodes = [.. emitted.Graph.Node.Select(n => n.ToByteString())];

        // What only computed the weights of rewritten layers is gone with them.
        HashSet<string> read = [.. emitted.Graph.Node.SelectMany(GraphView.InputsOf), .. emitted.Graph.Output.Select(o => o.Name)];
        NodeProto? changed = original.Graph.Node.FirstOrDefault(
            n => n.OpType != "Constant" && n.Output.Any(read.Contains) && !n.Output.Any(rewritten.Contains) && !nodes.Contains(n.ToByteString()));
        if (changed is not null)
        {
            throw Errors.EmittedModelDiffersFromPlan(file, changed.DisplayName(), "the original node", null);
        }
    }

    /// <summary>The format of a layer in an emitted model, or null when it is none of the table's.</summary>
    public NumberFormat? Read(OnnxModel emitted, LayerSite site) => Read(Graph.Of(emitted), site);

    private NumberFormat? Read(Graph emitted, LayerSite site)
    {
        string form = FormOf(emitted, site.Layer.Output);
        return NumberFormats.All.FirstOrDefault(f => f.WhyNot(site) is null && FormIn(site, f) == form);
    }

    /// <summary>The form that a format gives a layer.</summary>
    private string FormIn(LayerSite site, NumberFormat format)
    {
        var builder = new GraphBuilder(originalValues);
        if (format == NumberFormats.Baseline)
        {
            builder.Nodes.Add(site.Node);
        }
        else
        {
            LayerRewriter.Emit(builder, site, format, weight, []);
        }

        return FormOf(Graph.Of(builder), site.Layer.Output);
    }

    /// <summary>The expression of a value over the values of the original, written out; constants appear by type, shape and hash.</summary>
    private string FormOf(Graph graph, string output)
    {
        var written = new Dictionary<string, string>();
        string Write(string value)
        {
            if (value != output && originalValues.Contains(value))
            {
                return $"'{value}'";
            }

            if (!written.TryGetValue(value, out string? form))
            {
                form = graph.Producer(value) is { } node
                    ? $"{node.Operator()}{{{AttributesOf(node)}}}({string.Join(", ", node.Input.Select(Write))})#{node.Output.IndexOf(value)}"
                    : graph.Constant(value) is { } tensor ? $"{tensor} {Convert.ToHexStringLower(SHA256.HashData(tensor.Bytes.Span))}"
                    : $"?{value}";
                written.Add(value, form);
            }

            return form;
        }

        return Write(output);
    }

    private static string AttributesOf(NodeProto node) =>
        string.Join(' ', node.Attribute.OrderBy(a => a.Name, StringComparer.Ordinal).Select(a => Convert.ToHexString(a.ToByteArray())));

    /// <summary>What a form is read from: the node that computes a value, and constants.</summary>
    private sealed record Graph(Func<string, NodeProto?> Producer, Func<string, Tensor?> Constant)
    {
        /// <summary>Of a file: a graph that is not valid is refused here, before anything follows its values.</summary>
        public static Graph Of(OnnxModel model)
        {
            var view = new GraphView(model.Graph);
            return new Graph(value => view.Producer(value) is int node ? view.Nodes[node] : null, model.Initializer);
        }

        public static Graph Of(GraphBuilder builder)
        {
            Dictionary<string, NodeProto> producers = builder.Nodes.SelectMany(n => n.Output.Select(o => (o, n))).ToDictionary(p => p.o, p => p.n);
            return new Graph(producers.GetValueOrDefault, builder.Constants.GetValueOrDefault);
        }
    }
}
