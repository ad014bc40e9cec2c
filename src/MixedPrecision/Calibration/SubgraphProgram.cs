using MixedPrecision.Calibration.Autodiff;
using MixedPrecision.Calibration.Formats;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration;

/// <summary>Which values of a model calibration takes gradients of.</summary>
/// <param name="Wanted">Values that depend on a layer, and operands of layers.</param>
/// <param name="Operands">Activations that layers read.</param>
/// <param name="Hidden">Values whose gradient cannot be told: see <see cref="GradientLimits"/>.</param>
internal sealed record GradientValues(IReadOnlySet<string> Wanted, IReadOnlySet<string> Operands, IReadOnlySet<string> Hidden);

/// <summary>
/// The forward and backward pass of one sub-graph as two ONNX models. The backward model takes what the forward model takes and the
/// gradients of its outputs, computes the inside anew, and gives the gradients of its inputs and, for each layer, operands, result,
/// gradients and the terms of the Taylor estimator. Weights are inputs of both.
/// </summary>
internal sealed class SubgraphProgram : IDisposable
{
    private SubgraphProgram(Session forward, Session? backward, Session? drawnBackward, ExtractedSubgraph extracted, IReadOnlyDictionary<string, string> upstream,
        IReadOnlyDictionary<string, string> gradients, IReadOnlyDictionary<string, string> taylor, IReadOnlyList<LayerProgram> layers)
    {
        Forward = forward;
        Backward = backward;
        DrawnBackward = drawnBackward;
        Extracted = extracted;
        Upstream = upstream;
        Gradients = gradients;
        Taylor = taylor;
        Layers = layers;
    }

    public Session Forward { get; }

    /// <summary>Null when the sub-graph holds no layer and nothing before it needs a gradient.</summary>
    public Session? Backward { get; }

    /// <summary>The backward model without the terms of the Taylor estimator, for labels drawn from the model; null when not asked for.</summary>
    public Session? DrawnBackward { get; }

    public ExtractedSubgraph Extracted { get; }

    /// <summary>Output of the sub-graph → input of the backward model that takes its gradient.</summary>
    public IReadOnlyDictionary<string, string> Upstream { get; }

    /// <summary>Input of the sub-graph → output of the backward model that holds its gradient.</summary>
    public IReadOnlyDictionary<string, string> Gradients { get; }

    /// <summary>Operand of some layer that is computed here → output of the backward model that holds ‖z ⊙ ż‖², ż over all its readers.</summary>
    public IReadOnlyDictionary<string, string> Taylor { get; }

    public IReadOnlyList<LayerProgram> Layers { get; }

