using System.Globalization;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>How a budget is written: in the policy and on the command line.</summary>
internal static class BudgetText
{
    public const string Expected = "a relative error of the loss, above 0 and at most 100 %, as 1% or 0.01";

    /// <summary>τ as a fraction. A bare 1 is refused: it would be 100 %, and 1 % was meant.</summary>
    public static double Parse(string text, string key, Place place)
    {
        bool percent = text.EndsWith('%');
        NumberStyles style = NumberStyles.AllowDecimalPoint | (percent ? NumberStyles.None : NumberStyles.AllowExponent | NumberStyles.AllowLeadingSign);
        if (!double.TryParse(percent ? text[..^1].TrimEnd(' ') : text, style, CultureInfo.InvariantCulture, out double number) || !double.IsFinite(number))
            throw Errors.PolicyImpossibleValue(place, key, Wording.Quote(text), Expected);
        double fraction = percent ? number / 100 : number;
        if (!percent && number is >= 1 and <= 100)
            throw Errors.PolicyImpossibleValue(place, key, $"{text}, which is {number * 100:0.##} %", $"{Expected}; for {number:0.##} % write {number:0.##}%");
        return fraction is > 0 and <= 1 ? fraction : throw Errors.PolicyImpossibleValue(place, key, Wording.Quote(text), Expected);
    }
}
