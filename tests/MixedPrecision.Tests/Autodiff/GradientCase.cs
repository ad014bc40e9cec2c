using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>An input of a node under test: real values, which are cast to the precision of the run, or a tensor taken as it is.</summary>
/// <param name="Constant">Whether the model holds it as an initializer rather than as an input.</param>
/// <param name="Checked">Whether its gradient is compared with finite differences.</param>
internal sealed record Operand(long[] Shape, double[]? Reals, Tensor? Fixed, bool Constant = false, bool Checked = true)
{
    public static readonly Operand None = new([], null, null, Checked: false);

    /// <summary>Whether only inner graphs read it, by its name x0, x1, …</summary>
    public bool Captured { get; init; }

    /// <summary>Whether its sizes are always declared, since the operator refuses a model without.</summary>
    public bool Declared { get; init; }

    public bool IsPresent => Reals is not null || Fixed is not null;

    public static Operand Of(params long[] values) => new([values.Length], null, Tensor.Of<long>(values, values.Length), Constant: true, Checked: false);

    public static Operand Of(Tensor tensor, bool constant = false) => new(tensor.Shape, null, tensor, constant, Checked: false);

    /// <summary>The value, in single or double precision.</summary>
    public Tensor Value(int elementType) => Fixed ?? Cast(Reals!, Shape, elementType);

    public static Tensor Cast(double[] values, long[] shape, int elementType) => elementType == ElementType.Double
        ? Tensor.Of<double>(values, shape)
        : Tensor.Of<float>(values.Select(v => (float)v).ToArray(), shape);
}

/// <summary>One node with inputs, whose gradient is checked.</summary>
internal sealed record GradientCase(string Operator, IReadOnlyList<Operand> Operands, params AttributeProto[] Attributes)
{
    public int Outputs { get; init; } = 1;

    /// <summary>Outputs left out.</summary>
    public IReadOnlyList<int> Left { get; init; } = [];

    /// <summary>Outputs that take no part in the loss, since the runtime infers wrong sizes for them and refuses what is made of them.</summary>
    public IReadOnlyList<int> Unprojected { get; init; } = [];

    public string Domain { get; init; } = "";

    /// <summary>The step of differences in float, where the function bends too often for the usual one.</summary>
    public double FloatStep { get; init; } = 0.02;

    public int Opset { get; init; } = 21;

    public override string ToString() =>
        $"{Domain}{Operator}-{Opset}({string.Join(", ", Operands.Select(o => !o.IsPresent ? "none" : $"[{string.Join(",", o.Shape)}]{(o.Constant ? "c" : "")}"))}) {string.Join(" ", Attributes.Select(a => a.ToString()))}";
}
