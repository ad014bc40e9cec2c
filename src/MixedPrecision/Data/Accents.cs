using System.Globalization;
using System.Text;

namespace MixedPrecision.Data;

/// <summary>
/// Takes accents off Latin letters. The runtime's own decomposition needs the system's Unicode library, which this engine does without, so that the base
/// letters stand here (Unicode Character Database: first character of the full canonical decomposition).
/// </summary>
internal static class Accents
{
    /// <summary>U+00C0 to U+024F.</summary>
    private const string Latin =
        "AAAAAAÆCEEEEIIIIÐNOOOOO×ØUUUUYÞßaaaaaaæceeeeiiiiðnooooo÷øuuuuyþyAaAaAaCcCcCcCcDdĐđEeEeEeEeEeGgGgGgGgHhĦħIiIiIiIiIıĲĳJjKk"
        + "ĸLlLlLlĿŀŁłNnNnNnŉŊŋOoOoOoŒœRrRrRrSsSsSsSsTtTtŦŧUuUuUuUuUuUuWwYyYZzZzZzſƀƁƂƃƄƅƆƇƈƉƊƋƌƍƎƏƐƑƒƓƔƕƖƗƘƙƚƛƜƝƞƟOoƢƣƤƥƦƧƨƩƪƫƬƭƮU"
        + "uƱƲƳƴƵƶƷƸƹƺƻƼƽƾƿǀǁǂǃǄǅǆǇǈǉǊǋǌAaIiOoUuUuUuUuUuǝAaAaÆæǤǥGgKkOoOoƷʒjǱǲǳGgǶǷNnAaÆæØøAaAaEeEeIiIiOoOoRrRrUuUuSsTtȜȝHhȠȡȢȣȤȥAa"
        + "EeOoOoOoOoYyȴȵȶȷȸȹȺȻȼȽȾȿɀɁɂɃɄɅɆɇɈɉɊɋɌɍɎɏ";

    /// <summary>U+1E00 to U+1EFF.</summary>
    private const string LatinAdditional =
        "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMmMmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUu"
        + "UuUuVvVvWwWwWwWwWwXxXxYyZzZzZzhtwyẚſẜẝẞẟAaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUu"
        + "UuYyYyYyYyỺỻỼỽỾỿ";

    /// <summary>The text with base letters for accented ones, and without combining marks.</summary>
    public static string Strip(string text)
    {
        var stripped = new StringBuilder(text.Length);
        foreach (char c in text.Where(c => CharUnicodeInfo.GetUnicodeCategory(c) != UnicodeCategory.NonSpacingMark))
        {
            stripped.Append(c switch
            {
                >= '\u00C0' and <= '\u024F' => Latin[c - '\u00C0'],
                >= '\u1E00' and <= '\u1EFF' => LatinAdditional[c - '\u1E00'],
                _ => c,
            });
        }

        return stripped.ToString();
    }
}
