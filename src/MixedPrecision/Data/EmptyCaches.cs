using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>
/// Inputs for the keys and values that a decoder kept of earlier tokens. At the first token there are none: such an input is empty along the axis of positions, and data need
/// not give it.
/// </summary>
internal static class EmptyCaches
{
    /// <summary>Whether an input is a cache, by its name and type.</summary>
    public static bool IsCache(InputDeclaration input) =>
        input.Name.Contains("past", StringComparison.OrdinalIgnoreCase) && ElementType.IsFloating(input.Type.ElementType);

    /// <summary>The value of a cache that holds no position, such as [batch, heads, 0, size]; null when the declared shape has no axis that could be empty.</summary>
    /// <param name="sizeOf">Size of a symbolic dimension, where another input of the sample tells it.</param>
    public static Tensor? Of(InputDeclaration input, Func<string, long?> sizeOf)
    {
        if (!IsCache(input) || input.Type.Shape is not { } declared)
        {
            return null;
        }

        long[] shape = [.. declared.Select((d, axis) => d.Size is > 0 and long size ? size : (d.Symbol is null ? null : sizeOf(d.Symbol)) ?? (axis == 0 ? 1 : 0))];
        return shape.Contains(0) ? new Tensor(input.Type.ElementType, shape, ReadOnlyMemory<byte>.Empty) : null;
    }
}
