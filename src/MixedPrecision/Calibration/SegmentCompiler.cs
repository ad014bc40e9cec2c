using MixedPrecision.Autodiff;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration;

/// <summary>What the models of a segment are made from, under canonical names; equal requests give equal programs.</summary>
/// <param name="Extracted">The segment as a model.</param>
/// <param name="Types">What is known of its values.</param>
/// <param name="Sites">Its layers by canonical name of their output.</param>
/// <param name="Wanted">Values that depend on a layer, and operands of layers.</param>
/// <param name="Operands">Activations that layers read.</param>
/// <param name="Held">Those of them that layers may hold in ranges known beforehand.</param>
/// <param name="Hidden">Values whose gradient cannot be told: see <see cref="GradientLimits"/>.</param>
/// <param name="Apart">Outputs of the layers whose weight gradient is not computed by the backward model.</param>
/// <param name="Formats">The formats to judge.</param>
/// <param name="WithDrawn">Whether gradients for labels drawn from the model are taken as well.</param>
/// <param name="KeepsLayerValues">Whether the forward model gives the operands and outputs of layers to the backward model.</param>
internal sealed record SegmentRequest(
    ExtractedSubgraph Extracted,
    IReadOnlyDictionary<string, TensorType> Types,
    IReadOnlyDictionary<string, LayerSite> Sites,
    IReadOnlySet<string> Wanted,
    IReadOnlySet<string> Operands,
    IReadOnlySet<string> Held,
    IReadOnlySet<string> Hidden,
    IReadOnlySet<string> Apart,
    IReadOnlyList<NumberFormat> Formats,
    bool WithDrawn,
    bool KeepsLayerValues);

