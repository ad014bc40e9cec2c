using System.Globalization;
using System.Text;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>Samples as lines of text, which a tokenizer makes the model's inputs of; blank lines are passed over. A label stands after the last tab of a line.</summary>
internal static class TextLines
{
    private const int LongestLine = 1 << 20;

    public static IEnumerable<Sample> Read(string path, string displayName, WantedValues wanted, DataFormat format)
    {
        if (format.Text is not { } text)
            throw Errors.DataTokenizerNotNamed(displayName);
        var inputs = new TextInputs(wanted.Inputs, text, format, displayName);
        string[] keys = [.. wanted.Names.Where(name => wanted.Inputs.All(input => input.Name != name))];
        foreach ((int number, string line) in ReadLines(path, displayName).Where(l => !string.IsNullOrWhiteSpace(l.Line)))
        {
            var place = new Place(displayName, number);
            string content = line;
            Tensor? label = null;
            if (keys.Length > 0)
            {
                int tab = line.LastIndexOf('\t');
                if (tab < 0 || !long.TryParse(line.AsSpan(tab + 1).Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
                    throw Errors.DataLabelsInvalid(place, "no whole number after a tab at the end of the line, the label");
                (content, label) = (line[..tab], Tensor.Of<long>([value], 1));
            }

            Dictionary<string, Tensor> values = inputs.Of(content, place);
            foreach (string key in keys)
                values[key] = label!;
            yield return wanted.Sample($"{displayName}:{number}", values, values.Keys, place);
        }
    }

    /// <summary>The lines of a text in UTF-8, numbered from 1; none is longer than a million characters.</summary>
    public static IEnumerable<(int Number, string Line)> ReadLines(string path, string displayName)
    {
        using var reader = new StreamReader(path, new UTF8Encoding(false, true));
        var line = new StringBuilder();
        int number = 1;
        while (true)
        {
            int next = Next(reader, displayName, number);
            if (next is '\n' or -1)
            {
                if (next == -1 && line.Length == 0)
                    yield break;
                yield return (number, line.ToString().TrimEnd('\r'));
                line.Clear();
                number++;
            }
            else if (line.Length >= LongestLine)
            {
                throw Errors.DataUnreadable(new Place(displayName, number), "the line is longer than a million characters");
            }
            else
            {
                line.Append((char)next);
            }

            if (next == -1)
                yield break;
        }
    }

    private static int Next(StreamReader reader, string displayName, int number)
    {
        try
        {
            return reader.Read();
        }
        catch (DecoderFallbackException)
        {
            throw Errors.DataUnreadable(new Place(displayName, number), "the text is not valid UTF-8 here or soon after");
        }
    }
}
