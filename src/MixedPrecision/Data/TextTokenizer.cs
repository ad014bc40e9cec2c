using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Data;

/// <summary>A tokenizer with what it puts around a text.</summary>
/// <param name="Tokenizer">Makes token numbers, none of them special.</param>
/// <param name="Prepare">What is done to a text before.</param>
/// <param name="Prefix">Tokens before a text, such as [CLS].</param>
/// <param name="Suffix">Tokens after it, such as [SEP].</param>
/// <param name="Padding">The token that fills up.</param>
internal sealed record TextTokenizer(Func<string, IReadOnlyList<int>> Tokenizer, Func<string, string> Prepare, int[] Prefix, int[] Suffix, int Padding)
{
    /// <summary>The tokens of a text, cut off so that no more than so many are left, those around it included.</summary>
    public int[] Encode(string text, int length, Place place)
    {
        try
        {
            int room = Math.Max(0, length - Prefix.Length - Suffix.Length);
            IReadOnlyList<int> tokens = Tokenizer(Prepare(text));
            return [.. Prefix.Concat(tokens.Take(room)).Concat(Suffix).Take(length)];
        }
        catch (RegexMatchTimeoutException)
        {
            throw Errors.DataUnreadable(place, "the tokenizer's pattern takes more than ten seconds for this line");
        }
    }

    public static TextTokenizer Of(Tokenizer tokenizer, Func<string, string> prepare, int[] prefix, int[] suffix, int padding) =>
        new(text => tokenizer.EncodeToIds(text), prepare, prefix, suffix, padding);
}
