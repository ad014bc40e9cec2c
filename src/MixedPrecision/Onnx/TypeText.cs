using MixedPrecision.Diagnostics;

namespace MixedPrecision.Onnx;

/// <summary>Types of values in words, those that are no tensors too.</summary>
public static class TypeText
{
    private const int Deepest = 8;

    /// <summary>For example <c>float [batch, 3]</c>, <c>sequence of float</c>, <c>optional float [?]</c>, <c>map from string to float</c>.</summary>
    public static string Of(TypeProto? type, int depth = 0) => depth > Deepest ? "…" : type?.ValueCase switch
    {
        TypeProto.ValueOneofCase.TensorType => Tensor(type),
        TypeProto.ValueOneofCase.SparseTensorType => $"sparse {ElementType.Name(type.SparseTensorType.ElemType)}",
        TypeProto.ValueOneofCase.SequenceType => $"sequence of {Of(type.SequenceType.ElemType, depth + 1)}",
        TypeProto.ValueOneofCase.OptionalType => $"optional {Of(type.OptionalType.ElemType, depth + 1)}",
        TypeProto.ValueOneofCase.MapType => $"map from {ElementType.Name(type.MapType.KeyType)} to {Of(type.MapType.ValueType, depth + 1)}",
        _ => "unknown type",
    };

    private static string Tensor(TypeProto type)
    {
        TensorType tensor = TensorType.Read(type);
        string shape = tensor.Shape is null ? "" : $" [{string.Join(", ", tensor.Shape.Select(d => Wording.Escape(d.ToString())))}]";
        return ElementType.Name(tensor.ElementType) + shape;
    }
}
