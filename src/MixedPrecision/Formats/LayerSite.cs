using System.Buffers;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Formats;

/// <summary>Reads one output column of a weight matrix, K values.</summary>
public delegate void ColumnAction(int column, ReadOnlySpan<float> values);

/// <summary>Reads some output columns of a weight matrix, one after the other, K values each.</summary>
public delegate void ColumnsAction(int first, int count, ReadOnlySpan<float> columns);

/// <summary>A layer with what a format has to know of its surroundings.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Node">Its node in the original model.</param>
/// <param name="Opset">The version of ONNX's own operators in the model.</param>
/// <param name="Input">Type of the activation, or of an embedding's indices.</param>
/// <param name="Weight">Type of the weight, or of the second activation.</param>
public sealed record LayerSite(Layer Layer, NodeProto Node, int Opset, TensorType Input, TensorType Weight)
{
    /// <summary>What the values of the weight keep every format but the baseline from: see <see cref="WeightFaults"/>. Null when nothing, or when they were not looked at.</summary>
    public string? Fault { get; init; }

    /// <summary>What calibration saw the layer read, or null: then weights are rounded by their own values alone.</summary>
    public InputMoments? Moments { get; init; }

    /// <summary>What identifies the rows whose moments tell of the layer: those of what a matrix reads, or the patches that a convolution takes; null where there are none.</summary>
    public string? MomentsOf => HasWeightMatrix ? Layer.Input
        : Layer is { Kind: LayerKind.Conv, HasWeight: true, WeightShape.Length: > 2 }
            ? $"{Layer.Input} [{string.Join(' ', Layer.WeightShape.Skip(1))}] {string.Join(' ', PatchAttributes.Select(a => Node.Attribute(a)?.ToString()))}" : null;

    /// <summary>Groups of output channels that read inputs of their own.</summary>
    public int Groups => HasWeightMatrix ? 1 : (int)Node.Int("group", 1);

    /// <summary>Elements of a row that an output channel is a sum over.</summary>
    public int RowSize => HasWeightMatrix ? InputSize : (int)(Layer.Parameters / Layer.WeightShape![0]);

    /// <summary>What calibration saw the layer read and give, or null: then no format can hold that in ranges known beforehand.</summary>
    public LayerRanges? Ranges { get; init; }

    /// <summary>By name of a weight, what a lock holds of its constants, or null: there is no lock.</summary>
    public IReadOnlyDictionary<string, LockedConstants>? Locked { get; init; }

    /// <summary>Whether calibration data were run through the model for this layer.</summary>
    public bool IsObserved { get; init; }

    /// <summary>The activation behind a convolution that rounding its result to its range absorbs, or that is computed in 8 bits with it, or null.</summary>
    public Tail? Tail { get; init; }

    /// <summary>The value between the layer and an activation that is computed in 8 bits, which is held so too, or null.</summary>
    public string? Inner => Tail?.Swish is null ? null : Layer.Output;

    /// <summary>The values in whose ranges those lie that the layer reads and gives; no output where it is not held in 8 bits.</summary>
    public (string Input, string? Output) RangesOf { get; init; }

    /// <summary>The value that has the elements of its input in another shape: rounded there, what computes it may give integers.</summary>
    public string? Source { get; init; }

    /// <summary>What the pool right before it reads, where that has to be held in 8 bits with its input: see <see cref="StaticValues.PooledOf"/>.</summary>
    public string? Pooled { get; init; }

    /// <summary>The layer's ranges from those of values; null where one is not known that is needed.</summary>
    /// <param name="find">The range of a value, or null.</param>
    public LayerRanges? RangesFrom(Func<string, ValueRange?> find)
    {
        if (RangesOf.Input is not string input || find(input) is not { } read)
        {
            return null;
        }

        if (RangesOf.Output is not string output)
        {
            return new LayerRanges(read, null) { Pooled = Pooled is null ? null : find(Pooled) };
        }

        return find(output) is not { } given ? null
            : Tail is not { } tail ? new LayerRanges(read, given)
            : tail.Swish is not { } swish ? new LayerRanges(read, given.Within(tail.Low, tail.High))
            : find(Layer.Output) is not { } inner ? null
            : new LayerRanges(read, given.For(swish)) { Inner = inner.Within(swish.Least, float.PositiveInfinity) };
    }

    /// <summary>Whether what the operator adds is constant.</summary>
    public bool IsBiasConstant { get; init; }

    /// <summary>How the channels of its input may be brought to similar ranges at no cost, or null: there is no layer that takes it. See <see cref="Balanced"/>.</summary>
    public ChannelBalance? Balance { get; init; }

    /// <summary>What the rows of the weight are multiplied by, [K]: the layer reads its input divided by it. Null: nothing.</summary>
    public float[]? InputScales { get; private init; }

