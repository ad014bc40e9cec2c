using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Data;

/// <summary>
/// A tokenizer.json as Hugging Face's tokenizers write it: WordPiece (BERT kin) and byte-level BPE (GPT-2 and its many heirs). What else there is
/// names itself in an error.
/// </summary>
internal static class TokenizerJson
{
    /// <summary>The pattern that byte-level BPE splits by when the file names none (that of GPT-2).</summary>
    private const string DefaultPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly TimeSpan LongestMatch = TimeSpan.FromSeconds(10);

    public static TextTokenizer Read(string path, string displayName, bool? lowercase)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { MaxDepth = 64 });
        JsonElement root = document.RootElement;
        JsonElement model = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("model", out JsonElement found) && found.ValueKind == JsonValueKind.Object ? found
            : throw Errors.TokenizerUnusable(displayName, "it has no object 'model'");
        string kind = Text(model, "type") ?? (model.TryGetProperty("merges", out _) ? "BPE" : "WordPiece");
        Dictionary<string, int> added = AddedTokens(root);
        Dictionary<string, int> vocabulary = kind is "BPE" or "WordPiece" ? Vocabulary(model, displayName)
            : throw Errors.TokenizerUnusable(displayName, $"its model is of the kind {Wording.Quote(kind)}, and WordPiece and BPE can be read; if there is a tokenizer.model (SentencePiece) beside it, name that");
        (int[] prefix, int[] suffix) = Around(root, token => added.TryGetValue(token, out int id) || vocabulary.TryGetValue(token, out id) ? id : null);
        int padding = root.TryGetProperty("padding", out JsonElement p) && p.ValueKind == JsonValueKind.Object && p.TryGetProperty("pad_id", out JsonElement pad) && pad.TryGetInt32(out int padId) ? padId
            : new[] { "[PAD]", "<pad>", "<|endoftext|>" }.Select(t => added.TryGetValue(t, out int id) || vocabulary.TryGetValue(t, out id) ? id : -1).FirstOrDefault(id => id >= 0, 0);
        TextTokenizer tokenizer = kind == "WordPiece" ? WordPiece(root, model, vocabulary, displayName, lowercase) : BytePairs(root, model, vocabulary, added, displayName, lowercase);
        return tokenizer with { Prefix = prefix, Suffix = suffix, Padding = padding };
    }

    private static TextTokenizer WordPiece(JsonElement root, JsonElement model, Dictionary<string, int> vocabulary, string displayName, bool? lowercase)
    {
        if (Text(model, "continuing_subword_prefix") is { } prefix && prefix != "##")
            throw Errors.TokenizerUnusable(displayName, $"its words go on with {Wording.Quote(prefix)} and not with ##");
        JsonElement? normalizer = Parts(root, "normalizer", "normalizers").FirstOrDefault(n => Text(n, "type") == "BertNormalizer") is { ValueKind: JsonValueKind.Object } n ? n : null;
        bool lower = lowercase ?? (normalizer is { } bert ? Flag(bert, "lowercase") ?? true : Parts(root, "normalizer", "normalizers").Any(part => Text(part, "type") == "Lowercase"));
        // The reader takes the number of a word from its line.
        var lines = new string[vocabulary.Values.Max() + 1];
        foreach ((string word, int id) in vocabulary)
            lines[id] = word;
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines.Select((word, id) => word ?? $"[unused in file {id}]"))));
        return TokenizerFile.Bert(stream, lower, normalizer is { } marks ? Flag(marks, "strip_accents") ?? lower : lower, new BertOptions
        {
            IndividuallyTokenizeCjk = normalizer is not { } characters || (Flag(characters, "handle_chinese_chars") ?? true),
            UnknownToken = Text(model, "unk_token") ?? "[UNK]",
        });
    }

    private static TextTokenizer BytePairs(
        JsonElement root, JsonElement model, Dictionary<string, int> vocabulary, Dictionary<string, int> added, string displayName, bool? lowercase)
    {
        JsonElement[] splitters = [.. Parts(root, "pre_tokenizer", "pretokenizers")];
        JsonElement byteLevel = splitters.FirstOrDefault(s => Text(s, "type") == "ByteLevel");
        if (byteLevel.ValueKind != JsonValueKind.Object)
            throw Errors.TokenizerUnusable(displayName, "its BPE is not byte-level, and only that can be read; if there is a tokenizer.model (SentencePiece) beside it, name that");
        string[] patterns = [.. splitters.Select(s => Text(s, "type") switch
        {
            "ByteLevel" => (Flag(s, "use_regex") ?? true) ? DefaultPattern : null,
            "Split" when s.TryGetProperty("pattern", out JsonElement pattern) && Text(pattern, "Regex") is { } regex && !(Flag(s, "invert") ?? false) => regex,
            "Digits" => (Flag(s, "individual_digits") ?? false) ? @"\p{N}|[^\p{N}]+" : @"\p{N}+|[^\p{N}]+",
            var other => throw Errors.TokenizerUnusable(displayName, $"it splits text by {Wording.Quote(other ?? "nothing named")}, which is not known"),
        }).OfType<string>()];
        PreTokenizer[] parts = [.. patterns.Select(pattern => new RegexPreTokenizer(new Regex(pattern, RegexOptions.CultureInvariant, LongestMatch), null))];
        Dictionary<string, int> special = added.Where(a => !vocabulary.ContainsKey(a.Key) || a.Key.StartsWith('<')).ToDictionary();
        BpeTokenizer tokenizer = BpeTokenizer.Create(new BpeOptions(vocabulary.Concat(added.Where(a => !vocabulary.ContainsKey(a.Key))))
        {
            Merges = Merges(model, displayName),
            ByteLevel = true,
            PreTokenizer = parts.Length switch { 0 => null, 1 => parts[0], _ => new CompositePreTokenizer(parts, null) },
            SpecialTokens = special,
            UnknownToken = Text(model, "unk_token"),
        });
        Func<string, string> normalize = Normalizer(root, displayName, lowercase ?? false);
        bool addSpace = Flag(byteLevel, "add_prefix_space") ?? false;
        return TextTokenizer.Of(tokenizer, text => normalize(addSpace && !text.StartsWith(' ') ? " " + text : text), [], [], 0);
    }

    private static Dictionary<string, int> Vocabulary(JsonElement model, string displayName)
    {
        if (!model.TryGetProperty("vocab", out JsonElement vocab) || vocab.ValueKind != JsonValueKind.Object)
            throw Errors.TokenizerUnusable(displayName, "its model has no object 'vocab'");
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        // A number far beyond the count would make a table of that size.
        int most = (4 * vocab.EnumerateObject().Count()) + 1024;
        foreach (JsonProperty word in vocab.EnumerateObject())
        {
            vocabulary[word.Name] = word.Value.ValueKind == JsonValueKind.Number && word.Value.TryGetInt32(out int id) && id >= 0 && id <= most ? id
                : throw Errors.TokenizerUnusable(displayName, $"the number of {Wording.Quote(word.Name)} is {Wording.Quote(word.Value.ToString())}");
        }

        return vocabulary.Count > 0 ? vocabulary : throw Errors.TokenizerUnusable(displayName, "its vocabulary is empty");
    }

    private static IEnumerable<string> Merges(JsonElement model, string displayName) =>
        model.TryGetProperty("merges", out JsonElement merges) && merges.ValueKind == JsonValueKind.Array
            ? [.. merges.EnumerateArray().Select(m => m.ValueKind == JsonValueKind.Array ? string.Join(' ', m.EnumerateArray().Select(t => t.GetString())) : m.GetString() ?? "")]
            : throw Errors.TokenizerUnusable(displayName, "its model has no list 'merges'");

    private static Dictionary<string, int> AddedTokens(JsonElement root)
    {
        var added = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonElement token in root.TryGetProperty("added_tokens", out JsonElement list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray()] : Array.Empty<JsonElement>())
        {
            if (Text(token, "content") is string content && token.TryGetProperty("id", out JsonElement number) && number.TryGetInt32(out int id))
                added[content] = id;
        }

        return added;
    }

    /// <summary>What the post-processor puts before and after a single text.</summary>
    private static (int[] Prefix, int[] Suffix) Around(JsonElement root, Func<string, int?> number)
    {
        foreach (JsonElement part in Parts(root, "post_processor", "processors"))
        {
            if (Text(part, "type") is "BertProcessing" or "RobertaProcessing" && part.TryGetProperty("cls", out JsonElement cls) && part.TryGetProperty("sep", out JsonElement sep))
                return ([cls[1].GetInt32()], [sep[1].GetInt32()]);
            if (Text(part, "type") != "TemplateProcessing" || !part.TryGetProperty("single", out JsonElement single))
                continue;
            JsonElement[] pieces = [.. single.EnumerateArray()];
            int at = Array.FindIndex(pieces, piece => piece.TryGetProperty("Sequence", out _));
            int[] Special(IEnumerable<JsonElement> some) =>
                [.. some.Select(piece => piece.TryGetProperty("SpecialToken", out JsonElement token) && Text(token, "id") is string id ? number(id) : null).OfType<int>()];
            return (Special(pieces.Take(at)), Special(pieces.Skip(at + 1)));
        }

        return ([], []);
    }

    private static Func<string, string> Normalizer(JsonElement root, string displayName, bool lowercase)
    {
        var steps = new List<Func<string, string>>();
        foreach (JsonElement part in Parts(root, "normalizer", "normalizers"))
        {
            steps.Add(Text(part, "type") switch
            {
                // Text is in this form as good as always, and the runtime cannot bring it there without the system's Unicode library.
                "NFC" => text => text,
                "Lowercase" => text => text.ToLowerInvariant(),
                var other => throw Errors.TokenizerUnusable(displayName, $"it normalizes text by {Wording.Quote(other ?? "nothing named")}, which is not known"),
            });
        }

        if (lowercase)
            steps.Add(text => text.ToLower(CultureInfo.InvariantCulture));
        return text => steps.Aggregate(text, (t, step) => step(t));
    }

    /// <summary>The object under a key, or those that it lists when it is a sequence.</summary>
    private static IEnumerable<JsonElement> Parts(JsonElement root, string key, string list)
    {
        if (!root.TryGetProperty(key, out JsonElement part) || part.ValueKind != JsonValueKind.Object)
            return [];
        return Text(part, "type") == "Sequence" && part.TryGetProperty(list, out JsonElement parts) && parts.ValueKind == JsonValueKind.Array
            ? [.. parts.EnumerateArray().Where(p => p.ValueKind == JsonValueKind.Object)]
            : [part];
    }

    private static string? Text(JsonElement element, string key) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool? Flag(JsonElement element, string key) =>
        element.TryGetProperty(key, out JsonElement value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;
}
