using MixedPrecision.Onnx;

namespace MixedPrecision.Structures;

/// <summary>What a value is on the way to a normalization of x, with R = √(mean x² + ε).</summary>
internal enum RmsStage
{
    /// <summary>factor · (mean x² + ε).</summary>
    Square,

    /// <summary>factor · R.</summary>
    Root,

    /// <summary>factor · weights / R.</summary>
    Inverse,

    /// <summary>factor · weights · x / R.</summary>
    Normal,
}

/// <summary>A value on the way to a normalization.</summary>
/// <param name="Value">The value.</param>
/// <param name="X">What is normalized over its last axis.</param>
/// <param name="Size">Of that axis.</param>
/// <param name="Stage">What it is.</param>
/// <param name="Factor">See <see cref="RmsStage"/>.</param>
/// <param name="Epsilon">See <see cref="RmsStage"/>.</param>
/// <param name="Weights">One number for each place of the axis.</param>
/// <param name="Steps">The operators so far.</param>
internal sealed record RmsState(string Value, string X, int Size, RmsStage Stage, double Factor, double Epsilon, IReadOnlyList<float[]> Weights, IReadOnlyList<string> Steps)
{
    /// <summary>What the runtime (1.31) fuses by itself, but for heads, unless they are centred: x / R · weights, and x · (1 / R) · weights.</summary>
    private static readonly string[] Fused = ["Pow", "ReduceMean", "Add", "Sqrt", "Div", "Mul"], FusedInverse = ["Pow", "ReduceMean", "Add", "Sqrt", Over, "Mul", "Mul"];

    private const string Over = "1/";

    /// <summary>A limit that keeps a norm from 0 stands for an ε, when it is so small that max(a, b) and √(a² + b²) differ for no row but those that are all but 0.</summary>
    private const double LeastNorm = 1e-10;

    public bool IsFusedAnyway => !IsOfHeads && Weights.Count == 1 && (Steps.SequenceEqual(Fused) || Steps.SequenceEqual(FusedInverse));

    /// <summary>Whether x has four dimensions, and its mean is not taken off.</summary>
    public required bool IsOfHeads { get; init; }

    /// <summary>All that x / R is multiplied by.</summary>
    public Tensor Weight() => Tensor.Of<float>([.. Enumerable.Range(0, Size).Select(i => (float)Weights.Aggregate(Factor, (product, w) => product * w[i]))], Size);

    /// <summary>The state behind a reduction of x² over the last axis, or null.</summary>
    public static RmsState? Begun(AttentionReader reader, NodeProto node)
    {
        if (node.Operator() is not ("ReduceMean" or "ReduceSum" or "ReduceSumSquare" or "ReduceL2") || node.Int("keepdims", 1) != 1
            || reader.Shapes.Of(node.Input[0]) is not { Length: > 0 } shape || shape[^1].Constant is not (> 0 and long size) || !IsOverLast(reader, node, shape.Length))
        {
            return null;
        }

        (string? x, string[] steps) = node.OpType is "ReduceSumSquare" or "ReduceL2" ? (reader.Behind(node.Input[0]), [node.OpType])
            : reader.Maker(node.Input[0]) switch
            {
                { OpType: "Pow" } power when reader.Number(power.Input[1]) == 2 => (reader.Behind(power.Input[0]), ["Pow", node.OpType]),
                { OpType: "Mul" } product when reader.Behind(product.Input[0]) == reader.Behind(product.Input[1]) => (reader.Behind(product.Input[0]), ["Mul", node.OpType]),
                _ => ((string?)null, Array.Empty<string>()),
            };
        return x is null || !reader.Types.TryGetValue(x, out TensorType? type) || type.ElementType != ElementType.Float ? null : new RmsState(
            node.Output[0], x, (int)size, node.OpType == "ReduceL2" ? RmsStage.Root : RmsStage.Square,
            node.OpType switch { "ReduceMean" => 1, "ReduceL2" => Math.Sqrt(size), _ => size }, 0, [], steps)
        {
            IsOfHeads = shape.Length == 4 && reader.Maker(x, "Sub") is null,
        };
    }

