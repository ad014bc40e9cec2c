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

    /// <summary>LSTM with constant weights: in every step it multiplies what it reads and what it gave in the step before.</summary>
    Recurrent,

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
/// <param name="Parameters">Number of elements of the constant weights; 0 for a product of two activations.</param>
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
    /// <summary>A second constant weight, which a recurrent layer multiplies by its own last result, or null.</summary>
    public StoredWeight? Recurrence { get; init; }

    /// <summary>What else it reads, each value once: lengths, states and what it adds, of a recurrent layer.</summary>
    public IReadOnlyList<string> Further { get; init; } = [];

    /// <summary>What it computes besides <see cref="Output"/>.</summary>
    public IReadOnlyList<string> FurtherOutputs { get; init; } = [];

    /// <summary>All values that it computes.</summary>
    public IReadOnlyList<string> Outputs => [Output, .. FurtherOutputs];

    /// <summary>Whether the second operand is a constant, and not an activation.</summary>
    public bool HasWeight => Kind != LayerKind.ActivationMatMul;

    /// <summary>The layer once for each of its constant weights, as if it had no other.</summary>
    public IReadOnlyList<Layer> ByWeight => !HasWeight ? [] : Recurrence is null ? [this] :
    [
        this with { Parameters = Onnx.Tensor.ElementCount(WeightShape), Recurrence = null },
        this with { Weight = Recurrence.Name, WeightShape = Recurrence.Shape, Parameters = Onnx.Tensor.ElementCount(Recurrence.Shape), Recurrence = null },
    ];
}

/// <summary>A constant weight.</summary>
/// <param name="Name">Name of the value.</param>
/// <param name="Shape">Its shape as stored.</param>
public sealed record StoredWeight(string Name, long[] Shape);

/// <summary>A linear operation that is no layer.</summary>
/// <param name="Name">As a layer's.</param>
/// <param name="Operator">Operator with its domain unless that is ONNX's own.</param>
/// <param name="Reason">Why it stays as it is, as a clause to print after the name.</param>
public sealed record Excluded(string Name, string Operator, string Reason);
