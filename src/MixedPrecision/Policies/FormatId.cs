using System.Globalization;

namespace MixedPrecision.Policies;

/// <summary>Which format: a family and a value for each of its parameters. Its <see cref="Text"/> names it wherever a format is named.</summary>
public sealed class FormatId
{
    private readonly IReadOnlyList<string?> values;

    /// <param name="family">The family.</param>
    /// <param name="values">A value for each of its parameters, in their order; null where the processor decides.</param>
    internal FormatId(FormatFamily family, IReadOnlyList<string?> values)
    {
        Family = family;
        this.values = [.. family.Parameters.Zip(values, (p, v) => Applies(p, family, values) ? v : p.Default)];
        string[] said = [.. family.Parameters.Zip(values).Where(p => p.Second is not null && Applies(p.First, family, values)).Select(p => p.First.Text(p.Second!))];
        Text = said.Length == 0 ? family.Name : $"{family.Name}({string.Join(',', said)})";
    }

    /// <summary>The family.</summary>
    public FormatFamily Family { get; }

    /// <summary>
    /// The canonical text: the family's name and every parameter in the declared order, those with default values too, so that no name depends on a default. Without
    /// spaces: <c>int4-weight(block=128,symmetric,accuracy=4)</c>. What is left to the processor is not in it: <c>int8-dynamic</c>.
    /// </summary>
    public string Text { get; }

    /// <summary>Whether a parameter is left to the processor. Only policies name such formats; <see cref="On"/> gives the one that is meant.</summary>
    public bool IsOpen => values.Contains(null);

    /// <summary>The value of a parameter; what is right on every processor where it is left to that.</summary>
    public string this[string parameter]
    {
        get
        {
            (int index, FormatParameter found) = Family.Parameters.Index().First(p => p.Item.Name == parameter);
            return values[index] ?? found.Default;
        }
    }

    /// <summary>The format that is meant on a processor.</summary>
    /// <param name="isExact">Whether the processor adds products of 8 bits exactly: see <see cref="FormatParameter.WhereExact"/>.</param>
    public FormatId On(bool isExact) =>
        IsOpen ? new FormatId(Family, [.. values.Zip(Family.Parameters, (value, parameter) => value ?? (isExact ? parameter.WhereExact : parameter.Default))]) : this;

    /// <summary>The value of a parameter whose values are whole numbers.</summary>
    public int Number(string parameter) => int.Parse(this[parameter], CultureInfo.InvariantCulture);

    /// <summary>The format that a text names; parameters may be left out, and stand in any order.</summary>
    /// <exception cref="ArgumentException">The text names none.</exception>
    public static FormatId Parse(string text) =>
        TryParse(text, out FormatFault? fault) ?? throw new ArgumentException($"'{text}' is no format: found {fault!.Found}, expected {fault.Expected ?? string.Join(", ", fault.Names)}");

    /// <summary>The format that a text names, or null with what is wrong.</summary>
    internal static FormatId? TryParse(string text, out FormatFault? fault)
    {
        int open = text.IndexOf('(', StringComparison.Ordinal);
        string name = open < 0 ? text : text[..open];
        FormatFamily? family = FormatFamilies.All.FirstOrDefault(f => f.Name == name);
        fault = family is null ? new FormatFault(name, [.. FormatFamilies.All.Select(f => f.Name)], null)
            : open >= 0 && family.Parameters.Count == 0 ? new FormatFault(text, [], $"'{name}', which has no parameters")
            : open >= 0 && !text.EndsWith(')') ? new FormatFault(text, [], "a ')' at the end")
            : null;
        if (fault is not null)
            return null;
        string?[] values = new string?[family!.Parameters.Count];
        foreach (string part in open < 0 ? [] : text[(open + 1)..^1].Split(',', StringSplitOptions.TrimEntries))
        {
            fault = Set(family, values, part);
            if (fault is not null)
                return null;
        }

        string?[] all = [.. values.Zip(family.Parameters, (value, parameter) => value ?? parameter.Left)];
        if (family.Parameters.Zip(values).FirstOrDefault(p => p.Second is not null && !Applies(p.First, family, all)) is (FormatParameter unused, string given))
        {
            fault = new FormatFault(unused.Text(given), [], $"no {unused.Name} with {unused.Unless!.Value.Value}");
            return null;
        }

        return new FormatId(family, all);
    }

    private static bool Applies(FormatParameter parameter, FormatFamily family, IReadOnlyList<string?> values) =>
        parameter.Unless is not (string other, string value) || values[family.Parameters.Index().First(p => p.Item.Name == other).Index] != value;

    private static FormatFault? Set(FormatFamily family, string?[] values, string part)
    {
        string name = part.Split('=')[0];
        int index = family.Parameters.ToList().FindIndex(p => p.IsWord ? p.Values.Contains(part) : p.Name == name);
        if (index < 0)
            return new FormatFault(part, [.. family.Parameters.SelectMany(p => p.Values.Select(p.Text))], null);
        FormatParameter parameter = family.Parameters[index];
        string? value = parameter.Values.FirstOrDefault(v => parameter.Text(v) == part);
        if (value is null)
            return new FormatFault(part, [], $"{parameter.Name} as one of {string.Join(", ", parameter.Values)}");
        if (values[index] is not null)
            return new FormatFault($"{parameter.Text(values[index]!)} and {part}", [], $"one value of {parameter.Name}");
        values[index] = value;
        return null;
    }
}

/// <summary>What is wrong with a format's text.</summary>
/// <param name="Found">The part that is wrong.</param>
/// <param name="Names">Names of which it is none; empty where the matter is another.</param>
/// <param name="Expected">What was expected, or null where it is one of the names.</param>
internal sealed record FormatFault(string Found, IReadOnlyList<string> Names, string? Expected);
