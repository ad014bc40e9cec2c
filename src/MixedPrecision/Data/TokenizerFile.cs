using System.Text;
using Microsoft.ML.Tokenizers;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Data;

/// <summary>Loads a tokenizer from its file: a BERT vocabulary, a tokenizer.json, or a SentencePiece model.</summary>
internal static class TokenizerFile
{
    private const long LargestFile = 256L << 20;

    /// <exception cref="MixedPrecisionException">MPB3001: there is no such file. MPB3015: it cannot be used.</exception>
    public static TextTokenizer Load(string path, string displayName, bool? lowercase)
    {
        if (!File.Exists(path))
            throw Errors.DataNotFound(displayName);
        if (new FileInfo(path).Length > LargestFile)
            throw Errors.TokenizerUnusable(displayName, "it is larger than 256 MB");
        try
        {
            return Path.GetExtension(path).ToLowerInvariant() switch
            {
                ".txt" => Vocabulary(path, displayName, lowercase ?? true),
                ".json" => TokenizerJson.Read(path, displayName, lowercase),
                ".model" => SentencePiece(path, lowercase ?? false),
                _ => throw Errors.TokenizerUnusable(displayName, "its ending is none of .txt (a BERT vocabulary), .json (tokenizer.json) and .model (SentencePiece)"),
            };
        }
        catch (Exception e) when (e is not (MixedPrecisionException or OutOfMemoryException or OperationCanceledException))
        {
            // A damaged file may fail in any way within the library.
            throw Errors.TokenizerUnusable(displayName, Wording.Escape(e.Message.TrimEnd('.')));
        }
    }

    /// <summary>A BERT tokenizer: [CLS] text [SEP].</summary>
    /// <param name="lowercase">Whether text is put in lower case first.</param>
    /// <param name="stripAccents">Whether accents are taken off.</param>
    public static TextTokenizer Bert(Stream vocabulary, bool lowercase, bool stripAccents, BertOptions options)
    {
        options.LowerCaseBeforeTokenization = false;
        BertTokenizer tokenizer = BertTokenizer.Create(vocabulary, options);
        return new TextTokenizer(
            text => tokenizer.EncodeToIds(text, addSpecialTokens: false),
            text => BertText(text, lowercase, stripAccents),
            [tokenizer.ClassificationTokenId],
            [tokenizer.SeparatorTokenId],
            tokenizer.PaddingTokenId);
    }

    /// <summary>Text as BERT wants it, which the library leaves in part to its callers: every white space a blank, no control characters, case and accents.</summary>
    private static string BertText(string text, bool lowercase, bool stripAccents)
    {
        var cleaned = new StringBuilder(text.Length);
        foreach (char c in stripAccents ? Accents.Strip(text) : text)
        {
            if (char.IsWhiteSpace(c))
                cleaned.Append(' ');
            else if (!char.IsControl(c) && c != '\uFFFD')
                cleaned.Append(c);
        }

        return lowercase ? cleaned.ToString().ToLowerInvariant() : cleaned.ToString();
    }

    private static TextTokenizer Vocabulary(string path, string displayName, bool lowercase)
    {
        HashSet<string> words = [.. TextLines.ReadLines(path, displayName).Select(l => l.Line)];
        if (new[] { "[UNK]", "[CLS]", "[SEP]", "[PAD]" }.FirstOrDefault(w => !words.Contains(w)) is string missing)
            throw Errors.TokenizerUnusable(displayName, $"the vocabulary lacks {missing}, which that of a BERT model has, one word a line");
        using FileStream stream = File.OpenRead(path);
        return Bert(stream, lowercase, stripAccents: lowercase, new BertOptions());
    }

    /// <summary>
    /// A SentencePiece model. What stands around a text is not in the file: as Llama has it the token for the beginning, where pieces are merged
    /// in pairs; as T5 has it that for the end, where they are chosen by their probability.
    /// </summary>
    private static TextTokenizer SentencePiece(string path, bool lowercase)
    {
        using FileStream stream = File.OpenRead(path);
        SentencePieceTokenizer tokenizer = SentencePieceTokenizer.Create(stream, addBeginningOfSentence: false, addEndOfSentence: false);
        bool isMerged = SentencePieceFile.IsPairMerging(path);
        int[] begin = isMerged && tokenizer.BeginningOfSentenceId > 0 ? [tokenizer.BeginningOfSentenceId] : [];
        int[] end = !isMerged && tokenizer.EndOfSentenceId > 0 ? [tokenizer.EndOfSentenceId] : [];
        return new TextTokenizer(
            text => tokenizer.EncodeToIds(text, addBeginningOfSentence: false, addEndOfSentence: false), text => lowercase ? text.ToLowerInvariant() : text, begin, end, 0);
    }
}