    /// <summary>Builds and compiles both models.</summary>
    /// <param name="known">Types of the model's values.</param>
    /// <param name="sites">The sub-graph's layers.</param>
    /// <param name="values">Which values of the model get a gradient.</param>
    /// <param name="withDrawn">Whether a backward model for drawn labels is made as well.</param>
    public static SubgraphProgram Create(
        OnnxModel model, IReadOnlyDictionary<string, TensorType> known, ExtractedSubgraph extracted, IReadOnlyList<LayerSite> sites,
        IReadOnlyList<string> formats, GradientValues values, bool withDrawn, SessionSettings settings)
    {
        Session forward = Session.Create(extracted.Model, settings);
        ModelProto backward = extracted.Model.Clone();
        List<(LayerSite Site, string Input, string Weight)> operands = SeparateOperands(backward, sites);
        using var separated = new OnnxModel(backward, model.Folder, model.DisplayName);
        using OnnxModel lowered = GraphLowering.Lower(separated, TypeInference.Infer(separated, known));
        backward = lowered.Proto;
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(lowered, known);

        var builder = new GraphBuilder(GraphBuilder.NamesIn(backward.Graph), "gradient/");
        var upstream = extracted.Outputs
            .Where(o => values.Wanted.Contains(o) && ElementType.IsFloating(types[o].ElementType))
            .ToDictionary(o => o, o => builder.Fresh($"{o}.upstream"));
        string[] inputs = [.. extracted.Inputs.Where(i => values.Wanted.Contains(i) && ElementType.IsFloating(types[i].ElementType))];
        string[] computed = [.. extracted.Model.Graph.Node.SelectMany(n => n.Output).Where(values.Operands.Contains)];
        string[] targets = [.. inputs, .. computed, .. operands
            .Where(o => !values.Hidden.Contains(o.Site.Layer.Output))
            .SelectMany(o => new[] { o.Input, o.Weight, o.Site.Layer.Output })];
        IReadOnlyDictionary<string, string> found = Differentiation.Differentiate(backward.Graph, types, builder, upstream, targets);

        var layers = new List<LayerProgram>();
        foreach ((LayerSite site, string input, string weight) in operands)
        {
            layers.Add(LayerProgram.Create(builder, site, input, weight, found, formats));
        }

        var taylor = computed.Where(found.ContainsKey).ToDictionary(
            v => v, v => builder.Node("ReduceSumSquare", [builder.Mul(v, found[v])], Attributes.Of("keepdims", 0)));
        backward.Graph.Output.Clear();
        builder.AppendTo(backward.Graph);
        foreach ((string output, string name) in upstream)
        {
            backward.Graph.Input.Add(types[output].ToProto(name));
        }

        var gradients = inputs.Where(found.ContainsKey).ToDictionary(i => i, i => found[i]);
        foreach ((string domain, long version) in builder.Domains.Where(d => backward.OpsetImport.All(o => o.Domain != d.Key)))
        {
            backward.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version });
        }

        Session? session = Compile(backward, [.. gradients.Values.Concat(taylor.Values).Concat(layers.SelectMany(l => l.Outputs))], settings);
        Session? drawn = withDrawn ? Compile(backward, [.. gradients.Values.Concat(layers.Select(l => l.OutputGradient).OfType<string>())], settings) : null;
        return new SubgraphProgram(forward, session, drawn, extracted, upstream, gradients, taylor, layers);
    }

    public void Dispose()
    {
        Forward.Dispose();
        Backward?.Dispose();
        DrawnBackward?.Dispose();
    }

    /// <summary>A session for some outputs of a backward model, with the nodes these need and no others. Null without outputs.</summary>
    private static Session? Compile(ModelProto model, IReadOnlyList<string> outputs, SessionSettings settings)
    {
        if (outputs.Count == 0)
        {
            return null;
        }

        HashSet<string> needed = [.. outputs];
        var nodes = new List<NodeProto>();
        foreach (NodeProto node in model.Graph.Node.Reverse())
        {
            if (node.Output.Any(needed.Contains))
            {
                nodes.Add(node);
                needed.UnionWith(GraphView.InputsOf(node));
            }
        }

        nodes.Reverse();
        var graph = new GraphProto { Name = model.Graph.Name };
        graph.Node.AddRange(nodes);
        graph.Input.AddRange(model.Graph.Input.Where(i => needed.Contains(i.Name)));
        graph.Initializer.AddRange(model.Graph.Initializer.Where(i => needed.Contains(i.Name)));
        graph.SparseInitializer.AddRange(model.Graph.SparseInitializer);
        graph.Output.AddRange(outputs.Distinct().Select(o => new ValueInfoProto { Name = o }));
        var pruned = new ModelProto { IrVersion = model.IrVersion, Graph = graph };
        pruned.OpsetImport.AddRange(model.OpsetImport);
        pruned.Functions.AddRange(model.Functions);
        return Session.Create(pruned, settings);
    }

    /// <summary>
    /// Gives each layer operands of its own (through Identity), so that their gradients are those through this layer and not the sum over
    /// all readers of the value.
    /// </summary>
    private static List<(LayerSite Site, string Input, string Weight)> SeparateOperands(ModelProto model, IReadOnlyList<LayerSite> sites)
    {
        var builder = new GraphBuilder(GraphBuilder.NamesIn(model.Graph), "operand/");
        var result = new List<(LayerSite, string, string)>();
        var nodes = new List<NodeProto>();
        foreach (NodeProto node in model.Graph.Node)
        {
            LayerSite? site = sites.FirstOrDefault(s => node.Output.Count > 0 && s.Layer.Output == node.Output[0]);
            if (site is not null)
            {
                int first = builder.Nodes.Count;
                string input = builder.Node("Identity", [node.Input[0]]);
                string weight = builder.Node("Identity", [node.Input[1]]);
                (node.Input[0], node.Input[1]) = (input, weight);
                nodes.AddRange(builder.Nodes.Skip(first));
                result.Add((site, input, weight));
            }

            nodes.Add(node);
        }

        model.Graph.Node.Clear();
        model.Graph.Node.AddRange(nodes);
        return result;
    }
}
