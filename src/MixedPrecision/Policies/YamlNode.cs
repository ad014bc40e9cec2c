using System.Text.RegularExpressions;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>A value of a YAML document and where it stands.</summary>
internal abstract record YamlNode(Place Place)
{
    /// <summary>What a message says was found.</summary>
    public abstract string Describe();
}

/// <summary>A list, in block or flow style.</summary>
internal sealed record YamlList(Place Place, IReadOnlyList<YamlNode> Items) : YamlNode(Place)
{
    public override string Describe() => Items.Count == 0 ? "an empty list" : "a list";
}

/// <summary>A mapping, in block or flow style; its keys are distinct.</summary>
internal sealed record YamlMapping(Place Place, IReadOnlyList<YamlEntry> Entries) : YamlNode(Place)
{
    public override string Describe() => "a section with keys of its own";
}

/// <summary>A key of a mapping, where the key stands, and its value.</summary>
internal sealed record YamlEntry(string Name, Place Place, YamlNode Value);

/// <summary>A scalar. Its type follows YAML 1.2's core schema: what is in quotes is text, so is <c>yes</c>.</summary>
internal sealed partial record YamlScalar(Place Place, string Text, ScalarType Type) : YamlNode(Place)
{
    public override string Describe() => Type switch
    {
        ScalarType.Nothing => "nothing",
        ScalarType.Boolean => $"the truth value {Text}",
        ScalarType.Integer or ScalarType.Number => $"the number {Wording.Escape(Text)}",
        _ => $"the text {Wording.Quote(Text)}",
    };

    /// <summary>The type of a scalar that stands without quotes.</summary>
    public static ScalarType TypeOfPlain(string text) => text switch
    {
        "" or "~" or "null" or "Null" or "NULL" => ScalarType.Nothing,
        "true" or "True" or "TRUE" or "false" or "False" or "FALSE" => ScalarType.Boolean,
        _ when IntegerPattern().IsMatch(text) => ScalarType.Integer,
        _ when NumberPattern().IsMatch(text) => ScalarType.Number,
        _ => ScalarType.Text,
    };

    [GeneratedRegex(@"\A(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\z", RegexOptions.CultureInvariant)]
    private static partial Regex IntegerPattern();

    [GeneratedRegex(@"\A(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\z", RegexOptions.CultureInvariant)]
    private static partial Regex NumberPattern();
}

/// <summary>Types of YAML 1.2's core schema.</summary>
internal enum ScalarType
{
    Nothing,
    Boolean,
    Integer,
    Number,
    Text,
}