    /// <summary>The state behind the one node that reads the value, or null where that is no part of a normalization.</summary>
    public RmsState? Next(AttentionReader reader)
    {
        if (reader.View.IsOutput(Value) || reader.View.Consumers(Value) is not [var index] || reader.View.Nodes[index] is not { Domain: "" or "ai.onnx", Output.Count: 1 } node)
        {
            return null;
        }

        if (reader.Behind(node.Output[0]) == reader.Behind(Value))
        {
            return this with { Value = node.Output[0] };
        }

        RmsState next = this with { Value = node.Output[0], Steps = [.. Steps, node.OpType] };
        bool isFirst = node.Input[0] == Value;
        string other = node.Input.Count != 2 || node.Input[0] == node.Input[1] ? "" : node.Input[isFirst ? 1 : 0];
        double? number = other.Length > 0 && node.OpType != "Expand" ? reader.Number(other) : null;
        bool isX = other.Length > 0 && reader.Behind(other) == X;
        return (Stage, node.OpType) switch
        {
            (RmsStage.Square, "Add") when number is >= 0 => next with { Epsilon = Epsilon + (number.Value / Factor) },
            (RmsStage.Square, "Sqrt") => next with { Stage = RmsStage.Root, Factor = Math.Sqrt(Factor) },
            (RmsStage.Square, "Pow") when isFirst && number == 0.5 => next with { Stage = RmsStage.Root, Factor = Math.Sqrt(Factor) },
            (RmsStage.Square, "Pow") when isFirst && number == -0.5 => next with { Stage = RmsStage.Inverse, Factor = 1 / Math.Sqrt(Factor) },
            (RmsStage.Root, "Max") when number is > 0 and <= LeastNorm && Epsilon == 0 => next with { Epsilon = Math.Pow(number.Value / Factor, 2) },
            (RmsStage.Root, "Clip") when Limit(reader, node) is > 0 and <= LeastNorm and double limit && Epsilon == 0 => next with { Epsilon = Math.Pow(limit / Factor, 2) },
            (RmsStage.Root, "Reciprocal") => next with { Stage = RmsStage.Inverse, Factor = 1 / Factor },
            (RmsStage.Root, "Div") when !isFirst && number is double numerator => next with { Stage = RmsStage.Inverse, Factor = numerator / Factor, Steps = [.. Steps, numerator == 1 ? Over : node.OpType] },
            (RmsStage.Root, "Div") when !isFirst && isX => next with { Stage = RmsStage.Normal, Factor = 1 / Factor },
            (RmsStage.Inverse, "Mul") when isX => next with { Stage = RmsStage.Normal },
            (RmsStage.Root or RmsStage.Inverse, "Expand") when isFirst => next,
            (_, "Mul") when number is > 0 => next with { Factor = Factor * number.Value },
            (_, "Div") when isFirst && number is > 0 => next with { Factor = Factor / number.Value },
            (RmsStage.Inverse or RmsStage.Normal, "Mul") when other.Length > 0 && WeightOf(reader, other) is { } weight => next with { Weights = [.. Weights, weight] },
            _ => null,
        };
    }

    /// <summary>The lower limit of a Clip that has no upper one that is ever reached, or null.</summary>
    private static double? Limit(AttentionReader reader, NodeProto clip)
    {
        double? At(int input, string attribute) => clip.Attribute(attribute) is { } given ? given.F
            : clip.Input.Count > input && clip.Input[input].Length > 0 ? reader.Number(clip.Input[input]) ?? double.NaN : null;
        return At(2, "max") is null or >= float.MaxValue ? At(1, "min") : null;
    }

    /// <summary>A constant of one number for each place of the last axis, which no app may replace, or null.</summary>
    private float[]? WeightOf(AttentionReader reader, string value) =>
        reader.View.Constants.Contains(value) && reader.Shapes.Of(value) is { Length: > 0 } shape && shape[^1].Constant == Size
        && !Partitioning.Region.StoredConstants(reader.View, value).Any(reader.Model.Defaults.Contains)
        && Partitioning.Weights.Read(reader.Model, reader.View, value) is { ElementType: ElementType.Float } weight && weight.Count == Size ? weight.Values<float>().ToArray() : null;

    private static bool IsOverLast(AttentionReader reader, NodeProto node, int rank) =>
        (node.Ints("axes") ?? (node.Input.Count > 1 && node.Input[1].Length > 0 ? reader.Shapes.Constants(node.Input[1]) : null)) is [var axis] && (axis == -1 || axis == rank - 1);
}
