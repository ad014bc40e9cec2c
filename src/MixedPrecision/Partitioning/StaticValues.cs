using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>
/// Where the values lie that a layer with known ranges reads and gives in 8 bits. What only moves elements, or picks some, holds what it reads in the same range; an activation that cuts at one or two numbers is absorbed by the rounding.
/// </summary>
public static class StaticValues
{
    /// <summary>Operators whose first input's elements are all that their output has.</summary>
    private static readonly HashSet<string> Moving = ["MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Split", "Identity", "DepthToSpace", "Expand", "Tile"];

    /// <summary>Operators that change nothing but the shape.</summary>
    private static readonly HashSet<string> Reshaping = ["Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"];

    /// <summary>The value whose range a value has: that which its elements were computed in.</summary>
    public static string RootOf(GraphView view, string value)
    {
        while (view.Producer(value) is int node && Moves(view.Nodes[node]) && view.Nodes[node].Output[0] == value | view.Nodes[node].OpType == "Split" && !view.Constants.Contains(view.Nodes[node].Input[0]))
        {
            value = view.Nodes[node].Input[0];
        }

        return value;
    }

    /// <summary>Whether all elements that a node gives are elements of its first input.</summary>
    public static bool Moves(NodeProto node) => Moving.Contains(node.Operator())
        || (node.Operator() == "Resize" && node.Text("mode", "nearest") == "nearest" && node.Text("coordinate_transformation_mode", "") != "tf_crop_and_resize");

    /// <summary>The value with the same elements in the same order, in another shape, or null when there is none.</summary>
    public static string? SourceOf(GraphView view, string value)
    {
        string source = value;
        while (view.Producer(source) is int node && Reshaping.Contains(view.Nodes[node].Operator()) && !view.Constants.Contains(view.Nodes[node].Input[0]))
        {
            source = view.Nodes[node].Input[0];
        }

        return source == value ? null : source;
    }

    /// <summary>
    /// The value that an average pool reads whose result is all that a layer reads, or null: where a sum or a concatenation gave it, that has to be held in 8 bits too for the pool, and the sum, to compute in them. What a convolution gives is held with it.
    /// </summary>
    public static string? PooledOf(GraphView view, string value)
    {
        string pooled = SourceOf(view, value) ?? value;
        if (view.Producer(pooled) is not int pool || view.Nodes[pool].Operator() is not ("GlobalAveragePool" or "AveragePool"))
        {
            return null;
        }

        string read = view.Nodes[pool].Input[0], given = read;
        while (view.Producer(given) is int cut && view.Nodes[cut].Operator() is "Relu" or "Clip")
        {
            given = view.Nodes[view.Producer(given)!.Value].Input[0];
        }

        return view.Producer(given) is int sum && view.Nodes[sum].Operator() is "Add" or "Concat" ? read : null;
    }

    /// <summary>
    /// The activation behind a layer that is held in 8 bits with it, or null: a Relu, or a Clip between constants that hold 0, which alone reads the layer's result and is absorbed, or one of x · σ(x) (<see cref="SwishTails"/>).
    /// </summary>
    /// <param name="constant">The tensor of a constant, or null.</param>
    public static Tail? TailOf(GraphView view, Layer layer, Func<string, Tensor?> constant)
    {
        if (view.IsOutput(layer.Output) || view.Consumers(layer.Output) is not [var reader])
        {
            return Swish();
        }

        NodeProto node = view.Nodes[reader];
        switch (node.Operator())
        {
            case "Relu":
                return new Tail(node.Output[0], 0, float.PositiveInfinity);
            case "Clip" when node.Input[0] == layer.Output:
                float? low = Bound(node, 1, "min", float.NegativeInfinity, constant), high = Bound(node, 2, "max", float.PositiveInfinity, constant);
                return low is <= 0 && high is >= 0 ? new Tail(node.Output[0], low.Value, high.Value) : null;
            default:
                return Swish();
        }

        Tail? Swish() => SwishTails.Of(view, layer.Output, layer.WeightShape!.Length, constant);
    }

    private static float? Bound(NodeProto node, int input, string attribute, float none, Func<string, Tensor?> constant) =>
        node.Input.Count > input && node.Input[input].Length > 0
            ? constant(node.Input[input]) is { ElementType: ElementType.Float, Count: 1 } bound ? bound.Values<float>()[0] : null
            : node.Float(attribute, none);
}

/// <summary>An activation behind a layer.</summary>
/// <param name="Output">Its result.</param>
/// <param name="Low">Of what it cuts, nothing below is left.</param>
/// <param name="High">Nothing above is left.</param>
public sealed record Tail(string Output, float Low, float High)
{
    /// <summary>What it computes if it does not cut.</summary>
    public Swish? Swish { get; init; }
}
