using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff;

/// <summary>The gradient of a graph inside a node (a branch or a body), which reads values from outside.</summary>
internal static class InnerGraph
{
    /// <summary>A version that has all operators of lowered graphs; types are the same in all later ones.</summary>
    private const int TypesOpset = 23;

    /// <summary>Appends the inner graph's own nodes, then those of its gradient.</summary>
    /// <param name="scope">Of the graph around it.</param>
    /// <param name="graph">The inner graph; gradients may be recomputed from its inputs.</param>
    /// <param name="inputTypes">What is known of its own inputs.</param>
    /// <param name="builder">Makes the new inner graph's nodes.</param>
    /// <param name="seeds">Output of the inner graph → gradient; one output may come twice.</param>
    /// <param name="targets">Inputs of the graph and outer values whose gradient is wanted.</param>
    public static IReadOnlyDictionary<string, string> Differentiate(
        Scope scope, GraphProto graph, IReadOnlyDictionary<string, TensorType> inputTypes, GraphBuilder builder, IEnumerable<(string Output, string Gradient)> seeds, IReadOnlyCollection<string> targets)
    {
        string[] captured = [.. GraphView.Captured(graph).Distinct()];
        builder.Nodes.AddRange(graph.Node);
        Dictionary<string, string> summed = seeds.GroupBy(s => s.Output).ToDictionary(g => g.Key, g => builder.Sum([.. g.Select(s => s.Gradient)]));
        IReadOnlyDictionary<string, TensorType> types = Types(scope, graph, inputTypes, captured);
        return Differentiation.Walk(graph, types, builder, summed, targets, new SmallConstants(graph, scope.Constants), captured);
    }

    /// <summary>
    /// The new inner graph: initializers of the old one, then what the builder made. Outputs are declared with the rank of what they are the
    /// gradient of: a scan needs it, and sums at run time hide it from the runtime.
    /// </summary>
    public static GraphProto Complete(GraphProto graph, GraphBuilder builder, IEnumerable<(string Name, TensorType Type)> inputs, IEnumerable<(string Name, TensorType Of)> outputs)
    {
        var complete = new GraphProto { Name = graph.Name + "_gradient" };
        complete.Input.AddRange(inputs.Select(i => i.Type.ToProto(i.Name)));
        complete.Initializer.AddRange(graph.Initializer);
        builder.AppendTo(complete);
        complete.Output.AddRange(outputs.Select(o => o.Of.Shape is null
            ? new ValueInfoProto { Name = o.Name }
            : new TensorType(o.Of.ElementType, [.. o.Of.Shape.Select(_ => Dimension.Unknown)]).ToProto(o.Name)));
        return complete;
    }

    /// <summary>Outer values that inner graphs read and whose gradient is wanted.</summary>
    public static string[] Wanted(GradientContext c, params GraphProto[] graphs) => [.. graphs.SelectMany(GraphView.Captured).Distinct().Where(c.Needs)];

    /// <summary>What is known of the inner graph's values, given what is known of its inputs.</summary>
    public static Dictionary<string, TensorType> Types(Scope scope, GraphProto graph, IReadOnlyDictionary<string, TensorType> inputTypes, string[] captured)
    {
        var probe = new GraphProto { Name = "inner" };
        probe.Node.AddRange(graph.Node);
        probe.Initializer.AddRange(graph.Initializer);
        probe.Input.AddRange(graph.Input.Select(i => inputTypes.GetValueOrDefault(i.Name, TensorType.Read(i.Type)).ToProto(i.Name)));
        foreach (string name in captured)
        {
            if (scope.Constants.Find(name) is { } constant)
            {
                probe.Initializer.Add(constant.ToProto(name));
            }
            else
            {
                probe.Input.Add(scope.Type(name).ToProto(name));
            }
        }

        probe.Output.AddRange(graph.Node.SelectMany(n => n.Output).Where(o => o.Length > 0).Take(1).Select(o => new ValueInfoProto { Name = o }));
        var proto = new ModelProto { IrVersion = 8, Graph = probe };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = TypesOpset });
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        using var model = new OnnxModel(proto, "", graph.Name);
        Dictionary<string, TensorType> types = graph.Node.Count == 0 ? [] : new(TypeInference.Infer(model));
        foreach (string name in captured)
        {
            types[name] = scope.Type(name);
        }

        foreach (ValueInfoProto input in graph.Input)
        {
            types[input.Name] = inputTypes.GetValueOrDefault(input.Name, TensorType.Read(input.Type));
        }

        return types;
    }
}
