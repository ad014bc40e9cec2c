using MixedPrecision.Onnx;

namespace MixedPrecision.Structures.Shapes;

/// <summary>
/// Shapes of all values of a model's main graph as formulas of its inputs' sizes, and what its small integer vectors (targets of Reshape, lengths) hold, also as formulas. One pass over
/// the nodes in order; a size that no rule finds is a symbol of its own. They hold for the sizes for which the model runs: where operands are added, for instance, a symbol stands for the other.
/// </summary>
public sealed class SymbolicShapes
{
    /// <summary>Vectors up to this length are followed.</summary>
    internal const int MostElements = 16;

    private readonly Dictionary<string, Size[]> shapes = [];
    private readonly Dictionary<string, Size?[]> elements = [];
    private readonly SmallConstants constants;

    /// <param name="types">Types of all values of the model.</param>
    public SymbolicShapes(GraphView view, IReadOnlyDictionary<string, TensorType> types)
    {
        constants = new SmallConstants(view.Graph);
        foreach ((string name, TensorType type) in types.Where(t => view.Producer(t.Key) is null))
        {
            Set(name, type, null);
        }

        foreach (NodeProto node in view.Nodes)
        {
            IReadOnlyList<Size?[]?> found = ShapeRules.Of(this, node);
            for (int output = 0; output < node.Output.Count; output++)
            {
                string name = node.Output[output];
                if (name.Length > 0 && (types.TryGetValue(name, out TensorType? type) || found.ElementAtOrDefault(output) is not null))
                {
                    Set(name, type, found.ElementAtOrDefault(output));
                }
            }

            if (node.Output.Count > 0 && ElementRules.Of(this, node) is { Length: <= MostElements } content)
            {
                elements[node.Output[0]] = content;
            }
        }
    }

    /// <summary>The sizes of a value, or null when its rank is not known.</summary>
    public Size[]? Of(string value) => shapes.GetValueOrDefault(value);

    /// <summary>The integers that a scalar or a short vector holds, null for those that are not known; null when none is.</summary>
    public Size?[]? Elements(string value) =>
        elements.GetValueOrDefault(value) ?? (constants.Find(value) is { Rank: <= 1, Count: <= MostElements } ? constants.Integers(value)?.Select(Size.Of).ToArray() : null);

    /// <summary>The integers of a constant, or null.</summary>
    internal long[]? Constants(string value) => Elements(value)?.Select(e => e?.Constant).ToArray() is { } known && known.All(e => e is not null) ? [.. known.Select(e => e!.Value)] : null;

    private void Set(string name, TensorType? type, Size?[]? found)
    {
        Size Size(int axis, Dimension declared) => declared.Size is long size ? Shapes.Size.Of(size) : found?[axis] ?? Shapes.Size.Of(declared.Symbol ?? $"{name}.{axis}");
        if (type?.Shape is { } shape && (found is null || found.Length == shape.Count))
        {
            shapes[name] = [.. shape.Select((d, axis) => Size(axis, d))];
        }
        else if (found is not null)
        {
            shapes[name] = [.. found.Select((_, axis) => Size(axis, Dimension.Unknown))];
        }
    }
}
