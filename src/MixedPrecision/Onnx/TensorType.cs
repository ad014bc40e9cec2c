using System.Text.Json.Serialization;

namespace MixedPrecision.Onnx;

/// <summary>One dimension of a declared shape: a size, a symbol (e.g. "batch"), or neither when nothing is known.</summary>
public readonly record struct Dimension(long? Size, string? Symbol)
{
    public static readonly Dimension Unknown = new(null, null);

    public static Dimension Of(long size) => new(size, null);

    public override string ToString() => Size?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? Symbol ?? "?";
}

/// <summary>What is known of a value before it is computed.</summary>
/// <param name="ElementType">A constant of <see cref="Onnx.ElementType"/>, or 0 when the value is no tensor.</param>
/// <param name="Shape">The dimensions, or null when not even the rank is known.</param>
public sealed record TensorType(int ElementType, IReadOnlyList<Dimension>? Shape)
{
    [JsonIgnore]
    public int? Rank => Shape?.Count;

    /// <summary>The sizes when all are known, else null.</summary>
    public long[]? StaticShape() =>
        Shape is not null && Shape.All(d => d.Size is not null) ? [.. Shape.Select(d => d.Size!.Value)] : null;

    public static TensorType Of(Tensor tensor) => new(tensor.ElementType, [.. tensor.Shape.Select(Dimension.Of)]);

    public static TensorType Read(TypeProto? type)
    {
        if (type?.TensorType is not { } tensor)
        {
            return new TensorType(0, null);
        }

        return new TensorType(tensor.ElemType, tensor.Shape?.Dim.Select(d => d.ValueCase switch
        {
            TensorShapeProto.Types.Dimension.ValueOneofCase.DimValue => Dimension.Of(d.DimValue),
            TensorShapeProto.Types.Dimension.ValueOneofCase.DimParam when d.DimParam.Length > 0 => new Dimension(null, d.DimParam),
            _ => Dimension.Unknown,
        }).ToArray());
    }

    /// <summary>The declaration of a value of this type.</summary>
    public ValueInfoProto ToProto(string name)
    {
        var tensor = new TypeProto.Types.Tensor { ElemType = ElementType };
        if (Shape is not null)
        {
            tensor.Shape = new TensorShapeProto();
            foreach (Dimension dimension in Shape)
            {
                var proto = new TensorShapeProto.Types.Dimension();
                if (dimension.Size is long size)
                {
                    proto.DimValue = size;
                }
                else if (dimension.Symbol is not null)
                {
                    proto.DimParam = dimension.Symbol;
                }

                tensor.Shape.Dim.Add(proto);
            }
        }

        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = tensor } };
    }

    public override string ToString() =>
        $"{Onnx.ElementType.Name(ElementType)} {(Shape is null ? "of unknown rank" : $"[{string.Join(", ", Shape)}]")}";
}