/// <summary>Makes the two models of a segment.</summary>
internal static class SegmentCompiler
{
    public static SegmentProgram Compile(SegmentRequest request, OnnxModel origin, SessionSettings settings)
    {
        ModelProto source = request.Types.Values.Any(t => HalfPrecision.IsHalf(t.ElementType))
            ? Widening.Widen(request.Extracted.Model, origin.External)
            : request.Extracted.Model;
        var types = request.Types.ToDictionary(t => t.Key, t => HalfPrecision.Widen(t.Value));
        HashSet<string> computed = [.. source.Graph.Node.SelectMany(n => n.Output)];
        string[] kept = request.KeepsLayerValues
            ? [.. request.Sites.Values.SelectMany(s => s.Layer.Outputs).Except(request.Hidden).Concat(request.Sites.Values.SelectMany(s => s.Layer.Further.Append(s.Layer.Input).Append(s.Layer.Weight))).Where(computed.Contains).Distinct()]
            : [];

        ModelProto forward = source.Clone();
        forward.Graph.Output.AddRange(kept.Except(request.Extracted.Outputs).Select(o => new ValueInfoProto { Name = o }));

        ModelProto backward = source.Clone();
        List<(string Output, string[] Operands)> operands = SeparateOperands(backward, request.Sites);
        using var separated = new OnnxModel(backward, origin.Folder, origin.DisplayName);
        using OnnxModel lowered = GraphLowering.Lower(separated, TypeInference.Infer(separated, types));
        backward = lowered.Proto;
        types = new(TypeInference.Infer(lowered, types));

        var builder = new GraphBuilder(GraphBuilder.NamesIn(backward.Graph), "gradient/");
        bool Flows(string value) => request.Wanted.Contains(value) && ElementType.IsFloating(types[value].ElementType);
        string[] outputs = [.. request.Extracted.Outputs.Where(Flows)];
        string[] inputs = [.. request.Extracted.Inputs.Where(Flows)];
        computed.IntersectWith(request.Operands);
        var told = operands.Where(o => !IsHidden(request, request.Sites[o.Output])).ToArray();
        string[] layerOutputs = [.. told.SelectMany(o => request.Sites[o.Output].Layer.Outputs)];
        var own = told.SelectMany(o => request.Sites[o.Output].IsEmbedding ? [] : request.Apart.Contains(o.Output) ? o.Operands[..1] : o.Operands);
        (GradientFlow upstream, IReadOnlyDictionary<string, string> found) = Differentiate(backward.Graph, types, builder, outputs, inputs, [.. computed, .. own, .. layerOutputs]);
        (GradientFlow drawn, IReadOnlyDictionary<string, string> drawnFound) = request.WithDrawn
            ? Differentiate(backward.Graph, types, builder, outputs, inputs, [.. computed.Intersect(request.Held), .. layerOutputs])
            : (new GradientFlow(new Dictionary<string, string>(), new Dictionary<string, string>()), new Dictionary<string, string>());

        var layers = operands.ToDictionary(o => o.Output, o => Layer(builder, request, request.Sites[o.Output], o.Operands, found, drawnFound));
        var taylor = computed.Where(found.ContainsKey).ToDictionary(v => v, v => found[v]);
        var drawnOperands = computed.Intersect(request.Held).Where(drawnFound.ContainsKey).ToDictionary(v => v, v => drawnFound[v]);
        builder.AppendTo(backward.Graph);
        foreach ((string output, string name) in upstream.Seeds.Concat(drawn.Seeds))
        {
            backward.Graph.Input.Add(types[output].ToProto(name));
        }

        foreach ((string domain, long version) in builder.Domains.Where(d => backward.OpsetImport.All(o => o.Domain != d.Key)))
        {
            backward.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version });
        }

        IEnumerable<string> values = layers.Values.Where(l => l.OutputGradient is not null).SelectMany(l => l.Values).Concat(taylor.Keys);
        string[] results =
        [
            .. upstream.Results.Values, .. drawn.Results.Values, .. taylor.Values, .. drawnOperands.Values, .. layers.Values.SelectMany(l => l.Outputs),
            .. values.Except(request.Extracted.Inputs).Except(kept),
        ];
        Session? backwardSession = Prune(backward, results, [.. kept.Select(k => types[k].ToProto(k))], builder, settings, origin.Folder);
        return new SegmentProgram(Session.Create(forward, settings, origin.Folder), backwardSession, upstream, drawn, taylor, drawnOperands, layers);
    }

    private static (GradientFlow Flow, IReadOnlyDictionary<string, string> Found) Differentiate(
        GraphProto graph, IReadOnlyDictionary<string, TensorType> types, GraphBuilder builder, string[] outputs, string[] inputs, string[] others)
    {
        var seeds = outputs.ToDictionary(o => o, o => builder.Fresh($"{o}.upstream"));
        IReadOnlyDictionary<string, string> found = Differentiation.Differentiate(graph, types, builder, seeds, [.. inputs, .. others]);
        return (new GradientFlow(seeds, inputs.Where(found.ContainsKey).ToDictionary(i => i, i => found[i])), found);
    }

    private static LayerProgram Layer(
        GraphBuilder b, SegmentRequest request, LayerSite site, string[] operands, IReadOnlyDictionary<string, string> found, IReadOnlyDictionary<string, string> drawn)
    {
        bool isProduct = !site.Layer.HasWeight;
        string? second = isProduct ? site.Layer.Weight : null;
        var noise = new Dictionary<string, string>();
        if (IsHidden(request, site) || !site.Layer.Outputs.Any(found.ContainsKey))
        {
            return new LayerProgram(site.Layer.Input, second, [], null, null, null, [], noise);
        }

        // Formats that treat activations alike share the nodes. Indices are not rounded.
        var formats = request.Formats.Where(f => f.InputNoise is not null && !site.IsEmbedding && f.WhyNot(site) is null);
        foreach (var alike in formats.GroupBy(f => f.InputNoise!))
        {
            string sum = alike.Key(b, site, operands[0], found[operands[0]]);
            string total = isProduct ? b.Add(sum, alike.Key(b, site, operands[1], found[operands[1]])) : sum;
            foreach (NumberFormat format in alike)
            {
                noise[format.Name] = total;
            }
        }

        bool isProbed = request.Formats.Any(f => f != NumberFormats.Baseline && f.WhyNot(site) is null);
        return new LayerProgram(
            site.Layer.Input,
            second,
            site.Layer.Further,
            isProbed ? InARow(b, site.Layer.Outputs) : null,
            InARow(b, Gradients(b, site.Layer.Outputs, found)),
            site.Layer.Outputs.Any(drawn.ContainsKey) ? InARow(b, Gradients(b, site.Layer.Outputs, drawn)) : null,
            isProduct || request.Apart.Contains(site.Layer.Output) ? [] : [.. operands.Skip(1).Select(w => found[w])],
            noise);
    }

    private static bool IsHidden(SegmentRequest request, LayerSite site) => site.Layer.Outputs.Any(request.Hidden.Contains);

    /// <summary>The elements of several values one after the other; a single one as it is.</summary>
    public static string InARow(GraphBuilder b, IReadOnlyList<string> values) => values.Count == 1 ? values[0] : b.Concat(0, [.. values.Select(v => b.Vector(v))]);

    /// <summary>The gradients of a layer's results; zeros of those that the loss does not depend on.</summary>
    private static string[] Gradients(GraphBuilder b, IReadOnlyList<string> outputs, IReadOnlyDictionary<string, string> found) =>
        [.. outputs.Select(o => found.TryGetValue(o, out string? gradient) ? gradient : b.Zeros(b.Shape(o), ElementType.Float))];

    /// <summary>A session for some outputs of a model, with the nodes these need and no others; values that are given are not computed. Null without outputs.</summary>
    private static Session? Prune(ModelProto model, string[] outputs, ValueInfoProto[] given, GraphBuilder builder, SessionSettings settings, string folder)
    {
        if (outputs.Length == 0)
        {
            return null;
        }

        HashSet<string> fed = [.. given.Select(g => g.Name)];
        HashSet<string> needed = [.. outputs];
        var nodes = new List<NodeProto>();
        foreach (NodeProto node in model.Graph.Node.Reverse())
        {
            if (node.Output.Any(o => needed.Contains(o) && !fed.Contains(o)))
            {
                // Of several outputs (Split, Dropout with its mask) one may be given and another not: what is given has its name already.
                for (int output = 0; output < node.Output.Count; output++)
                {
                    node.Output[output] = fed.Contains(node.Output[output]) ? builder.Fresh(node.Output[output]) : node.Output[output];
                }

                nodes.Add(node);
                needed.UnionWith(GraphView.InputsOf(node));
            }
        }

        nodes.Reverse();
        var graph = new GraphProto { Name = model.Graph.Name };
        graph.Node.AddRange(nodes);
        graph.Input.AddRange(model.Graph.Input.Concat(given).Where(i => needed.Contains(i.Name)));
        graph.Initializer.AddRange(model.Graph.Initializer.Where(i => needed.Contains(i.Name)));
        graph.SparseInitializer.AddRange(model.Graph.SparseInitializer);
        graph.Output.AddRange(outputs.Distinct().Select(o => new ValueInfoProto { Name = o }));
        var pruned = new ModelProto { IrVersion = model.IrVersion, Graph = graph };
        pruned.OpsetImport.AddRange(model.OpsetImport);
        pruned.Functions.AddRange(model.Functions);
        return Session.Create(pruned, settings, folder);
    }

    /// <summary>
    /// Gives each layer operands of its own (through Identity), so that their gradients are those through this layer and not the sum over
    /// all readers of the value. An embedding's are not asked for.
    /// </summary>
    private static List<(string Output, string[] Operands)> SeparateOperands(ModelProto model, IReadOnlyDictionary<string, LayerSite> sites)
    {
        var builder = new GraphBuilder(GraphBuilder.NamesIn(model.Graph), "operand/");
        var result = new List<(string, string[])>();
        var nodes = new List<NodeProto>();
        foreach (NodeProto node in model.Graph.Node)
        {
            LayerSite? site = sites.GetValueOrDefault(node.Output.FirstOrDefault(o => o.Length > 0) ?? "");
            if (site is { IsEmbedding: true })
            {
                result.Add((site.Layer.Output, [site.Layer.Input, site.Layer.Weight]));
            }
            else if (site is not null)
            {
                int first = builder.Nodes.Count;
                string[] operands = [.. node.Input.Take(site.Layer.Recurrence is null ? 2 : 3).Select(o => builder.Node("Identity", [o]))];
                for (int operand = 0; operand < operands.Length; operand++)
                {
                    node.Input[operand] = operands[operand];
                }

                nodes.AddRange(builder.Nodes.Skip(first));
                result.Add((site.Layer.Output, operands));
            }

            nodes.Add(node);
        }

        model.Graph.Node.Clear();
        model.Graph.Node.AddRange(nodes);
        return result;
    }
}
