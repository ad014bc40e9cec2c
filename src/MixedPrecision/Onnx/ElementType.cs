namespace MixedPrecision.Onnx;

/// <summary>Element types of ONNX tensors, by the numbers of TensorProto.DataType (ONNX specification, onnx.proto).</summary>
public static class ElementType
{
    public const int Float = 1;
    public const int UInt8 = 2;
    public const int Int8 = 3;
    public const int UInt16 = 4;
    public const int Int16 = 5;
    public const int Int32 = 6;
    public const int Int64 = 7;
    public const int String = 8;
    public const int Bool = 9;
    public const int Float16 = 10;
    public const int Double = 11;
    public const int UInt32 = 12;
    public const int UInt64 = 13;
    public const int Complex64 = 14;
    public const int Complex128 = 15;
    public const int BFloat16 = 16;
    public const int Float8E4M3 = 17;
    public const int Float8E5M2 = 19;
    public const int UInt4 = 21;
    public const int Int4 = 22;

    private static readonly string[] Names =
    [
        "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "double", "uint32",
        "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
        "float4e2m1", "float8e8m0", "uint2", "int2",
    ];

    private static readonly int[] Bits = [0, 32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64, 128, 16, 8, 8, 8, 8, 4, 4, 4, 8, 2, 2];

    /// <summary>The name the ONNX specification uses, e.g. "float".</summary>
    public static string Name(int elementType) =>
        elementType >= 0 && elementType < Names.Length ? Names[elementType] : $"element type {elementType}";

    /// <summary>Bits per element, less than 8 where several share a byte; 0 for types without a fixed size (strings, undefined, unknown).</summary>
    public static int BitsOf(int elementType) => elementType >= 0 && elementType < Bits.Length ? Bits[elementType] : 0;

    /// <summary>Floating types, the ones gradients flow through.</summary>
    public static bool IsFloating(int elementType) => elementType is Float or Double or Float16 or BFloat16;

    /// <summary>The ONNX element type of a .NET type. Throws for types without one.</summary>
    public static int Of<T>() where T : unmanaged => default(T) switch
    {
        float => Float,
        double => Double,
        long => Int64,
        int => Int32,
        short => Int16,
        sbyte => Int8,
        byte => UInt8,
        ushort => UInt16,
        uint => UInt32,
        ulong => UInt64,
        bool => Bool,
        Half => Float16,
        _ => throw new ArgumentException($"{typeof(T)} is no ONNX element type"),
    };
}
