using System.Globalization;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>Readers of formats: as text, <c>int4-weight(block=128)</c>, or as a section, <c>{ int4-weight: { block: 128 } }</c>; they give the canonical text.</summary>
internal static class FormatValues
{
    private const string Expected = "a format such as int8-dynamic, \"int4-weight(block=128,accuracy=4)\" or { int4-weight: { block: 128 } }";

    private static readonly ValueReader<string?> Section = FormatFamilies.All.Where(family => family.Parameters.Count > 0).Aggregate(
        new Section<string?>("a format", Expected, _ => null),
        (section, family) => section.Optional(family.Name, Parameters(family), (_, value) => value)).Reader;

    /// <summary>One format.</summary>
    public static ValueReader<string> One()
    {
        ValueReader<IReadOnlyList<string>> reader = OneOrPreset([]);
        return new(reader.Shape, (node, path) => reader.Read(node, path)[0]);
    }

    /// <summary>Formats and presets: one or a list; in the order of <see cref="FormatFamilies.InOrder"/>, the baseline among them.</summary>
    public static ValueReader<IReadOnlyList<string>> OneOrSeveral()
    {
        const string Several = "a preset, a format or a list of them";
        ValueReader<IReadOnlyList<string>> one = OneOrPreset([.. FormatFamilies.Presets.Keys]);
        ValueShape shape = one.Shape with { Expected = Several, Types = [.. one.Shape.Types, "array"], Items = one.Shape };
        return new(shape, (node, path) => node switch
        {
            YamlScalar { Type: not ScalarType.Text } => throw Errors.PolicyWrongType(node.Place, path, node.Describe(), Several),
            YamlList { Items.Count: 0 } => throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), Several),
            YamlList list => FormatFamilies.InOrder(list.Items.SelectMany((item, index) => one.Read(Whole(list, index, path), $"{path}[{index}]")).Append(FormatFamilies.Baseline)),
            _ => FormatFamilies.InOrder(one.Read(node, path).Append(FormatFamilies.Baseline)),
        });
    }

    /// <summary>Formats that a rule names, one or several; parameters that are left out may have any value.</summary>
    public static ValueReader<IReadOnlyList<FormatSelector>> Selectors()
    {
        const string Several = "a format or a list of them";
        ValueReader<string> one = One();
        ValueShape shape = one.Shape with { Expected = Several, Types = [.. one.Shape.Types, "array"], Items = one.Shape };
        return new(shape, (node, path) => node switch
        {
            YamlList { Items.Count: 0 } => throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), Several),
            YamlList list => [.. list.Items.Select((item, index) => Selector(one, Whole(list, index, path), $"{path}[{index}]"))],
            _ => [Selector(one, node, path)],
        });
    }

    private static FormatSelector Selector(ValueReader<string> one, YamlNode node, string path)
    {
        FormatFamily family = FormatId.Parse(one.Read(node, path)).Family;
        string[] said = node switch
        {
            YamlScalar { Text: var text } when text.Contains('(', StringComparison.Ordinal) => text[(text.IndexOf('(', StringComparison.Ordinal) + 1)..^1].Split(',', StringSplitOptions.TrimEntries),
            YamlMapping { Entries: [{ Value: YamlMapping parameters }] } => [.. parameters.Entries.Select(entry => family.Parameters.First(p => p.Name == entry.Name).Text(((YamlScalar)entry.Value).Text))],
            _ => [],
        };
        return new FormatSelector(
            said.Length == 0 ? family.Name : $"{family.Name}({string.Join(',', said)})",
            family,
            [.. family.Parameters.SelectMany(p => p.Values.Where(value => said.Contains(p.Text(value))).Select(value => (p.Name, value)))]);
    }

    private static ValueReader<IReadOnlyList<string>> OneOrPreset(IReadOnlyList<string> presets)
    {
        var shape = new ValueShape(Expected, "string", "object")
        {
            Names = [.. presets, .. FormatFamilies.All.Select(family => family.Name)],
            Pattern = $"^({string.Join('|', FormatFamilies.All.Select(family => family.Pattern))})$",
            Keys = Section.Shape.Keys,
        };
        return new(shape, (node, path) => node switch
        {
            YamlMapping mapping => [Long(mapping, path)],
            YamlScalar { Type: ScalarType.Text, Text: var text } when presets.Contains(text) => FormatFamilies.Presets[text],
            YamlScalar { Type: ScalarType.Text, Text: var text } => [Text(node.Place, path, text, presets)],
            _ => throw Errors.PolicyWrongType(node.Place, path, node.Describe(), Expected),
        });
    }

    private static string Text(Place place, string path, string text, IReadOnlyList<string> presets)
    {
        if (FormatId.TryParse(text, out FormatFault? fault) is { } format)
            return format.Text;
        bool isFamily = text == fault!.Found || text.StartsWith(fault.Found + "(", StringComparison.Ordinal);
        throw fault.Expected is null
            ? Errors.PolicyUnknownName(place, path, fault.Found, isFamily ? [.. presets, .. fault.Names] : fault.Names)
            : Errors.PolicyImpossibleValue(place, path, Wording.Quote(fault.Found), fault.Expected);
    }

    /// <summary>An item of a list; in brackets, YAML cuts a text without quotes at its commas, which is seen by a bracket that stays open.</summary>
    private static YamlNode Whole(YamlList list, int index, string path)
    {
        string[] texts = [.. list.Items.Skip(index).TakeWhile(item => item is YamlScalar).Select(item => ((YamlScalar)item).Text)];
        int last = Array.FindIndex(texts, text => text.EndsWith(')'));
        return last > 0 && texts[0].Contains('(', StringComparison.Ordinal) && !texts[..last].Skip(1).Any(text => text.Contains('(', StringComparison.Ordinal))
            ? throw Errors.PolicyImpossibleValue(
                list.Items[index].Place, $"{path}[{index}]", $"{Wording.Quote(texts[0])}, since a comma ends a text without quotes here",
                $"a format with several parameters in quotes: \"{Wording.Escape(string.Join(',', texts[..(last + 1)]))}\"")
            : list.Items[index];
    }

    private static string Long(YamlMapping mapping, string path)
    {
        string? format = Section.Read(mapping, path);
        return mapping.Entries.Count == 1 ? format!
            : throw Errors.PolicyImpossibleValue(mapping.Place, path, mapping.Entries.Count == 0 ? "nothing" : $"{mapping.Entries.Count} keys", $"one key: {Expected}");
    }

    /// <summary>A section with the parameters of one family.</summary>
    private static ValueReader<string> Parameters(FormatFamily family)
    {
        ValueReader<IReadOnlyDictionary<string, string>> section = family.Parameters.Aggregate(
            new Section<IReadOnlyDictionary<string, string>>(family.Name, $"the parameters of {family.Name}", _ => new Dictionary<string, string>()),
            (all, parameter) => all.Optional(parameter.Name, Value(parameter), (chosen, value) => new Dictionary<string, string>(chosen) { [parameter.Name] = value })).Reader;
        return new(section.Shape, (node, path) =>
        {
            IReadOnlyDictionary<string, string> chosen = section.Read(node, path);
            return new FormatId(family, [.. family.Parameters.Select(p => chosen.GetValueOrDefault(p.Name) ?? p.Left)]).Text;
        });
    }

    private static ValueReader<string> Value(FormatParameter parameter)
    {
        bool isNumber = parameter.Values.All(value => long.TryParse(value, CultureInfo.InvariantCulture, out _));
        var shape = new ValueShape($"one of {Wording.List(parameter.Values)}", isNumber ? "integer" : "string") { Names = parameter.Values };
        return new(shape, (node, path) => node is not YamlScalar { Type: ScalarType.Text or ScalarType.Integer } scalar || (scalar.Type == ScalarType.Integer) != isNumber
            ? throw Errors.PolicyWrongType(node.Place, path, node.Describe(), shape.Expected)
            : parameter.Values.Contains(scalar.Text) ? scalar.Text
            : throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), shape.Expected));
    }
}
