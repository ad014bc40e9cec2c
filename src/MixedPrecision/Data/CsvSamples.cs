using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>Samples as rows of a table: a cell is a number, a truth value, or nested JSON arrays. Axes that stand before those of a cell, such as the batch, are added.</summary>
internal static class CsvSamples
{
    private const int MostClasses = 100_000;

    /// <param name="format">How text becomes samples.</param>
    /// <param name="classes">Names of the classes in their order, by label; of labels that are numbers there are none.</param>
    public static IEnumerable<Sample> Read(string path, string displayName, WantedValues wanted, DataFormat format, IReadOnlyDictionary<string, IReadOnlyList<string>> classes)
    {
        CsvRow? header = null;
        CsvColumns columns = null!;
        TextInputs? text = null;
        foreach (CsvRow row in CsvRows.Read(path, displayName))
        {
            if (header is null)
            {
                columns = CsvColumns.Of(header = row, displayName, wanted, format.Text);
                text = columns.Text is null ? null : new TextInputs(wanted.Inputs, format.Text!, format, displayName);
                continue;
            }

            var place = new Place(displayName, row.Line);
            if (row.Fields.Length != header.Fields.Length)
            {
                throw Errors.DataNotTable(place, $"{row.Fields.Length} {(row.Fields.Length == 1 ? "field" : "fields")} in a table of {header.Fields.Length} columns");
            }

            Dictionary<string, Tensor> values = text is not null ? text.Of(row.Fields[columns.Text!.Value], place)
                : columns.Row is { } all ? new() { [wanted.Inputs[0].Name] = Row(row, all, header, wanted.Inputs[0], place) }
                : columns.Inputs.ToDictionary(c => c.Key, c => Value(row.Fields[c.Value], wanted.Inputs.First(i => i.Name == c.Key), place));
            foreach ((string label, int column) in columns.Labels)
            {
                values[label] = Label(row.Fields[column], label, classes.GetValueOrDefault(label), place);
            }

            yield return wanted.Sample(string.Create(CultureInfo.InvariantCulture, $"{displayName}:{row.Line}"), values, header.Fields, place);
        }
    }

    /// <summary>The header's names; none where the file is empty.</summary>
    public static IReadOnlyList<string> Columns(string path, string displayName) => CsvRows.Read(path, displayName).FirstOrDefault() is { } header ? [.. header.Fields.Select(f => f.Trim())] : [];

    /// <summary>The different texts of a column of labels; none where all are whole numbers or JSON.</summary>
    public static IReadOnlyCollection<string> ClassesOf(string path, string displayName, string label)
    {
        int column = -1;
        var classes = new HashSet<string>(StringComparer.Ordinal);
        bool isNamed = false;
        foreach (CsvRow row in CsvRows.Read(path, displayName))
        {
            if (column < 0)
            {
                column = Array.FindIndex(row.Fields, f => f.Trim() == label);
                if (column < 0)
                {
                    return [];
                }
            }
            else if (column < row.Fields.Length && row.Fields[column].Trim() is { Length: > 0 } name)
            {
                isNamed |= name[0] != '[' && ElementOf(name) is null;
                classes.Add(name);
                if (isNamed && classes.Count > MostClasses)
                {
                    throw Errors.DataLabelsInvalid(new Place(displayName, row.Line), $"more than {MostClasses} different texts in the column {Wording.Quote(label)}");
                }
            }
        }

        return isNamed ? classes : [];
    }

    private static Tensor Row(CsvRow row, IReadOnlyList<int> columns, CsvRow header, InputDeclaration input, Place place)
    {
        var elements = new ArrayBufferWriter<byte>();
        foreach (int column in columns)
        {
            Append(row.Fields[column].Trim(), input.Type.ElementType, header.Fields[column], place, elements);
        }

        return new Tensor(input.Type.ElementType, [.. Enumerable.Repeat(1L, input.Type.Rank!.Value - 1), columns.Count], elements.WrittenSpan.ToArray());
    }

    /// <summary>A cell as the value of an input.</summary>
    private static Tensor Value(string cell, InputDeclaration input, Place place)
    {
        Tensor value = Read(cell.Trim(), input.Type.ElementType, input.Name, place, isLabel: false);
        int added = Math.Max(0, (input.Type.Rank ?? 0) - value.Rank);
        return new Tensor(value.ElementType, [.. Enumerable.Repeat(1L, added), .. value.Shape], value.Bytes);
    }

    private static Tensor Label(string cell, string label, IReadOnlyList<string>? classes, Place place)
    {
        string text = cell.Trim();
        if (classes is not null)
        {
            int index = classes.ToList().IndexOf(text);
            return index >= 0 ? Tensor.Of<long>([index], 1) : throw Errors.DataLabelsInvalid(place, $"{Wording.Quote(text)} in the column {Wording.Quote(label)}");
        }

        Tensor value = Read(text, ElementType.Int64, label, place, isLabel: true);
        return value.Rank == 0 ? new Tensor(value.ElementType, [1], value.Bytes) : value;
    }

    private static Tensor Read(string text, int elementType, string key, Place place, bool isLabel)
    {
        if (!text.StartsWith('['))
        {
            var elements = new ArrayBufferWriter<byte>();
            Append(text, elementType, key, place, elements, isLabel);
            return new Tensor(elementType, [], elements.WrittenSpan.ToArray());
        }

        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text));
        try
        {
            reader.Read();
            Tensor value = JsonTensor.Read(ref reader, elementType, new JsonPlace(place, [], key), isLabel);
            return !reader.Read() ? value : throw new JsonException();
        }
        catch (JsonException)
        {
            throw Errors.DataWrongType(place, key, Wording.Quote(text), "nested arrays of numbers as in JSON");
        }
    }

    private static void Append(string text, int elementType, string key, Place place, ArrayBufferWriter<byte> elements, bool isLabel = false)
    {
        Element? element = ElementOf(text);
        if (element is null || !ElementWriter.TryWrite(isLabel ? element.Value.AsWhole() : element.Value, elementType, elements))
        {
            throw Errors.DataWrongType(place, key, text.Length == 0 ? "an empty cell" : Wording.Quote(text), ElementWriter.Expected(elementType));
        }
    }

    private static Element? ElementOf(string text) =>
        bool.TryParse(text, out bool truth) ? Element.OfBoolean(truth)
        : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer) ? Element.OfInteger(integer)
        : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong large) ? Element.OfInteger(large)
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) && double.IsFinite(real) ? Element.OfReal(real)
        : null;
}
