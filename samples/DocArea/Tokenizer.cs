using System.Text;

namespace DocArea;

/// <summary>
/// The tokenizer that the model was trained with: camel case is split, the text lower-cased, and each run of ASCII
/// letters and digits becomes a token by its FNV-1a hash. Token 0 is for padding and never produced.
/// </summary>
public static class Tokenizer
{
    private const int MaxTokens = 48;
    private const uint Buckets = 8191;

    /// <summary>At most 48 tokens from 1 to 8191; none where the text has no ASCII letter and no digit.</summary>
    public static long[] Encode(string text) => [.. Words(text).Take(MaxTokens).Select(Token)];

    private static IEnumerable<string> Words(string text)
    {
        var word = new StringBuilder();
        char before = '\0';
        foreach (char character in text)
        {
            bool camelCase = char.IsAsciiLetterLower(before) && char.IsAsciiLetterUpper(character);
            char lower = Lower(character);
            bool inWord = char.IsAsciiLetterLower(lower) || char.IsAsciiDigit(lower);
            if (word.Length > 0 && (camelCase || !inWord || before == DottedCapitalI))
            {
                yield return word.ToString();
                word.Clear();
            }
            if (inWord)
            {
                word.Append(lower);
            }
            before = character;
        }
        if (word.Length > 0)
        {
            yield return word.ToString();
        }
    }

    // Full Unicode lower case makes of this letter an i and a combining dot, and the dot ends the word.
    private const char DottedCapitalI = '\u0130';
    private const char KelvinSign = '\u212A';

    private static char Lower(char character) => character switch
    {
        >= 'A' and <= 'Z' => (char)(character | 0x20),
        KelvinSign => 'k',
        DottedCapitalI => 'i',
        _ => character,
    };

    private static long Token(string word)
    {
        uint hash = 2166136261;
        foreach (char character in word)
        {
            hash = (hash ^ character) * 16777619;
        }
        return 1 + (hash % Buckets);
    }
}
