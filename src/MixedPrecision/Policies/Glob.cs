namespace MixedPrecision.Policies;

/// <summary>Patterns for node names: <c>*</c> is any run of characters, <c>/</c> included, <c>?</c> is one character.</summary>
public static class Glob
{
    /// <summary>
    /// Whether the whole name matches the pattern, case-sensitively. Only the latest <c>*</c> is ever revisited, so the
    /// time is at most pattern times name, whatever the pattern.
    /// </summary>
    public static bool IsMatch(string pattern, string name)
    {
        int inPattern = 0;
        int inName = 0;
        int afterStar = -1;
        int starEnd = 0;
        while (inName < name.Length)
        {
            if (inPattern < pattern.Length && pattern[inPattern] == '*')
            {
                afterStar = ++inPattern;
                starEnd = inName;
            }
            else if (inPattern < pattern.Length && (pattern[inPattern] == '?' || pattern[inPattern] == name[inName]))
            {
                inPattern++;
                inName++;
            }
            else if (afterStar >= 0)
            {
                inPattern = afterStar;
                inName = ++starEnd;
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(inPattern).Trim('*').IsEmpty;
    }
}
