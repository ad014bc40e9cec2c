using System.Globalization;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Autodiff;

/// <summary>A whole model's gradient graph as a model of its own, for `mixed-precision gradient` and for anyone who wants to check it.</summary>
public static class GradientModel
{
    /// <summary>Bytes of weights beside which the nodes of a message of 2 GB find room.</summary>
    private const long LargestFile = 2_000_000_000;

    /// <param name="model">Any model.</param>
    /// <param name="lossOutput">A floating output of one element; null: the model's only output.</param>
    /// <param name="withRespectTo">Floating inputs, initializers or inner values; null: all floating inputs.</param>
    /// <returns>A model with the inputs of the original; its outputs are the loss and, for each name, `NAME.grad`: the gradient of the loss by
    /// it, of its shape, zero when the loss does not depend on it. With half precision, the loss and gradients are float. Runs in ONNX Runtime with nothing of ours; weights are embedded.</returns>
    /// <exception cref="MixedPrecisionException">MPB4001 and MPB4002: the model cannot be differentiated; MPB4003: the names given do not fit.</exception>
    public static ModelProto Build(OnnxModel model, string? lossOutput = null, IReadOnlyList<string>? withRespectTo = null)
    {
        IReadOnlyDictionary<string, TensorType> types = Types(model);
        using OnnxModel lowered = GraphLowering.Lower(model, types);
        GraphProto graph = lowered.Graph;
        IReadOnlyDictionary<string, TensorType> known = TypeInference.Infer(lowered);
        types = known.Concat(types.Where(t => !known.ContainsKey(t.Key))).ToDictionary();
        string loss = Loss(model, types, lossOutput);
        string[] targets = [.. (withRespectTo ?? [.. model.Inputs.Select(i => i.Name).Where(n => IsFloating(types, n))]).Distinct()];
        foreach (string target in targets)
        {
            CheckTarget(types, target);
        }

        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph), "gradient/");
        string seed = builder.Filled(builder.Shape(loss), 1, known[loss].ElementType);
        IReadOnlyDictionary<string, string> gradients = Differentiation.Differentiate(graph, known, builder, new Dictionary<string, string> { [loss] = seed }, targets);
        HashSet<string> names = [.. GraphBuilder.NamesIn(graph)];
        ValueInfoProto lossInfo = graph.Output.First(o => o.Name == loss);
        graph.Output.Clear();
        graph.Output.Add(lossInfo);
        foreach (string target in targets)
        {
            string name = target + ".grad";
            if (names.Contains(name))
            {
                throw Errors.GradientRequest(target, $"the model already has a value '{name}', the name that its gradient would get. Rename it.");
            }

            if (!known.TryGetValue(target, out TensorType? type))
            {
                throw Errors.GradientRequest(target, "this value lies within a fused operator or is not computed once the model is written in primitive operators. Leave it out.");
            }

            string gradient = gradients.TryGetValue(target, out string? computed) ? computed : builder.Zeros(builder.Shape(target), type.ElementType);
            builder.NodeTo([name], "Identity", "", [gradient]);
            graph.Output.Add(type.ToProto(name));
        }

        builder.AppendTo(graph);
        RestoreInputs(graph, model, builder);
        Embed(lowered.Proto, model);
        return lowered.Proto;
    }

    /// <summary>
    /// Types as the runtime infers them. It refuses models whose operators it has no kernel for, be it that the set is too old or that numbers are bfloat16; of these only what
    /// is declared is known until the model is lowered.
    /// </summary>
    private static IReadOnlyDictionary<string, TensorType> Types(OnnxModel model)
    {
        try
        {
            return TypeInference.Infer(model);
        }
        catch (MixedPrecisionException e) when (e.Diagnostic.Code == Codes.RuntimeRejects)
        {
            return model.Graph.Input.Concat(model.Graph.ValueInfo).Concat(model.Graph.Output).Select(v => (v.Name, Type: TensorType.Read(v.Type)))
                .Concat(model.Graph.Initializer.Select(i => (i.Name, Type: new TensorType(i.DataType, [.. i.Dims.Select(Dimension.Of)]))))
                .GroupBy(v => v.Name).ToDictionary(g => g.Key, g => g.Last().Type);
        }
    }

    private static string Loss(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, string? lossOutput)
    {
        string[] outputs = [.. model.Graph.Output.Select(o => o.Name)];
        string loss = lossOutput ?? (outputs.Length == 1 ? outputs[0]
            : throw Errors.GradientRequest(outputs[0], $"the model has {outputs.Length} outputs ({string.Join(", ", outputs.Select(o => $"'{o}'"))}). Name the one that is the loss."));
        if (!outputs.Contains(loss))
        {
            throw Errors.GradientRequest(loss, $"the model has no output of this name. Its outputs are {string.Join(", ", outputs.Select(o => $"'{o}'"))}.");
        }

        TensorType type = types[loss];
        bool single = type.Shape is null || type.Shape.All(d => d.Size is null or 1);
        return single && ElementType.IsFloating(type.ElementType)
            ? loss
            : throw Errors.GradientRequest(loss, $"the loss has to be one floating number, and this output is {type}. Name a scalar output.");
    }

    private static void CheckTarget(IReadOnlyDictionary<string, TensorType> types, string target)
    {
        if (!types.TryGetValue(target, out TensorType? type))
        {
            throw Errors.GradientRequest(target, "the model has no input, initializer or inner value of this name in its main graph. Check the spelling.");
        }

        if (!ElementType.IsFloating(type.ElementType))
        {
            throw Errors.GradientRequest(target, $"this value is {type}, and only floating values have a gradient. Leave it out.");
        }
    }

    private static bool IsFloating(IReadOnlyDictionary<string, TensorType> types, string name) => types.TryGetValue(name, out TensorType? type) && ElementType.IsFloating(type.ElementType);

    /// <summary>Inputs of half precision stay what they are in the model; what reads them reads a float in their place.</summary>
    private static void RestoreInputs(GraphProto graph, OnnxModel model, GraphBuilder builder)
    {
        var casts = new List<NodeProto>();
        var wide = new Dictionary<string, string>();
        foreach (ValueInfoProto input in model.Inputs.Where(i => HalfPrecision.IsHalf(TensorType.Read(i.Type).ElementType)))
        {
            graph.Input.First(i => i.Name == input.Name).Type.TensorType.ElemType = input.Type.TensorType.ElemType;
            wide[input.Name] = builder.Fresh(input.Name);
            var cast = new NodeProto { OpType = "Cast", Name = builder.Fresh("node/Cast"), Input = { input.Name }, Output = { wide[input.Name] } };
            cast.Attribute.Add(Attributes.Of("to", ElementType.Float));
            casts.Add(cast);
        }

        GraphCopy.RenameInputs(graph.Node, wide);
        NodeProto[] nodes = [.. casts, .. graph.Node];
        graph.Node.Clear();
        graph.Node.AddRange(nodes);
    }

    /// <summary>Brings external tensors into the model, wherever they stand, since the file may be written anywhere.</summary>
    private static void Embed(ModelProto gradient, OnnxModel model)
    {
        long bytes = ModelTensors.External(gradient).Sum(TensorProtos.ByteCount);
        if (bytes > LargestFile)
        {
            string gigabytes = (bytes / 1e9).ToString("F1", CultureInfo.InvariantCulture);
            throw Errors.GradientRequest(gradient.Graph.Output[0].Name, $"the model's weights take {gigabytes} GB, and the gradient's file holds 2 GB at most. Ask for it with a smaller model of the same kind.");
        }

        // Stored tensors of the main graph are shared with the model; those of its nodes are copies.
        for (int index = 0; index < gradient.Graph.Initializer.Count; index++)
        {
            TensorProto tensor = gradient.Graph.Initializer[index];
            gradient.Graph.Initializer[index] = ModelTensors.IsExternal(tensor) ? tensor.Clone() : tensor;
        }

        for (int index = 0; index < gradient.Graph.SparseInitializer.Count; index++)
        {
            gradient.Graph.SparseInitializer[index] = gradient.Graph.SparseInitializer[index].Clone();
        }

        foreach (TensorProto tensor in ModelTensors.External(gradient).ToArray())
        {
            TensorProtos.Embed(tensor, model.External);
        }
    }
}
