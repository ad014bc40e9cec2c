namespace MixedPrecision.Onnx.Lowering;

/// <summary>Writes a node anew, by making nodes that compute the same outputs under the same names.</summary>
internal delegate void NodeRewrite(LoweringContext context);

/// <summary>What a rewrite sees: the node, what is known of its inputs, and the builder to write to.</summary>
internal sealed class LoweringContext(NodeProto node, long version, GraphBuilder builder, Func<string, TensorType> types, SmallConstants constants)
{
    public NodeProto Node => node;

    public GraphBuilder B => builder;

    /// <summary>The version of the operator set that the node is written in.</summary>
    public long Version => version;

    /// <summary>The first input.</summary>
    public string X => node.Input[0];

    public string Input(int index) => node.Input[index];

    public bool HasInput(int index) => index < node.Input.Count && node.Input[index].Length > 0;

    /// <summary>The input, or the empty name that stands for one left out.</summary>
    public string InputOrNone(int index) => HasInput(index) ? node.Input[index] : "";

    public bool HasOutput(int index) => index < node.Output.Count && node.Output[index].Length > 0;

    public TensorType Type(string value) => types(value);

    public SmallConstants Constants => constants;

    /// <summary>The integers of a small constant of the graph, or of one that a rewrite has just made; else null.</summary>
    public long[]? Integers(string value) => constants.Integers(value)
        ?? (builder.Constants.TryGetValue(value, out Tensor? made) && made.ElementType == Onnx.ElementType.Int64 ? made.Values<long>().ToArray() : null);

    /// <summary>The rank of a value, or null when it is not known.</summary>
    public int? Rank(string value) => types(value).Rank;

    /// <summary>The element type of the first input, float when unknown.</summary>
    public int ElementType => Type(X).ElementType is 0 ? Onnx.ElementType.Float : Type(X).ElementType;

    public string Scalar(double value) => B.Scalar(value, ElementType);

    /// <summary>Passes the node on as it is.</summary>
    public void Keep() => builder.Nodes.Add(node);

    /// <summary>Passes the node on with other inputs and without the attributes named.</summary>
    public void Change(IReadOnlyList<string> inputs, params string[] withoutAttributes)
    {
        node.Input.Clear();
        node.Input.AddRange(inputs);
        Remove(withoutAttributes);
        Keep();
    }

    public void Remove(params string[] attributes)
    {
        foreach (AttributeProto attribute in node.Attribute.Where(a => attributes.Contains(a.Name)).ToArray())
        {
            node.Attribute.Remove(attribute);
        }
    }

    /// <summary>Sets an attribute, whether or not the node has it.</summary>
    public void Set(AttributeProto attribute)
    {
        Remove(attribute.Name);
        node.Attribute.Add(attribute);
    }

    /// <summary>Gives a computed value the name of one of the node's outputs; does nothing when the node does not have it.</summary>
    public void Return(string value, int output = 0)
    {
        if (HasOutput(output))
        {
            builder.NodeTo([node.Output[output]], "Identity", "", [value]);
        }
    }

    /// <summary>Makes the last step, whose result is the node's first output.</summary>
    public void ReturnNode(string operatorType, IReadOnlyList<string> inputs, params AttributeProto[] attributes) =>
        builder.NodeTo([node.Output[0]], operatorType, "", inputs, attributes);
}
