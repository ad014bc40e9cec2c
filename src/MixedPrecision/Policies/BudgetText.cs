using System.Globalization;
using System.Text.RegularExpressions;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>How a budget is written: in the policy and on the command line.</summary>
internal static partial class BudgetText
{
    /// <summary>From here on a plain number may be a share, or percents that lack their sign.</summary>
    private const double Ambiguous = 0.1;

    /// <summary>Plain numbers from here on can only be an agreement.</summary>
    private const double LeastAgreement = 0.5;

    public const string Expected = "a relative error of the loss, above 0 and at most 100 %, as 1% or 0.01";

    public const string ExpectedShare = "a share from 0 to 100 %, as 1% or 0.01";

    public const string LongForm = "a budget such as 1%, or limits such as { lossError: 1% }, { lossIncrease: 1%, size: 40 MB } and { accuracyDrop: 0.5%, agreement: 99% }";

    private const string ExpectedAgreement = "a share of equal answers, above 0 and at most 100 %, as 99.5% or 0.995";

    private const string ExpectedSize = "a size with its unit, as 40 MB, or a share of the original, as 60%";

    [GeneratedRegex(SizePattern)]
    private static partial Regex SizeForm { get; }

    private const string SizePattern = @"^([0-9]+(\.[0-9]+)?|\.[0-9]+) *(%|B|kB|MB|GB|KiB|MiB|GiB)$";

    /// <summary>A budget on the command line: <c>1%</c>, or limits with the keys that a policy would have, <c>lossIncrease: 1%, size: 40 MB</c>.</summary>
    public static BudgetPolicy Read(string text, string key, Place place)
    {
        var budget = new BudgetPolicy([]);
        var seen = new HashSet<string>();
        foreach (string one in text.Split(','))
        {
            string[] parts = [.. one.Split([':', '='], 2).Select(part => part.Trim())];
            (string name, string value) = parts is [var given, var said] ? (given, said) : (LossLimit.Keys[0], parts[0]);
            if (!seen.Add(name))
                throw Errors.PolicyImpossibleValue(place, key, $"{Wording.Quote(name)} twice", "each limit once");
            budget = name switch
            {
                "lossError" => budget.With(new LossLimit(BudgetKind.LossError, Parse(value, key, place, Expected, isZeroPossible: false))),
                "lossIncrease" => budget.With(new LossLimit(BudgetKind.LossIncrease, Parse(value, key, place, ExpectedShare, isZeroPossible: true))),
                "accuracyDrop" => budget.With(new LossLimit(BudgetKind.AccuracyDrop, Parse(value, key, place, ExpectedShare, isZeroPossible: true))),
                "agreement" => budget.With(new LossLimit(BudgetKind.Agreement, ParseAgreement(value, key, place))),
                SizeLimit.Key => budget with { Size = ParseSize(value, key, place) },
                _ => throw Errors.PolicyUnknownName(place, key, name, [.. LossLimit.Keys, SizeLimit.Key]),
            };
        }

        return budget.Complete();
    }

    /// <summary>A share such as <c>1%</c> or <c>0.01</c>.</summary>
    public static ValueReader<double> Share(string expected, bool isZeroPossible) =>
        Number(new ValueShape(expected, "number", "string") { Minimum = isZeroPossible ? 0 : null }, (text, path, place) => Parse(text, path, place, expected, isZeroPossible));

    /// <summary>A share of equal answers such as <c>99.5%</c> or <c>0.995</c>.</summary>
    public static ValueReader<double> Agreement() => Number(new ValueShape(ExpectedAgreement, "number", "string") { Minimum = LeastAgreement, Maximum = 1 }, ParseAgreement);

    /// <summary>A size such as <c>40 MB</c> or <c>60%</c>.</summary>
    public static ValueReader<SizeLimit> Size() => new(new ValueShape(ExpectedSize, "string") { Pattern = SizePattern }, (node, path) =>
        node is YamlScalar { Type: not (ScalarType.Nothing or ScalarType.Boolean) } scalar ? ParseSize(scalar.Text, path, node.Place) : throw Errors.PolicyWrongType(node.Place, path, node.Describe(), ExpectedSize));

