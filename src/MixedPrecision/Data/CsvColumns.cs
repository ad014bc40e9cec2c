using System.Globalization;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Data;

/// <summary>Which columns of a table give what the model takes.</summary>
/// <param name="Inputs">The column of each input; empty where inputs come from <paramref name="Row"/> or <paramref name="Text"/>.</param>
/// <param name="Row">The columns whose numbers are, in their order, the model's one input; or null.</param>
/// <param name="Text">The column of text that a tokenizer makes the inputs of, or null.</param>
/// <param name="Labels">The column of each label.</param>
/// <param name="Unused">Names of the columns that nothing is taken from.</param>
internal sealed record CsvColumns(
    IReadOnlyDictionary<string, int> Inputs, IReadOnlyList<int>? Row, int? Text, IReadOnlyDictionary<string, int> Labels, IReadOnlyList<string> Unused)
{
    /// <summary>What columns of text are called.</summary>
    private static readonly string[] NamesOfText = ["text", "sentence", "content", "prompt", "question"];

    /// <param name="header">The table's first row.</param>
    /// <param name="text">How text becomes tokens, or null: there is no tokenizer.</param>
    /// <exception cref="MixedPrecisionException">MPB3006: a column is missing. MPB3020: two columns have one name. MPB3015: the columns are text, and there is no tokenizer.</exception>
    public static CsvColumns Of(CsvRow header, string displayName, WantedValues wanted, TextPolicy? text)
    {
        string[] names = [.. header.Fields.Select(name => name.Trim())];
        var place = new Place(displayName, header.Line);
        if (names.GroupBy(name => name).FirstOrDefault(g => g.Count() > 1 && g.Key.Length > 0) is { } twice)
        {
            throw Errors.DataNotTable(place, $"two columns {Wording.Quote(twice.Key)}");
        }

        string[] keys = [.. wanted.Names.Where(name => wanted.Inputs.All(input => input.Name != name))];
        Dictionary<string, int> labels = keys.ToDictionary(key => key, key => Array.IndexOf(names, key) is >= 0 and var column ? column : throw wanted.Missing(key, names, place));
        int[] others = [.. Enumerable.Range(0, names.Length).Where(column => !labels.ContainsValue(column))];
        CsvColumns Found(IReadOnlyDictionary<string, int> inputs, IReadOnlyList<int>? row, int? column) =>
            new(inputs, row, column, labels, [.. others.Where(c => !inputs.Values.Contains(c) && row is null && c != column).Select(c => names[c])]);

        if (wanted.Inputs.Any(input => names.Contains(input.Name)))
        {
            InputDeclaration? missing = wanted.Inputs.FirstOrDefault(input => !names.Contains(input.Name) && !wanted.MayLack(input.Name));
            return missing is not null ? throw wanted.Missing(missing.Name, names, place)
                : Found(wanted.Inputs.Where(input => names.Contains(input.Name)).ToDictionary(input => input.Name, input => Array.IndexOf(names, input.Name)), null, null);
        }

        if (wanted.Inputs is [{ Type.Shape: [.., { Size: { } width }] } shape] && shape.Type.Shape!.SkipLast(1).All(d => d.Size is null or 1) && width == others.Length)
        {
            return Found(new Dictionary<string, int>(), others, null);
        }

        int? ofText = others is [var only] ? only : NamesOfText.Select(name => Array.FindIndex(names, n => n.Equals(name, StringComparison.OrdinalIgnoreCase))).Where(others.Contains).Cast<int?>().FirstOrDefault();
        return ofText is null || !TextInputs.AreOfText(wanted.Inputs) ? throw wanted.Missing(wanted.Inputs[0].Name, names, place)
            : text is null ? throw Errors.DataTokenizerMissing(displayName, names[ofText.Value])
            : Found(new Dictionary<string, int>(), null, ofText);
    }

    /// <summary>What is taken from where, for people.</summary>
    public string Describe(CsvRow header) =>
        Text is { } text ? $"text from the column {Wording.Quote(header.Fields[text])}"
        : Row is { } row ? string.Create(CultureInfo.InvariantCulture, $"the input from {row.Count} columns in their order")
        : $"inputs from the columns of their names{(Unused.Count > 0 ? $"; not used: {Wording.List(Unused)}" : "")}";
}
