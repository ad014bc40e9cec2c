using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>A value within a line, to point at.</summary>
internal readonly ref struct JsonPlace(Place line, ReadOnlySpan<byte> text, string key)
{
    private readonly ReadOnlySpan<byte> text = text;

    public string Key { get; } = key;

    /// <summary>The place of the reader's current token; that of the line where the text is not at hand.</summary>
    public Place At(in Utf8JsonReader reader) => text.IsEmpty ? line : JsonLines.At(line, text, reader.TokenStartIndex);
}

/// <summary>Nested JSON arrays of numbers or truth values, or a single one, as a tensor.</summary>
internal static class JsonTensor
{
    private const int MostDimensions = 16;

    /// <summary>Reads the value that the reader stands on; afterwards the reader stands on its last token.</summary>
    /// <param name="isLabel">Whether 1.0 and true are taken for 1.</param>
    public static Tensor Read(ref Utf8JsonReader reader, int elementType, in JsonPlace place, bool isLabel)
    {
        var elements = new ArrayBufferWriter<byte>();
        var sizes = new List<long>();
        var counts = new Stack<long>();
        int? rank = null;
        do
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    if (counts.Count == MostDimensions)
                        throw Errors.DataRagged(place.At(reader), place.Key, $"more than {MostDimensions} levels of arrays");
                    counts.Push(0);
                    if (sizes.Count < counts.Count)
                        sizes.Add(-1);
                    break;
                case JsonTokenType.EndArray:
                    Close(counts, sizes, ref rank, place, reader);
                    Count(counts);
                    break;
                default:
                    if (counts.Count != (rank ??= counts.Count))
                        throw Errors.DataRagged(place.At(reader), place.Key, $"a number at depth {counts.Count} after others at depth {rank}");
                    Element? element = ElementOf(reader);
                    if (element is null || !ElementWriter.TryWrite(isLabel ? element.Value.AsWhole() : element.Value, elementType, elements))
                        throw Errors.DataWrongType(place.At(reader), place.Key, Describe(reader, element), ElementWriter.Expected(elementType));
                    Count(counts);
                    break;
            }
        }
        while (counts.Count > 0 && reader.Read());
        return new Tensor(elementType, [.. sizes], elements.WrittenSpan.ToArray());
    }

    /// <summary>Ends an array: it has to be as long as those before it at its depth, and without items only where others hold numbers.</summary>
    private static void Close(Stack<long> counts, List<long> sizes, ref int? rank, in JsonPlace place, in Utf8JsonReader reader)
    {
        int depth = counts.Count;
        long count = counts.Pop();
        if (count == 0 && depth != (rank ??= depth))
            throw Errors.DataRagged(place.At(reader), place.Key, $"an empty array at depth {depth} where numbers stand at depth {rank}");
        if (sizes[depth - 1] >= 0 && sizes[depth - 1] != count)
            throw Errors.DataRagged(place.At(reader), place.Key, $"an array of {count} after one of {sizes[depth - 1]}");
        sizes[depth - 1] = count;
    }

    private static void Count(Stack<long> counts)
    {
        if (counts.TryPop(out long count))
            counts.Push(count + 1);
    }

    private static Element? ElementOf(in Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.True => Element.OfBoolean(true),
        JsonTokenType.False => Element.OfBoolean(false),
        JsonTokenType.Number when reader.TryGetInt64(out long integer) => Element.OfInteger(integer),
        JsonTokenType.Number when reader.TryGetUInt64(out ulong integer) => Element.OfInteger(integer),
        JsonTokenType.Number when double.TryParse(reader.ValueSpan, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) && double.IsFinite(real) => Element.OfReal(real),
        _ => null,
    };

    private static string Describe(in Utf8JsonReader reader, Element? element) => reader.TokenType switch
    {
        JsonTokenType.Number => Wording.Escape(Encoding.UTF8.GetString(reader.ValueSpan)),
        JsonTokenType.Null => "null",
        JsonTokenType.String => "a text",
        JsonTokenType.StartObject => "an object",
        _ => element?.ToString() ?? "something else",
    };
}
