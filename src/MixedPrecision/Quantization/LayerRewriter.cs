using System.Security.Cryptography;
using Google.Protobuf;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures;

namespace MixedPrecision.Quantization;

/// <summary>A layer as it was written in a format.</summary>
/// <param name="Site">The layer.</param>
/// <param name="Format">The format; not the baseline.</param>
/// <param name="Nodes">The nodes added for it; what it shares with an earlier layer is among that one's.</param>
/// <param name="Constants">Names of what the format prepared from the weights, in its order; layers may share them.</param>
public sealed record RewrittenLayer(LayerSite Site, NumberFormat Format, IReadOnlyList<NodeProto> Nodes, IReadOnlyList<string> Constants);

/// <summary>Replaces sub-graphs by structures and layers by their form in a format, in a whole model or in a sub-graph that was cut out with its value names.</summary>
public static class LayerRewriter
{
    /// <summary>
    /// Writes the structures, then replaces the node of each layer that these leave, found by its output. Constants the formats need become initializers; weights that nobody reads any
    /// more are dropped. A model of an operator set that is too old for a format is raised to a newer one; nothing else of it changes. Layers in the baseline format are left alone, unless another
    /// layer's format balances the channels that they make: then their weight is another.
    /// </summary>
    /// <param name="assignments">Layers with their formats; those that a structure fixes have the format that it fixes.</param>
    /// <param name="weight">The tensor of a weight, by its value name.</param>
    /// <param name="preparations">Where prepared constants are kept, or null. The model refers to their memory: it has to outlive the model.</param>
    /// <param name="structures">The structures of sub-graphs that are not to stay as exported.</param>
    /// <returns>The layers rewritten, in the order of the graph; those that a structure computes are not among them.</returns>
    public static IReadOnlyList<RewrittenLayer> Apply(
        ModelProto model,
        IReadOnlyList<(LayerSite Site, NumberFormat Format)> assignments,
        Func<string, Tensor> weight,
        Preparations? preparations = null,
        IReadOnlyList<StructureMatch>? structures = null)
    {
        GraphProto graph = model.Graph;
        structures ??= [];
        assignments = Balancing.Resolve(assignments, site => structures.Any(s => s.Fixed.ContainsKey(site.Layer.Name)));
        var byOutput = assignments.Where(a => a.Format != NumberFormats.Baseline && !structures.Any(s => s.Fixed.ContainsKey(a.Site.Layer.Name))).ToDictionary(a => a.Site.Layer.Output);
        if (byOutput.Count == 0 && structures.Count == 0)
        {
            return [];
        }

        int opset = OperatorSets.Raise(model, byOutput.Values.Select(a => a.Format.Opset).DefaultIfEmpty(0).Max());
        var rewritten = new List<RewrittenLayer>();
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        var shared = new Dictionary<string, string[]>();
        var held = new Dictionary<string, HeldEmission>();
        var nodes = new List<NodeProto>();
        if (structures.Count > 0)
        {
            StructureRewriter.Apply(graph, structures, new StructureEmission(
                builder,
                StructureRewriter.ValuesOf(graph).Contains,
                (tensor, hint) => Constant(builder, tensor, hint, shared),
                layer => assignments.First(a => a.Site.Layer.Name == layer) is var a && preparations is null
                    ? a.Format.Prepare(a.Site, weight(a.Site.Layer.Weight))
                    : preparations!.Get(a.Site, a.Format, weight(a.Site.Layer.Weight)),
                shared));
            builder.Nodes.Clear();
        }

        // Of what structures leave.
        HashSet<string> computed = [.. graph.Node.SelectMany(n => n.Output)];
        HashSet<string> absorbed = [.. byOutput.Values.Where(a => a.Format.ReadsRanges).Select(a => a.Site.Tail?.Output).OfType<string>()];
        absorbed.IntersectWith(computed);
        HashSet<NodeProto> activations = ActivationNodes(graph, byOutput.Values.Where(a => a.Format.ReadsRanges && a.Site.Inner is not null && absorbed.Contains(a.Site.Tail!.Output)).Select(a => a.Site));
        var scaled = assignments.Where(a => a.Format == NumberFormats.Baseline && a.Site.OutputScales is not null).ToDictionary(a => a.Site.Layer.Output, a => a.Site);
        foreach (NodeProto node in graph.Node)
        {
            // Of several results the first that it gives names a layer.
            string result = node.Output.FirstOrDefault(o => o.Length > 0) ?? "";
            if (absorbed.Contains(result) || activations.Contains(node))
            {
                continue;
            }

            if (scaled.TryGetValue(result, out LayerSite? producer))
            {
                node.Input[1] = Constant(builder, Balancing.Divide(producer, weight(producer.Layer.Weight)), $"{producer.Layer.Weight}/balanced", shared);
            }

            if (!byOutput.Remove(result, out var assignment))
            {
                nodes.Add(node);
                continue;
            }

            int first = builder.Nodes.Count;
            string? Computed(string? value) => value is not null && computed.Contains(value) ? value : null;
            LayerSite site = assignment.Site with { Node = node, Opset = opset, Source = Computed(assignment.Site.Source), Pooled = Computed(assignment.Site.Pooled) };
            string? output = assignment.Format.ReadsRanges && site.Tail is { } tail && absorbed.Contains(tail.Output) ? tail.Output : null;
            IReadOnlyList<string> constants = Emit(builder, site, assignment.Format, weight, shared, output, preparations, held);
            rewritten.Add(new RewrittenLayer(assignment.Site, assignment.Format, [.. builder.Nodes.Skip(first)], constants));
            nodes.AddRange(rewritten[^1].Nodes);
        }

        if (byOutput.Count > 0)
        {
            throw new ArgumentException($"the graph does not compute '{byOutput.Keys.First()}'");
        }

        bool isMoved = ReadHeld(nodes, builder, held);
        if (rewritten.Any(r => r.Format.ReadsRanges))
        {
            isMoved |= MovedValues.HandOn(nodes, builder);
            FloatGuard.Apply(nodes, builder, assignments.Where(a => a.Format == NumberFormats.Baseline && a.Site.Layer.Kind == LayerKind.Conv).Select(a => a.Site.Layer.Output).ToHashSet());
            rewritten = DropUnread(graph, nodes, rewritten);
        }

        graph.Node.Clear();
        graph.Node.AddRange(structures.Count > 0 || isMoved ? TopologicalOrder.Of(nodes) : nodes);
        graph.Initializer.AddRange(builder.Constants.Select(c => Wrap(c.Key, c.Value)));
        foreach ((string domain, long version) in builder.Domains.Where(d => model.OpsetImport.All(o => o.Domain != d.Key)))
        {
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version });
        }

        ValueReaders.Drop(graph, [.. assignments.SelectMany(a => new[] { a.Site.Layer.Weight, a.Site.Layer.Recurrence?.Name }.OfType<string>()).Concat(activations.SelectMany(n => n.Input)).Distinct()]);
        return rewritten;
    }

    /// <summary>The nodes of the activations that are written with their layers: all that is computed from what a layer gives, up to the activation's result.</summary>
    private static HashSet<NodeProto> ActivationNodes(GraphProto graph, IEnumerable<LayerSite> sites)
    {
        ILookup<string, NodeProto> readers = ValueReaders.ReadersOf(graph.Node);
        var found = new HashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        foreach (LayerSite site in sites)
        {
            var open = new Queue<string>([site.Inner!]);
            while (open.TryDequeue(out string? value))
            {
                foreach (NodeProto node in readers[value].Where(found.Add).Where(n => n.Output[0] != site.Tail!.Output))
                {
                    open.Enqueue(node.Output[0]);
                }
            }
        }

        return found;
    }

    /// <summary>
    /// Adds the nodes of one layer in one format to a builder; the result has the name of the layer's output. Constants of equal type, shape and content are made
    /// once for all layers that were given the same <paramref name="shared"/>.
    /// </summary>
    /// <returns>Names of the constants that the format prepared from the weights.</returns>
    public static IReadOnlyList<string> Emit(
        GraphBuilder builder,
        LayerSite site,
        NumberFormat format,
        Func<string, Tensor> weight,
        Dictionary<string, string[]> shared,
        string? output = null,
        Preparations? preparations = null,
        Dictionary<string, HeldEmission>? held = null)
    {
        string[] names =
        [
            .. from own in site.ByWeight
               let stored = weight(own.Layer.Weight)
               from constant in (preparations is null ? format.Prepare(own, stored) : preparations.Get(own, format, stored)).Index()
               select Constant(builder, constant.Item, $"{own.Layer.Weight}/{format.Name}/{constant.Index}", shared),
        ];
        output ??= site.Layer.Output;
        int type = site.Layer.HasWeight ? site.Weight.ElementType : site.Input.ElementType;
        if (!HalfPrecision.IsHalf(type))
        {
            format.Emit(new LayerEmission(builder, site, site.Layer.Input, site.Layer.Weight, site.Layer.Bias, names, output, shared) { Held = held ?? [], Source = site.Source, Pooled = site.Pooled });
            return names;
        }

        // The kernels compute from and to float; what surrounds the layer stays as it is.
        string result = builder.Fresh("wide");
        string second = site.Layer.HasWeight ? site.Layer.Weight : Widen(builder, site.Layer.Weight, shared);
        string? bias = site.Layer.Bias is null ? null : Widen(builder, site.Layer.Bias, shared);
        format.Emit(new LayerEmission(builder, site, site.IsEmbedding ? site.Layer.Input : Widen(builder, site.Layer.Input, shared), second, bias, names, result, shared));
        builder.NodeTo([output], "Cast", "", [result], Attributes.Of("to", type));
        return names;
    }

    /// <summary>
    /// Has every node that reads a value which is rounded for some layer read it rounded: each reader then sees one value, and an operator between layers in integers has these on all sides, as the runtime needs it to compute in them.
    /// </summary>
    /// <returns>Whether nodes were added, which may stand behind their readers.</returns>
    private static bool ReadHeld(List<NodeProto> nodes, GraphBuilder builder, Dictionary<string, HeldEmission> held)
    {
        int first = builder.Nodes.Count;
        foreach ((string value, HeldEmission emission) in held)
        {
            NodeProto[] readers = [.. nodes.Where(n => n.Input.Contains(value) && n.Output[0] != emission.Rounded)];
            string? rounded = readers.Length == 0 ? null : emission.Read();
            foreach (NodeProto node in readers)
            {
                for (int input = 0; input < node.Input.Count; input++)
                {
                    node.Input[input] = node.Input[input] == value ? rounded! : node.Input[input];
                }
            }
        }

        nodes.AddRange(builder.Nodes.Skip(first));
        return builder.Nodes.Count > first;
    }

    /// <summary>Drops what layers give that nobody reads, such as floats where all readers take integers: the runtime would compute it.</summary>
    private static List<RewrittenLayer> DropUnread(GraphProto graph, List<NodeProto> nodes, List<RewrittenLayer> rewritten)
    {
        HashSet<string> read = [.. nodes.SelectMany(GraphView.InputsOf), .. graph.Output.Select(o => o.Name)];
        var unread = new HashSet<NodeProto>(rewritten.Where(r => r.Format.ReadsRanges).Select(r => r.Nodes[^1]).Where(n => !n.Output.Any(read.Contains)), ReferenceEqualityComparer.Instance);
        nodes.RemoveAll(unread.Contains);
        return unread.Count == 0 ? rewritten : [.. rewritten.Select(r => unread.Contains(r.Nodes[^1]) ? r with { Nodes = [.. r.Nodes.SkipLast(1)] } : r)];
    }

    /// <summary>The name of a constant, made once for all that have its content: layers that read one weight, directly or transposed, store it once.</summary>
    private static string Constant(GraphBuilder builder, Tensor constant, string hint, Dictionary<string, string[]> shared)
    {
        string key = $"constant {constant} {Convert.ToHexStringLower(SHA256.HashData(constant.Bytes.Span))}";
        if (!shared.TryGetValue(key, out string[]? name))
        {
            shared.Add(key, name = [builder.Constant(constant, hint)]);
        }

        return name[0];
    }

    /// <summary>A message that refers to the tensor's memory, which may be that of a mapped file.</summary>
    private static TensorProto Wrap(string name, Tensor tensor)
    {
        var proto = new TensorProto { Name = name, DataType = tensor.ElementType, RawData = UnsafeByteOperations.UnsafeWrap(tensor.Bytes) };
        proto.Dims.AddRange(tensor.Shape);
        return proto;
    }

    /// <summary>A half-precision value as float, made once for all layers that read it.</summary>
    private static string Widen(GraphBuilder builder, string value, Dictionary<string, string[]> shared)
    {
        string key = $"float {value}";
        if (!shared.TryGetValue(key, out string[]? wide))
        {
            shared.Add(key, wide = [builder.Cast(value, ElementType.Float)]);
        }

        return wide[0];
    }
}