    /// <summary>What the columns of the weight are divided by, [N]: a layer that reads the output multiplies by it. Null: nothing.</summary>
    public float[]? OutputScales { get; init; }

    /// <summary>The layer as one that reads its input with balanced channels.</summary>
    public LayerSite Balanced() => Balance is null ? this : this with { Balance = null, InputScales = Balance.Scales, Moments = Balance.Moments };

    /// <summary>Columns and rows of a tile: as floats it lies in the processor's first cache.</summary>
    private const int ColumnTile = 64;
    private const int RowTile = 64;

    private static readonly string[] PatchAttributes = ["group", "strides", "dilations", "auto_pad", "pads"];

    /// <summary>Which input of a recurrent operator holds the lengths of sequences.</summary>
    private const int RecurrentLengths = 4;

    private const string OnlyBlocks = "rows of a table are looked up and not multiplied; the kernel for these takes blocks of integers";

    /// <summary>A layer of a model.</summary>
    /// <param name="view">The model's graph, which the layer's index refers to.</param>
    /// <param name="types">Types of the model's values.</param>
    public static LayerSite Of(OnnxModel model, GraphView view, IReadOnlyDictionary<string, TensorType> types, Layer layer)
    {
        var site = new LayerSite(layer, view.Nodes[layer.Node], model.Opset, types[layer.Input], types[layer.Weight]);
        if (site.HasWeightMatrix)
        {
            return site with { RangesOf = (StaticValues.RootOf(view, layer.Input), null), Source = StaticValues.SourceOf(view, layer.Input), Pooled = StaticValues.PooledOf(view, layer.Input) };
        }

        if (layer.Kind != LayerKind.Conv)
        {
            return site;
        }

        Tail? tail = StaticValues.TailOf(view, layer, c => view.Constants.Contains(c) ? Weights.Read(model, view, c) : null);
        return site with
        {
            Tail = tail,
            RangesOf = (StaticValues.RootOf(view, layer.Input), tail?.Output ?? layer.Output),
            IsBiasConstant = layer.Bias is string bias && view.Constants.Contains(bias),
        };
    }

    /// <summary>The layer once for each of its constant weights, as if it had no other: formats prepare, count and judge each by itself.</summary>
    public IReadOnlyList<LayerSite> ByWeight => Layer.HasWeight && Layer.Recurrence is null ? [this] : [.. Layer.ByWeight.Select(l => this with { Layer = l })];

    /// <summary>The element type of one of <see cref="Layer.Further"/>: lengths are integers.</summary>
    public int TypeOfFurther(string value) => IsRecurrent && Node.Input.ElementAtOrDefault(RecurrentLengths) == value ? ElementType.Int32 : Input.ElementType;

    /// <summary>The layer with results of other names.</summary>
    public LayerSite WithOutputs(Func<string, string> rename)
    {
        NodeProto node = Node.Clone();
        for (int output = 0; output < node.Output.Count; output++)
        {
            node.Output[output] = node.Output[output].Length == 0 ? "" : rename(node.Output[output]);
        }

        string[] named = [.. node.Output.Where(o => o.Length > 0)];
        return this with { Node = node, Layer = Layer with { Output = named[0], FurtherOutputs = named[1..] } };
    }

    /// <summary>Whether the second operand is a weight matrix.</summary>
    public bool HasWeightMatrix => Layer.Kind is LayerKind.MatMul or LayerKind.Gemm && Layer.WeightShape is { Length: 2 };

    /// <summary>Whether the weight is a table, whose rows are looked up: formats take each for an output column of a matrix, its width for the inputs.</summary>
    public bool IsEmbedding => Layer.Kind == LayerKind.Embedding;

    /// <summary>Whether it multiplies step by step, its weights stored as [directions, outputs, inputs]: formats take the outputs of all directions for columns of one matrix.</summary>
    public bool IsRecurrent => Layer.Kind == LayerKind.Recurrent;

    /// <summary>Whether the weight is stored as [outputs, inputs].</summary>
    public bool IsWeightTransposed => IsEmbedding || IsRecurrent || (Layer.Kind == LayerKind.Gemm && Node.Int("transB", 0) != 0);

    /// <summary>Size K over which products are summed. Only for weight matrices, tables and recurrent weights.</summary>
    public int InputSize => (int)Layer.WeightShape![IsWeightTransposed ? ^1 : 0];

    /// <summary>Number N of output columns. Only for weight matrices, tables and recurrent weights.</summary>
    public int OutputSize => (int)(IsRecurrent ? Layer.WeightShape![0] * Layer.WeightShape[1] : Layer.WeightShape![IsWeightTransposed ? 0 : 1]);

