using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Quantization;

/// <summary>Replaces layers by their form in a format, in a whole model or in a sub-graph that was cut out with its value names.</summary>
public static class LayerRewriter
{
    /// <summary>
    /// Replaces the node of each layer, found by its output. Constants the formats need become initializers; weights that nobody reads any
    /// more are dropped. Nothing else of the model changes. Layers in the baseline format are left alone.
    /// </summary>
    /// <param name="weight">The tensor of a weight, by its value name.</param>
    public static void Apply(ModelProto model, IReadOnlyList<(LayerSite Site, NumberFormat Format)> assignments, Func<string, Tensor> weight)
    {
        GraphProto graph = model.Graph;
        var byOutput = assignments.Where(a => a.Format != NumberFormats.Baseline).ToDictionary(a => a.Site.Layer.Output);
        if (byOutput.Count == 0)
        {
            return;
        }

        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        var shared = new Dictionary<string, string[]>();
        var nodes = new List<NodeProto>();
        foreach (NodeProto node in graph.Node)
        {
            if (node.Output.Count == 0 || !byOutput.Remove(node.Output[0], out var assignment))
            {
                nodes.Add(node);
                continue;
            }

            int first = builder.Nodes.Count;
            Emit(builder, assignment.Site, assignment.Format, weight, shared);
            nodes.AddRange(builder.Nodes.Skip(first));
        }

        if (byOutput.Count > 0)
        {
            throw new ArgumentException($"the graph does not compute '{byOutput.Keys.First()}'");
        }

        graph.Node.Clear();
        graph.Node.AddRange(nodes);
        graph.Initializer.AddRange(builder.Constants.Select(c => c.Value.ToProto(c.Key)));
        foreach ((string domain, long version) in builder.Domains.Where(d => model.OpsetImport.All(o => o.Domain != d.Key)))
        {
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version });
        }

        DropUnread(graph, [.. assignments.Select(a => a.Site.Layer.Weight)]);
    }

    /// <summary>Adds the nodes of one layer in one format to a builder; the result has the name of the layer's output.</summary>
    public static void Emit(GraphBuilder builder, LayerSite site, NumberFormat format, Func<string, Tensor> weight, Dictionary<string, string[]> shared, string? output = null)
    {
        IReadOnlyList<Tensor> constants = site.HasWeightMatrix ? format.Prepare(site, weight(site.Layer.Weight)) : [];
        string[] names = [.. constants.Select((c, i) => builder.Constant(c, $"{site.Layer.Weight}/{format.Name}/{i}"))];
        output ??= site.Layer.Output;
        if (!HalfPrecision.IsHalf(site.Input.ElementType))
        {
            format.Emit(new LayerEmission(builder, site, site.Layer.Input, site.Layer.Weight, site.Layer.Bias, names, output, shared));
            return;
        }

        // The kernels compute from and to float; what surrounds the layer stays as it is.
        string result = builder.Fresh("wide");
        string second = site.Layer.HasWeight ? site.Layer.Weight : Widen(builder, site.Layer.Weight, shared);
        string? bias = site.Layer.Bias is null ? null : Widen(builder, site.Layer.Bias, shared);
        format.Emit(new LayerEmission(builder, site, Widen(builder, site.Layer.Input, shared), second, bias, names, result, shared));
        builder.NodeTo([output], "Cast", "", [result], Attributes.Of("to", site.Input.ElementType));
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

    /// <summary>
    /// Removes those weights that nothing reads any more and that are no outputs, with what only they were computed from: exporters that fold
    /// nothing leave a Transpose between the stored weight and the layer.
    /// </summary>
    private static void DropUnread(GraphProto graph, HashSet<string> weights)
    {
        var readers = graph.Node.SelectMany(GraphView.InputsOf).Concat(graph.Output.Select(o => o.Name)).CountBy(v => v).ToDictionary();
        var producers = graph.Node.SelectMany(n => n.Output.Where(o => o.Length > 0).Select(o => (Output: o, Node: n))).ToDictionary(p => p.Output, p => p.Node);
        var dropped = new HashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        var unread = new HashSet<string>();
        var open = new Queue<string>(weights);
        while (open.TryDequeue(out string? value))
        {
            if (readers.GetValueOrDefault(value) > 0 || !unread.Add(value)
                || !producers.TryGetValue(value, out NodeProto? producer) || producer.Output.Any(o => readers.GetValueOrDefault(o) > 0) || !dropped.Add(producer))
            {
                continue;
            }

            foreach (string input in GraphView.InputsOf(producer))
            {
                readers[input]--;
                open.Enqueue(input);
            }
        }

        Remove(graph.Initializer, t => unread.Contains(t.Name));
        Remove(graph.ValueInfo, v => unread.Contains(v.Name));
        Remove(graph.Node, dropped.Contains);
    }

    private static void Remove<T>(Google.Protobuf.Collections.RepeatedField<T> field, Predicate<T> unwanted)
    {
        List<T> kept = [.. field.Where(item => !unwanted(item))];
        if (kept.Count != field.Count)
        {
            field.Clear();
            field.AddRange(kept);
        }
    }
}
