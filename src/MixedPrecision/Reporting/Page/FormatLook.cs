using MixedPrecision.Policies;

namespace MixedPrecision.Reporting.Page;

/// <summary>How a format is drawn: by its bits as a height, by its family as a colour.</summary>
/// <param name="Class">The style's class.</param>
/// <param name="Bits">Bits of a value.</param>
internal readonly record struct FormatLook(string Class, int Bits)
{
    public const int MostBits = 32;

    /// <param name="format">As a manifest has it; also one that no version knows.</param>
    public static FormatLook Of(string format)
    {
        string family = FormatNames.Family(format);
        return new FormatLook(
            family switch
            {
                FormatFamilies.Baseline => "f-fp32",
                FormatFamilies.Fp16 or FormatFamilies.BFloat16 => "f-half",
                FormatFamilies.Fp8E4M3 or FormatFamilies.Fp8E5M2 => "f-fp8",
                FormatFamilies.Int8Dynamic => "f-dynamic",
                FormatFamilies.Int8Static => "f-static",
                FormatFamilies.Int8Weight => "f-weight",
                FormatFamilies.Int4Weight => "f-int4",
                FormatFamilies.Int2Weight => "f-int2",
                _ => "f-other",
            },
            BitsOf(family));
    }

    /// <summary>The name with its parameters set back.</summary>
    public static Markup Show(string format)
    {
        string family = FormatNames.Family(format);
        string parameters = format[family.Length..].Trim('(', ')').Replace(",", ", ", StringComparison.Ordinal);
        return Markup.All(
            Markup.Tag("span", [("class", "format")], Markup.Tag("span", [("class", $"swatch {Of(format).Class}"), ("aria-hidden", "true")]), family),
            parameters.Length == 0 ? default : Markup.Tag("span", [("class", "parameters")], " " + parameters));
    }

    /// <summary>The first number in the name.</summary>
    private static int BitsOf(string family)
    {
        string digits = string.Concat(family.SkipWhile(c => !char.IsAsciiDigit(c)).TakeWhile(char.IsAsciiDigit));
        return int.TryParse(digits, out int bits) && bits is > 0 and <= MostBits ? bits : MostBits;
    }
}
