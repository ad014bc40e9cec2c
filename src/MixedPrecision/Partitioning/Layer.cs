namespace MixedPrecision.Partitioning;

/// <summary>What kind of linear operation a layer is.</summary>
public enum LayerKind
{
    /// <summary>MatMul whose second operand is constant.</summary>
    MatMul,

    /// <summary>Gemm whose second operand is constant.</summary>
    Gemm,

    /// <summary>MatMul of two activations (batched, as in attention).</summary>
    ActivationMatMul,

    /// <summary>Conv with a constant kernel.</summary>
    Conv,

    /// <summary>ConvTranspose with a constant kernel.</summary>
    ConvTranspose,

    /// <summary>Gather of rows of a constant table: it multiplies nothing, and is a layer for its bytes alone.</summary>
    Embedding,
}

/// <summary>A linear operation that can be quantized, or a table to look up in.</summary>
/// <param name="Name">The node's name; its output's name when the node has none or shares it.</param>
/// <param name="Operator">Operator with its domain unless that is ONNX's own.</param>
/// <param name="Node">Index into the nodes of the <see cref="Onnx.GraphView"/>.</param>
/// <param name="Input">The activation it reads (first operand); the indices of an embedding.</param>
/// <param name="Weight">The constant weight, or the second activation of a product of two; the table of an embedding, [rows, width].</param>
/// <param name="Bias">What the operator itself adds (Gemm's C, a convolution's B), or null.</param>
/// <param name="Output">The value it computes.</param>
/// <param name="WeightShape">Shape of the weight as stored; null for a product of two activations.</param>
/// <param name="Parameters">Number of elements of the constant weight; 0 for a product of two activations.</param>
public sealed record Layer(
    string Name,
    LayerKind Kind,
    string Operator,
    int Node,
    string Input,
    string Weight,
    string? Bias,
    string Output,
    long[]? WeightShape,
    long Parameters)
{
    /// <summary>Whether the second operand is a constant, and not an activation.</summary>
    public bool HasWeight => Kind != LayerKind.ActivationMatMul;
}

/// <summary>A linear operation that is no layer.</summary>
/// <param name="Name">As a layer's.</param>
/// <param name="Operator">Operator with its domain unless that is ONNX's own.</param>
/// <param name="Reason">Why it stays as it is, as a clause to print after the name.</param>
public sealed record Excluded(string Name, string Operator, string Reason);
