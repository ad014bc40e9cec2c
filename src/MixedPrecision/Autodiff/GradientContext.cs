using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff;

/// <summary>The gradients of a node's inputs, in their order: the name of a value, or null where there is none. A gradient has the input's
/// shape; that of a row which broadcasts may have the output's shape, and the walker sums it.</summary>
public delegate IReadOnlyList<string?> GradientRule(GradientContext context);

/// <summary>What a rule sees: one node of the forward graph, the gradients that reach its outputs, and the builder to write to.</summary>
public sealed class GradientContext
{
    private readonly Scope scope;
    private readonly IReadOnlyList<string?> upstream;

    internal GradientContext(Scope scope, NodeProto node, IReadOnlyList<string?> upstream)
    {
        this.scope = scope;
        this.upstream = upstream;
        Node = node;
    }

    public GraphBuilder B => scope.Builder;

    public NodeProto Node { get; }

    /// <summary>The first input.</summary>
    public string X => Node.Input[0];

    /// <summary>The first output.</summary>
    public string Y => Node.Output[0];

    /// <summary>The gradient of the loss by the first output, of its shape.</summary>
    public string Upstream => upstream[0] ?? throw Errors.NoGradientRule(Node.Operator(), Node.DisplayName(), "a gradient reaches it through another output than the first");

    public string Input(int index) => Node.Input[index];

    public string Output(int index) => Node.Output[index];

    /// <summary>Whether the node has this input (optional ones may be left out).</summary>
    public bool HasInput(int index) => index < Node.Input.Count && Node.Input[index].Length > 0;

    /// <summary>Whether the node has this output (optional ones may be left out).</summary>
    public bool HasOutput(int index) => index < Node.Output.Count && Node.Output[index].Length > 0;

    /// <summary>The gradient of the loss by an output, or null when the loss does not depend on it.</summary>
    public string? UpstreamOf(int output) => output < upstream.Count ? upstream[output] : null;

    /// <summary>Whether the gradient of this input is wanted.</summary>
    public bool Needs(int index) => HasInput(index) && scope.IsWanted(Node.Input[index]);

    /// <summary>Whether the gradient of a value of the graph is wanted: for values that inner graphs read.</summary>
    public bool Needs(string value) => scope.IsWanted(value);

    /// <summary>What is known of a value of the forward graph.</summary>
    public TensorType Type(string value) => scope.Type(value);

    /// <summary>The element type of the first input.</summary>
    public int ElementType => Type(X).ElementType is 0 ? Onnx.ElementType.Float : Type(X).ElementType;

    /// <summary>The rank of a value; an error when it is not known.</summary>
    public int Rank(string value) => Type(value).Rank ?? throw Errors.RankUnknown(Node.Operator(), Node.DisplayName(), value);

    /// <summary>A size along an axis when it is known.</summary>
    public long? Size(string value, int axis) => Type(value).Shape?[axis].Size;

    /// <summary>The value of an input that is a small constant of the graph, else null.</summary>
    public Tensor? ConstantInput(int index) => HasInput(index) ? scope.Constants.Find(Node.Input[index]) : null;

    /// <summary>The integers of a constant input (int32 or int64), else null.</summary>
    public long[]? ConstantIntegers(int index) => HasInput(index) ? scope.Constants.Integers(Node.Input[index]) : null;

    /// <summary>Values of the graph's small constants.</summary>
    public SmallConstants Constants => scope.Constants;

    /// <summary>A scalar of the first input's element type.</summary>
    public string Scalar(double value) => B.Scalar(value, ElementType);

    /// <summary>The shape of a value of the forward graph: a constant when it is known, else computed at run time, once.</summary>
    public string ShapeOf(string value) => scope.ShapeOf(value);

    /// <summary>Zeros of a forward value's shape and type.</summary>
    public string ZerosLike(string value) => B.Zeros(ShapeOf(value), Type(value).ElementType);

    /// <summary>A boolean value as 0 and 1 of the first input's type.</summary>
    public string Mask(string condition) => B.Cast(condition, ElementType);

    /// <summary>Sums a gradient that has the broadcast shape of several operands to the shape of one of them.</summary>
    public string SumTo(string gradient, TensorType gradientType, string operand, params IReadOnlyList<string> others) =>
        Broadcasting.SumTo(B, gradient, gradientType, Type(operand), () => ShapeOf(operand), [.. others.Select(Type)]);

    /// <summary>
    /// The first output, computed once more, for rules that look for the elements of an input which the output is equal to: calibration may feed an output as the forward model
    /// computed it, and its inputs computed anew, by other kernels, which round otherwise.
    /// </summary>
    public string OutputAgain() =>
        B.NodeTo([B.Fresh(Y), .. Node.Output.Skip(1).Select(o => o.Length > 0 ? B.Fresh(o) : "")], Node.OpType, Node.Domain, [.. Node.Input], [.. Node.Attribute])[0];

    /// <summary>Gradients of all inputs, those left out being none.</summary>
    public string?[] Gradients(params (int Input, string? Gradient)[] gradients)
    {
        var all = new string?[Node.Input.Count];
        foreach ((int input, string? gradient) in gradients)
        {
            if (input < all.Length)
            {
                all[input] = gradient;
            }
        }

        return all;
    }

    /// <summary>Adds to the gradient of a value that an inner graph of the node reads.</summary>
    public void AddCaptured(string value, string gradient) => scope.Accumulate(value, gradient);

    /// <summary>For rules of nodes with inner graphs: the pieces a nested walk needs.</summary>
    internal Scope Scope => scope;
}
