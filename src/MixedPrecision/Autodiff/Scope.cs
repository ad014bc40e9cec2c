using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff;

/// <summary>What one walk over one graph shares between its nodes: types, constants, gradients gathered so far.</summary>
internal sealed class Scope(
    GraphView view,
    IReadOnlyDictionary<string, TensorType> types,
    GraphBuilder builder,
    IReadOnlySet<string> wanted,
    SmallConstants constants)
{
    private static readonly TensorType Unknown = new(0, null);
    private readonly Dictionary<string, string> shapes = [];
    private readonly Dictionary<string, List<string>> gradients = [];

    public GraphView View => view;

    public GraphBuilder Builder => builder;

    public IReadOnlyDictionary<string, TensorType> Types => types;

    public bool IsWanted(string value) => wanted.Contains(value);

    public TensorType Type(string value) => types.GetValueOrDefault(value, Unknown);

    public SmallConstants Constants => constants;

    public string ShapeOf(string value)
    {
        if (Type(value).StaticShape() is { } known)
        {
            return builder.Integers(known);
        }

        if (!shapes.TryGetValue(value, out string? shape))
        {
            shapes.Add(value, shape = builder.Shape(value));
        }

        return shape;
    }

    public void Accumulate(string value, string gradient)
    {
        if (!gradients.TryGetValue(value, out List<string>? parts))
        {
            gradients.Add(value, parts = []);
        }

        parts.Add(gradient);
    }

    /// <summary>The sum of what has reached a value, or null when nothing did.</summary>
    public string? Gradient(string value)
    {
        if (!gradients.TryGetValue(value, out List<string>? parts))
        {
            return null;
        }

        if (parts.Count > 1)
        {
            gradients[value] = parts = [builder.Sum(parts)];
        }

        return parts[0];
    }
}
