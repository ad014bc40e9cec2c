using System.Globalization;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>How a budget is written: in the policy and on the command line.</summary>
internal static class BudgetText
{
    /// <summary>From here on a plain number may be a share, or percents that lack their sign.</summary>
    private const double Ambiguous = 0.1;

    public const string Expected = "a relative error of the loss, above 0 and at most 100 %, as 1% or 0.01";

    public const string ExpectedShare = "a share from 0 to 100 %, as 1% or 0.01";

    public const string LongForm = "a budget such as 1%, or one of { lossError: 1% }, { lossIncrease: 1% } and { accuracyDrop: 0.5% }";

    /// <summary>A budget on the command line: <c>1%</c>, or <c>lossIncrease: 1%</c> with the key that a policy would have.</summary>
    public static BudgetPolicy Read(string text, string key, Place place)
    {
        string[] parts = text.Split([':', '='], 2);
        return parts.Length == 1
            ? new BudgetPolicy(BudgetKind.LossError, Parse(text, key, place, Expected, isZeroPossible: false))
            : parts[0].Trim() switch
            {
                "lossError" => new BudgetPolicy(BudgetKind.LossError, Parse(parts[1].Trim(), key, place, Expected, isZeroPossible: false)),
                "lossIncrease" => new BudgetPolicy(BudgetKind.LossIncrease, Parse(parts[1].Trim(), key, place, ExpectedShare, isZeroPossible: true)),
                "accuracyDrop" => new BudgetPolicy(BudgetKind.AccuracyDrop, Parse(parts[1].Trim(), key, place, ExpectedShare, isZeroPossible: true)),
                _ => throw Errors.PolicyUnknownName(place, key, parts[0].Trim(), ["lossError", "lossIncrease", "accuracyDrop"]),
            };
    }

    /// <summary>A share such as <c>1%</c> or <c>0.01</c>.</summary>
    public static ValueReader<double> Share(string expected, bool isZeroPossible)
    {
        var shape = new ValueShape(expected, "number", "string") { Minimum = isZeroPossible ? 0 : null };
        return new(shape, (node, path) => node is YamlScalar { Type: not (ScalarType.Nothing or ScalarType.Boolean) } scalar
            ? Parse(scalar.Text, path, node.Place, expected, isZeroPossible)
            : throw Errors.PolicyWrongType(node.Place, path, node.Describe(), expected));
    }

    /// <summary>A share of the loss error, or a section with the one key that says what the share is of.</summary>
    public static ValueReader<BudgetPolicy> ShortOrLong(ValueReader<BudgetPolicy?> section)
    {
        ValueReader<double> number = Share(Expected, isZeroPossible: false);
        var shape = new ValueShape(Expected, "number", "string", "object") { Keys = section.Shape.Keys };
        return new(shape, (node, path) => node is YamlMapping mapping
            ? mapping.Entries.Count == 1 ? section.Read(node, path)! : Several(section, node, path, mapping)
            : new BudgetPolicy(BudgetKind.LossError, number.Read(node, path)));
    }

    /// <summary>Keys that are unknown say so first; then it is their number that is wrong.</summary>
    private static BudgetPolicy Several(ValueReader<BudgetPolicy?> section, YamlNode node, string path, YamlMapping mapping)
    {
        section.Read(node, path);
        throw Errors.PolicyImpossibleValue(node.Place, path, mapping.Entries.Count == 0 ? "nothing" : $"{mapping.Entries.Count} keys", $"one key: {LongForm}");
    }

    /// <summary>A share as a fraction. A bare 1, which would be 100 %, and a bare 0.5, which would be 50 %, are refused: 1 % and half a percent may be meant.</summary>
    private static double Parse(string text, string key, Place place, string expected, bool isZeroPossible)
    {
        bool percent = text.EndsWith('%');
        NumberStyles style = NumberStyles.AllowDecimalPoint | (percent ? NumberStyles.None : NumberStyles.AllowExponent | NumberStyles.AllowLeadingSign);
        if (!double.TryParse(percent ? text[..^1].TrimEnd(' ') : text, style, CultureInfo.InvariantCulture, out double number) || !double.IsFinite(number))
            throw Errors.PolicyImpossibleValue(place, key, Wording.Quote(text), expected);
        double fraction = percent ? number / 100 : number;
        if (!percent && number is >= 1 and <= 100)
            throw Errors.PolicyImpossibleValue(place, key, $"{text}, which is {number * 100:0.##} %", $"{expected}; for {number:0.##} % write {number:0.##}%");
        if (!percent && number is >= Ambiguous and < 1)
            throw Errors.PolicyImpossibleValue(place, key, $"{text}, which may mean {number:0.####} % or {number * 100:0.##} %", $"a percentage: {number:0.####}% or {number * 100:0.##}%");
        return fraction is > 0 and <= 1 || (fraction == 0 && isZeroPossible) ? fraction : throw Errors.PolicyImpossibleValue(place, key, Wording.Quote(text), expected);
    }
}
