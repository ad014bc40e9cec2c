using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>A truth value or number as the data gives it, before it takes the model's element type.</summary>
internal readonly record struct Element(ElementKind Kind, Int128 Integer, double Real)
{
    public static Element OfBoolean(bool value) => new(ElementKind.Boolean, value ? 1 : 0, 0);

    public static Element OfInteger(Int128 value) => new(ElementKind.Integer, value, (double)value);

    public static Element OfReal(double value) => new(ElementKind.Real, 0, value);

    /// <summary>A truth value, or a number without a fraction, as an integer; what else it is stays. Labels are written in any of these.</summary>
    public Element AsWhole() => Kind switch
    {
        ElementKind.Boolean => OfInteger(Integer),
        ElementKind.Real when Real == Math.Truncate(Real) && Math.Abs(Real) < 1L << 53 => OfInteger((Int128)Real),
        _ => this,
    };

    public override string ToString() => Kind switch
    {
        ElementKind.Boolean => Integer == 0 ? "false" : "true",
        ElementKind.Integer => Integer.ToString(CultureInfo.InvariantCulture),
        _ => Real.ToString("R", CultureInfo.InvariantCulture),
    };
}

internal enum ElementKind
{
    Boolean,
    Integer,
    Real,
}

/// <summary>Writes elements in the types that model inputs have; nothing is rounded but floating-point numbers.</summary>
internal static class ElementWriter
{
    private static readonly Dictionary<int, (Int128 Least, Int128 Most)> Integers = new()
    {
        [ElementType.Int8] = (sbyte.MinValue, sbyte.MaxValue),
        [ElementType.UInt8] = (byte.MinValue, byte.MaxValue),
        [ElementType.Int16] = (short.MinValue, short.MaxValue),
        [ElementType.UInt16] = (ushort.MinValue, ushort.MaxValue),
        [ElementType.Int32] = (int.MinValue, int.MaxValue),
        [ElementType.UInt32] = (uint.MinValue, uint.MaxValue),
        [ElementType.Int64] = (long.MinValue, long.MaxValue),
        [ElementType.UInt64] = (ulong.MinValue, ulong.MaxValue),
        [ElementType.Bool] = (0, 1),
    };

    /// <summary>Whether data files can give elements of this type.</summary>
    public static bool Supports(int elementType) => Integers.ContainsKey(elementType) || ElementType.IsFloating(elementType);

    /// <summary>Appends an element in a type; false, and nothing appended, when the type cannot hold it.</summary>
    public static bool TryWrite(Element element, int elementType, IBufferWriter<byte> output)
    {
        int size = ElementType.BitsOf(elementType) / 8;
        Span<byte> bytes = stackalloc byte[16];
        if (Integers.TryGetValue(elementType, out (Int128 Least, Int128 Most) range))
        {
            bool right = element.Kind == ElementKind.Integer || (element.Kind == ElementKind.Boolean && elementType == ElementType.Bool);
            if (!right || element.Integer < range.Least || element.Integer > range.Most)
                return false;
            BinaryPrimitives.WriteInt128LittleEndian(bytes, element.Integer);
        }
        else if (element.Kind == ElementKind.Boolean || !TryWriteReal(element.Real, elementType, bytes))
        {
            return false;
        }

        output.Write(bytes[..size]);
        return true;
    }

    /// <summary>What a type takes, for messages.</summary>
    public static string Expected(int elementType) => elementType switch
    {
        ElementType.Bool => "true or false",
        _ when Integers.TryGetValue(elementType, out (Int128 Least, Int128 Most) range) =>
            $"a whole number ({ElementType.Name(elementType)}, {range.Least.ToString(CultureInfo.InvariantCulture)} to {range.Most.ToString(CultureInfo.InvariantCulture)})",
        _ => $"a number ({ElementType.Name(elementType)})",
    };

    /// <summary>False for what is no number, and for a finite number that would become infinite.</summary>
    private static bool TryWriteReal(double value, int elementType, Span<byte> bytes)
    {
        switch (elementType)
        {
            case ElementType.Double:
                BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
                return !double.IsNaN(value);
            case ElementType.Float:
                BinaryPrimitives.WriteSingleLittleEndian(bytes, (float)value);
                return double.IsFinite(value) == float.IsFinite((float)value) && !double.IsNaN(value);
            case ElementType.Float16:
                BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)value);
                return double.IsFinite(value) == Half.IsFinite((Half)value) && !double.IsNaN(value);
            default:
                float rounded = WriteBFloat16((float)value, bytes);
                return double.IsFinite(value) == float.IsFinite(rounded) && !double.IsNaN(value);
        }
    }

    /// <summary>Rounds to nearest, ties to even; a bfloat16 is the upper half of a single.</summary>
    private static float WriteBFloat16(float value, Span<byte> bytes)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint upper = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)upper);
        return BitConverter.UInt32BitsToSingle(upper << 16);
    }
}