    /// <summary>Bytes of a weight as the model stores it; 0 for products of activations.</summary>
    public long BaselineBytes => Layer.WeightShape is null ? 0 : Tensor.ByteCount(Weight.ElementType, Layer.WeightShape);

    /// <summary>
    /// Goes through the weight matrix column by column (K values each), with Gemm's alpha and scales of channels multiplied in: the order in which formats look for the
    /// largest value of a column or block. Columns come on several threads and in no order; half precision comes as float.
    /// </summary>
    public void ForEachColumn(Tensor weight, ColumnAction action)
    {
        int inputs = InputSize;
        ForEachTile(weight, (first, count, columns) =>
        {
            for (int column = 0; column < count; column++)
            {
                action(first + column, columns.Slice(column * inputs, inputs));
            }
        });
    }

    /// <summary>The same, several columns at a time.</summary>
    public void ForEachTile(Tensor weight, ColumnsAction action)
    {
        float alpha = Layer.Kind == LayerKind.Gemm ? Node.Float("alpha", 1) : 1;
        int inputs = InputSize, outputs = OutputSize;
        Parallel.For(0, (outputs + ColumnTile - 1) / ColumnTile, tile =>
        {
            int first = tile * ColumnTile, count = Math.Min(ColumnTile, outputs - first);
            float[] rented = ArrayPool<float>.Shared.Rent(count * inputs);
            Span<float> columns = rented.AsSpan(0, count * inputs);
            if (IsWeightTransposed)
            {
                HalfPrecision.Widen(weight, (long)first * inputs, columns);
            }
            else
            {
                Transpose(weight, inputs, outputs, first, count, columns);
            }

            if (alpha != 1)
            {
                TensorPrimitives.Multiply(columns, alpha, columns);
            }

            for (int column = 0; InputScales is not null && column < count; column++)
            {
                Span<float> own = columns.Slice(column * inputs, inputs);
                TensorPrimitives.Multiply(own, InputScales, own);
            }

            for (int column = 0; OutputScales is not null && column < count; column++)
            {
                Span<float> own = columns.Slice(column * inputs, inputs);
                TensorPrimitives.Divide(own, OutputScales[first + column], own);
            }

            action(first, count, columns);
            ArrayPool<float>.Shared.Return(rented);
        });
    }

    /// <summary>Some columns of [K, N] as rows. Row by row they are first copied close together, since a stride of a power of two would have them push each other out of the cache.</summary>
    private static void Transpose(Tensor weight, int inputs, int outputs, int first, int count, Span<float> columns)
    {
        Span<float> near = stackalloc float[RowTile * ColumnTile];
        for (int start = 0; start < inputs; start += RowTile)
        {
            int rows = Math.Min(RowTile, inputs - start);
            for (int row = 0; row < rows; row++)
            {
                HalfPrecision.Widen(weight, ((long)(start + row) * outputs) + first, near.Slice(row * ColumnTile, count));
            }

            for (int column = 0; column < count; column++)
            {
                Span<float> target = columns.Slice((column * inputs) + start, rows);
                for (int row = 0; row < target.Length; row++)
                {
                    target[row] = near[(row * ColumnTile) + column];
                }
            }
        }
    }

    /// <summary>Reasons that keep every format which multiplies by a weight matrix from a layer.</summary>
    public string? WhyNoWeightMatrix() => Layer.Kind switch
    {
        LayerKind.ActivationMatMul => "both operands are activations; there is no weight to store in fewer bits",
        LayerKind.Conv or LayerKind.ConvTranspose => "ONNX Runtime has no convolution with weights in this format",
        LayerKind.Embedding => OnlyBlocks,
        LayerKind.Recurrent => "ONNX Runtime has no recurrent operator with weights in this format",
        _ when Layer.WeightShape!.Length != 2 => $"the weight {(Layer.WeightShape.Length == 1 ? "is a vector" : $"has {Layer.WeightShape.Length} dimensions")}; the kernel takes a matrix",
        _ => WhyNotFloat() ?? WhyNotProduct(),
    };

    /// <summary>Formats here compute from and to 32-bit floats; half precision is cast to and from them.</summary>
    public string? WhyNotFloat() =>
        IsEmbedding ? OnlyBlocks
        : Input.ElementType == Weight.ElementType && (Input.ElementType == ElementType.Float || HalfPrecision.IsHalf(Input.ElementType))
            ? null
            : $"the layer computes in {ElementType.Name(Input.ElementType)}; the kernel takes float";

    private string? WhyNotProduct() =>
        Layer.Kind == LayerKind.Gemm && Node.Int("transA", 0) != 0 ? "Gemm transposes its activation (transA)"
        : Input.Rank is null ? "the number of dimensions of its activation is known only from data"
        : Input.Rank < 2 ? "its activation is a vector; the kernel takes a matrix"
        : null;
}
