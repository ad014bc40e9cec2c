using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Data;

/// <summary>The header of an .npy file, format versions 1 to 3 (NumPy enhancement proposal 1): what its bytes mean.</summary>
/// <param name="ElementType">The element type in ONNX's numbers.</param>
/// <param name="IsFortranOrder">Whether the first axis, not the last, runs fastest.</param>
/// <param name="Shape">The sizes; the first axis is the sample.</param>
internal sealed partial record NumpyHeader(int ElementType, bool IsFortranOrder, long[] Shape)
{
    private const int LargestHeader = 1 << 16;

    private static readonly Dictionary<string, int> ElementTypes = new(StringComparer.Ordinal)
    {
        ["b1"] = Onnx.ElementType.Bool,
        ["i1"] = Onnx.ElementType.Int8,
        ["i2"] = Onnx.ElementType.Int16,
        ["i4"] = Onnx.ElementType.Int32,
        ["i8"] = Onnx.ElementType.Int64,
        ["u1"] = Onnx.ElementType.UInt8,
        ["u2"] = Onnx.ElementType.UInt16,
        ["u4"] = Onnx.ElementType.UInt32,
        ["u8"] = Onnx.ElementType.UInt64,
        ["f2"] = Onnx.ElementType.Float16,
        ["f4"] = Onnx.ElementType.Float,
        ["f8"] = Onnx.ElementType.Double,
    };

    /// <summary>Number of samples.</summary>
    public long Rows => Shape[0];

    /// <summary>The shape of one sample.</summary>
    public long[] RowShape => Shape[1..];

    /// <summary>Bytes of one element.</summary>
    public int ElementSize => Onnx.ElementType.BitsOf(ElementType) / 8;

    /// <summary>Reads the header; the stream then stands at the data.</summary>
    /// <param name="stream">The .npy file.</param>
    /// <param name="file">The file for messages.</param>
    /// <param name="array">The array's name for messages.</param>
    public static NumpyHeader Read(Stream stream, string file, string array)
    {
        byte[] start = NumpyData.ReadBytes(stream, 8, file, array);
        if (start[0] != 0x93 || !start.AsSpan(1, 5).SequenceEqual("NUMPY"u8))
            throw Errors.DataNotNumpy(file, $"{Wording.Quote(array)} does not start like an .npy file");
        if (start[6] is < 1 or > 3)
            throw Errors.DataNotNumpy(file, $"{Wording.Quote(array)} has the format version {start[6]}; 1 to 3 are read");
        uint length = start[6] == 1
            ? BinaryPrimitives.ReadUInt16LittleEndian(NumpyData.ReadBytes(stream, 2, file, array))
            : BinaryPrimitives.ReadUInt32LittleEndian(NumpyData.ReadBytes(stream, 4, file, array));
        if (length > LargestHeader)
            throw Errors.DataNotNumpy(file, $"{Wording.Quote(array)} has a header of {length} bytes");
        return Parse(Encoding.UTF8.GetString(NumpyData.ReadBytes(stream, length, file, array)), file, array);
    }

    private static NumpyHeader Parse(string text, string file, string array)
    {
        Match type = TypePattern().Match(text);
        Match order = OrderPattern().Match(text);
        Match sizes = ShapePattern().Match(text);
        if (!order.Success || !sizes.Success)
            throw Errors.DataNotNumpy(file, $"{Wording.Quote(array)} has a damaged header, {Wording.Quote(text.TrimEnd())}");
        if (!type.Success || type.Groups[1].ValueSpan is ">" || !ElementTypes.TryGetValue(type.Groups[2].Value, out int elementType))
        {
            throw Errors.DataNotNumpy(file, $"{Wording.Quote(array)} has elements of the type {Wording.Quote(type.Success ? type.Groups[1].Value + type.Groups[2].Value : text.TrimEnd())}; "
                + "little-endian numbers (f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8) and b1 are read");
        }

        string[] parts = sizes.Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var shape = new long[parts.Length];
        bool valid = parts.Length > 0;
        for (int i = 0; i < parts.Length; i++)
            valid &= long.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out shape[i]);
        if (!valid || !Fits(shape))
            throw Errors.DataNotNumpy(file, $"{Wording.Quote(array)} has the shape ({Wording.Escape(sizes.Groups[1].Value)}); its first axis has to be the sample, and one sample less than 2 GB");
        return new NumpyHeader(elementType, order.Groups[1].ValueSpan is "True", shape);
    }

    /// <summary>Whether the whole array has a 64-bit size and one sample fits into one array of ours.</summary>
    private static bool Fits(long[] shape)
    {
        Int128 row = 1;
        foreach (long size in shape.AsSpan(1))
        {
            row *= size;
            if (row > int.MaxValue / 16)
                return false;
        }

        return row * shape[0] < long.MaxValue / 16;
    }

    [GeneratedRegex(@"'descr'\s*:\s*'([<>|=]?)([a-zA-Z][0-9]+)'", RegexOptions.CultureInvariant)]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"'fortran_order'\s*:\s*(True|False)", RegexOptions.CultureInvariant)]
    private static partial Regex OrderPattern();

    [GeneratedRegex(@"'shape'\s*:\s*\(([0-9,\s]*)\)", RegexOptions.CultureInvariant)]
    private static partial Regex ShapePattern();
}
