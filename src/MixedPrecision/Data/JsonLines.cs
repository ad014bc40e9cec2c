using System.Text;
using System.Text.Json;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>Samples as JSON lines: an object a line, blank lines between them allowed. Only one line is in memory at a time.</summary>
internal static class JsonLines
{
    private const int LongestLine = 64 << 20;

    public static IEnumerable<Sample> Read(string path, string displayName, WantedValues wanted)
    {
        using FileStream stream = File.OpenRead(path);
        int number = 0;
        foreach (ReadOnlyMemory<byte> line in Lines(stream, displayName))
        {
            number++;
            ReadOnlyMemory<byte> text = number == 1 && line.Span.StartsWith(Encoding.UTF8.Preamble) ? line[3..] : line;
            if (text.Span.IndexOfAnyExcept(" \t\r"u8) >= 0)
                yield return Sample(text.Span, new Place(displayName, number), wanted);
        }
    }

    /// <summary>Keys of the first sample; none when its line is not what it should be.</summary>
    public static IReadOnlyList<string> Keys(string path, string displayName)
    {
        using FileStream stream = File.OpenRead(path);
        foreach (ReadOnlyMemory<byte> line in Lines(stream, displayName))
        {
            ReadOnlyMemory<byte> text = line.Span.StartsWith(Encoding.UTF8.Preamble) ? line[3..] : line;
            if (text.Span.IndexOfAnyExcept(" \t\r"u8) < 0)
                continue;
            try
            {
                using JsonDocument document = JsonDocument.Parse(text);
                return document.RootElement.ValueKind == JsonValueKind.Object ? [.. document.RootElement.EnumerateObject().Select(p => p.Name)] : [];
            }
            catch (JsonException)
            {
                return [];
            }
        }

        return [];
    }

    private static Sample Sample(ReadOnlySpan<byte> line, Place place, WantedValues wanted)
    {
        var values = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        var found = new HashSet<string>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(line);
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw Errors.DataNotJson(At(place, line, reader.TokenStartIndex), "a line is an object, { \"input\": [...], ... }");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                Place keyPlace = At(place, line, reader.TokenStartIndex);
                string key = reader.GetString()!;
                if (!found.Add(key))
                    throw Errors.DataNotJson(keyPlace, $"the key {Wording.Quote(key)} stands twice in the line");
                reader.Read();
                if (wanted.Names.Contains(key))
                    values.Add(key, JsonTensor.Read(ref reader, wanted.TypeOf(key), new JsonPlace(place, line, key), wanted.IsLabel(key)));
                else
                    reader.Skip();
            }

            reader.Read();
        }
        catch (JsonException e)
        {
            throw Errors.DataNotJson(At(place, line, e.BytePositionInLine ?? 0), Reason(e));
        }
        catch (InvalidOperationException)
        {
            throw Errors.DataNotJson(At(place, line, reader.TokenStartIndex), "a text is not valid UTF-8");
        }

        return wanted.Sample($"{place.File}:{place.Line}", values, found, place);
    }

    /// <summary>A place in a line, its column counted in characters.</summary>
    internal static Place At(Place line, ReadOnlySpan<byte> text, long index) =>
        line with { Column = Encoding.UTF8.GetCharCount(text[..(int)Math.Min(index, text.Length)]) + 1 };

    /// <summary>The library's message without its position, which the place gives.</summary>
    private static string Reason(JsonException e)
    {
        int position = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return Wording.Escape((position < 0 ? e.Message : e.Message[..position]).TrimEnd('.'));
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Lines(Stream stream, string displayName)
    {
        byte[] buffer = new byte[1 << 16];
        int start = 0;
        int end = 0;
        int number = 1;
        while (true)
        {
            int length = buffer.AsSpan(start, end - start).IndexOf((byte)'\n');
            if (length >= 0)
            {
                yield return buffer.AsMemory(start, length);
                start += length + 1;
                number++;
                continue;
            }

            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
            if (end > LongestLine)
                throw Errors.DataUnreadable(new Place(displayName, number), "the line is longer than 64 MB; write one sample a line, or use .npz");
            if (end == buffer.Length)
                Array.Resize(ref buffer, buffer.Length * 2);
            int read = stream.Read(buffer, end, buffer.Length - end);
            end += read;
            if (read == 0)
                break;
        }

        if (end > start)
            yield return buffer.AsMemory(start, end - start);
    }
}