    /// <summary>A share of the loss error, or a section with the keys that say what is limited.</summary>
    public static ValueReader<BudgetPolicy> ShortOrLong(ValueReader<BudgetPolicy> section)
    {
        ValueReader<double> number = Share(Expected, isZeroPossible: false);
        var shape = new ValueShape(Expected, "number", "string", "object") { Keys = section.Shape.Keys };
        return new(shape, (node, path) => node is not YamlMapping mapping ? new BudgetPolicy(BudgetKind.LossError, number.Read(node, path))
            : mapping.Entries.Count > 0 ? section.Read(node, path).Complete()
            : throw Errors.PolicyImpossibleValue(node.Place, path, "nothing", $"one key or more: {LongForm}"));
    }

    private static ValueReader<double> Number(ValueShape shape, Func<string, string, Place, double> parse) => new(shape, (node, path) =>
        node is YamlScalar { Type: not (ScalarType.Nothing or ScalarType.Boolean) } scalar ? parse(scalar.Text, path, node.Place) : throw Errors.PolicyWrongType(node.Place, path, node.Describe(), shape.Expected));

    /// <summary>A share as a fraction. A bare 1, which would be 100 %, and a bare 0.5, which would be 50 %, are refused: 1 % and half a percent may be meant.</summary>
    private static double Parse(string text, string key, Place place, string expected, bool isZeroPossible)
    {
        (double number, bool percent) = NumberOf(text, key, place, expected);
        double fraction = percent ? number / 100 : number;
        if (!percent && number is >= 1 and <= 100)
            throw Errors.PolicyImpossibleValue(place, key, $"{text}, which is {number * 100:0.##} %", $"{expected}; for {number:0.##} % write {number:0.##}%");
        if (!percent && number is >= Ambiguous and < 1)
            throw Errors.PolicyImpossibleValue(place, key, $"{text}, which may mean {number:0.####} % or {number * 100:0.##} %", $"a percentage: {number:0.####}% or {number * 100:0.##}%");
        return fraction is > 0 and <= 1 || (fraction == 0 && isZeroPossible) ? fraction : throw Errors.PolicyImpossibleValue(place, key, Wording.Quote(text), expected);
    }

    /// <summary>A share of equal answers as a fraction; a plain number between 1 and 100 lacks its sign.</summary>
    private static double ParseAgreement(string text, string key, Place place)
    {
        (double number, bool percent) = NumberOf(text, key, place, ExpectedAgreement);
        double fraction = percent ? number / 100 : number;
        return fraction is > 0 and <= 1 && (percent || fraction >= LeastAgreement) ? fraction
            : throw Errors.PolicyImpossibleValue(place, key, Wording.Quote(text), !percent && number is > 1 and <= 100 ? FormattableString.Invariant($"{ExpectedAgreement}; for {number:0.####} % write {number:0.####}%") : ExpectedAgreement);
    }

    private static SizeLimit ParseSize(string text, string key, Place place)
    {
        Match match = SizeForm.Match(text);
        double value = match.Success ? double.Parse(match.Groups[1].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture) : 0;
        return value > 0 && double.IsFinite(value) ? new SizeLimit(value, match.Groups[3].Value)
            : throw Errors.PolicyImpossibleValue(place, key, Wording.Quote(text), $"{ExpectedSize}; units are {string.Join(", ", SizeLimit.Units.Keys)}");
    }

    private static (double Number, bool IsPercent) NumberOf(string text, string key, Place place, string expected)
    {
        bool percent = text.EndsWith('%');
        NumberStyles style = NumberStyles.AllowDecimalPoint | (percent ? NumberStyles.None : NumberStyles.AllowExponent | NumberStyles.AllowLeadingSign);
        return double.TryParse(percent ? text[..^1].TrimEnd(' ') : text, style, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
            ? (number, percent) : throw Errors.PolicyImpossibleValue(place, key, Wording.Quote(text), expected);
    }
}
