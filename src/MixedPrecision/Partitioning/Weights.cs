using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>Reads constants of a model, wherever they come from: initializers, Constant nodes, or nodes that compute them from these.</summary>
public static class Weights
{
    /// <summary>
    /// The tensor of a constant value, or null when the value is not constant (or no dense tensor of numbers). What nodes compute from stored
    /// constants, such as a transposed initializer, is evaluated by ONNX Runtime.
    /// </summary>
    /// <param name="external">Maps external data; null: the model's own, whose mappings last as long as the model.</param>
    public static Tensor? Read(OnnxModel model, GraphView view, string name, ExternalData? external = null)
    {
        external ??= model.External;
        while (true)
        {
            if (!view.Constants.Contains(name))
            {
                return null;
            }

            if (view.Producer(name) is not int node)
            {
                return model.Initializers.TryGetValue(name, out TensorProto? initializer) ? TensorProtos.Read(initializer, external) : null;
            }

            if (Stored(view.Nodes[node]) is TensorProto stored)
            {
                return TensorProtos.Read(stored, external);
            }

            if (view.Nodes[node] is not { OpType: "Identity", Domain: "" or "ai.onnx" })
            {
                return Evaluate(model, view, name);
            }

            name = view.Nodes[node].Input[0];
        }
    }

    /// <summary>The message of a stored constant, with the value's name: an initializer's or a Constant node's. Null when the value is neither.</summary>
    internal static TensorProto? Proto(OnnxModel model, GraphView view, string name) =>
        view.Producer(name) is int node ? Stored(view.Nodes[node]) : model.Initializers.GetValueOrDefault(name);

    /// <summary>The dense tensor of a Constant node, with the output's name; null for other nodes, sparse tensors and single strings.</summary>
    internal static TensorProto? Stored(NodeProto node)
    {
        if (!IsStored(node))
        {
            return null;
        }

        AttributeProto attribute = node.Attribute[0];
        switch (attribute.Name)
        {
            case "value":
                TensorProto tensor = attribute.T.Clone();
                tensor.Name = node.Output[0];
                return tensor;
            case "value_float":
                return Tensor.Scalar(attribute.F).ToProto(node.Output[0]);
            case "value_int":
                return Tensor.Scalar(attribute.I).ToProto(node.Output[0]);
            case "value_floats":
                return Tensor.Of<float>([.. attribute.Floats], attribute.Floats.Count).ToProto(node.Output[0]);
            default:
                return Tensor.Of<long>([.. attribute.Ints], attribute.Ints.Count).ToProto(node.Output[0]);
        }
    }

    /// <summary>Whether <see cref="Stored"/> has a tensor for a node; without copying it.</summary>
    internal static bool IsStored(NodeProto node) =>
        node.OpType == "Constant" && (node.Domain is "" or "ai.onnx") && node.Output.Count == 1 && node.Attribute.Count == 1
        && (node.Attribute[0].Name is "value_float" or "value_int" or "value_floats" or "value_ints" || node.Attribute[0] is { Name: "value", T: not null });

    private static Tensor? Evaluate(OnnxModel model, GraphView view, string name)
    {
        ModelProto constant = Extraction.Constant(model, view, name);
        try
        {
            using Session session = Session.Create(constant, SessionSettings.Plain, model.Folder);
            return session.Run(new Dictionary<string, Tensor>()).GetValueOrDefault(name);
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.RuntimeRejects(model.DisplayName, e.Message.Replace('\n', ' '));
        }
    }
}
