using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>Reads a model's graph backwards as patterns do: through nodes that change nothing, with shapes as formulas and constants by their values.</summary>
internal sealed class AttentionReader(OnnxModel model, GraphView view, IReadOnlyDictionary<string, TensorType> types)
{
    /// <summary>What was found of a graph, since each of its sub-graphs asks for the same.</summary>
    private static readonly ConditionalWeakTable<GraphView, Facts> Known = [];

    private readonly Facts facts = Known.GetValue(view, v => new Facts(new SymbolicShapes(v, types), []));

    public OnnxModel Model => model;

    public GraphView View => view;

    public IReadOnlyDictionary<string, TensorType> Types => types;

    /// <summary>Shapes of all values.</summary>
    public SymbolicShapes Shapes => facts.Shapes;

    /// <summary>The sizes of a value of this rank, or null.</summary>
    public Size[]? Shape(string value, int rank) => Shapes.Of(value) is { } shape && shape.Length == rank ? shape : null;

    /// <summary>The value itself, or the one that it is another name of: behind Identity, casts to the type it has, and dropouts that drop nothing.</summary>
    public string Behind(string value)
    {
        while (View.Producer(value) is int index && View.Nodes[index] is { Domain: "" or "ai.onnx" } node && node.Output[0] == value
            && (node.OpType is "Identity" || (node.OpType is "Cast" && Types.TryGetValue(node.Input[0], out TensorType? type) && type.ElementType == node.Int("to", 0))))
        {
            value = node.Input[0];
        }

        return value;
    }

    /// <summary>The node of ONNX's own that computes a value, looked for behind nodes that change nothing; null: there is none.</summary>
    public NodeProto? Maker(string value) => View.Producer(Behind(value)) is int index && View.Nodes[index] is { Domain: "" or "ai.onnx" } node && node.Output[0] == Behind(value) ? node : null;

    /// <summary>The same when it is an operator of this type.</summary>
    public NodeProto? Maker(string value, string operatorType) => Maker(value) is { } node && node.OpType == operatorType ? node : null;

    /// <summary>The one number that a scalar holds whatever the sizes and inputs, or null.</summary>
    public double? Number(string value)
    {
        if (Shapes.Of(value) is not { } shape || shape.Any(d => d.Constant != 1))
        {
            return null;
        }

        if (View.Constants.Contains(value))
        {
            return Weights.Read(Model, View, value) is { } constant ? First(constant) : null;
        }

        // A scale that exporters compute from the size of a head at run time: the size is a constant all the same.
        using Computation? computation = Computation.Of(Model, View, Types, Shapes, value);
        return computation is { IsOfSizesAlone: true } && !computation.Symbols.Any() && computation.Run(new Dictionary<string, long>(), (_, _) => throw new InvalidOperationException()) is { } result ? First(result) : null;
    }

    /// <summary>The permutation of a Transpose, or null.</summary>
    public long[]? Permutation(NodeProto? node) => node?.OpType != "Transpose" ? null
        : node.Ints("perm") ?? (Shapes.Of(node.Input[0]) is { } shape ? [.. Enumerable.Range(0, shape.Length).Select(i => (long)(shape.Length - 1 - i))] : null);

    /// <summary>Whether something holds of a value that follows from sizes, constants and inputs; found out once.</summary>
    /// <param name="claim">What is claimed, in words that tell it from all other claims.</param>
    public bool Proven(string value, string claim, Func<Computation, bool> holds) => facts.Proven.GetOrAdd($"{value}\n{claim}", _ => new Lazy<bool>(() =>
    {
        // Sub-graphs are read at once, and most ask this of the same value: all but one wait.
        using Computation? computation = Computation.Of(Model, View, Types, Shapes, value);
        return computation is not null && holds(computation);
    })).Value;

    private static double? First(Tensor tensor) => tensor.Count != 1 ? null : tensor.ElementType switch
    {
        ElementType.Float => tensor.Values<float>()[0],
        ElementType.Double => tensor.Values<double>()[0],
        ElementType.Int64 => tensor.Values<long>()[0],
        ElementType.Int32 => tensor.Values<int>()[0],
        _ => null,
    };

    private sealed record Facts(SymbolicShapes Shapes, ConcurrentDictionary<string, Lazy<bool>> Proven);
}
