using Google.Protobuf;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Data;

public sealed class TextLinesTests : IDisposable
{
    private const string Bert = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\n##s\n.\ncafe\n";

    /// <summary>Letters, then what merges make of them; Ġ is the byte-level space.</summary>
    private const string BytePairs = """
        {
          "added_tokens": [ { "id": 20, "content": "<s>", "special": true }, { "id": 21, "content": "</s>", "special": true } ],
          "normalizer": { "type": "NFC" },
          "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "use_regex": true },
          "post_processor": { "type": "TemplateProcessing", "single": [ { "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "</s>", "type_id": 0 } } ] },
          "model": { "type": "BPE", "vocab": { "l": 0, "o": 1, "w": 2, "e": 3, "r": 4, "Ġ": 5, "lo": 6, "low": 7, "er": 8, "Ġlow": 9, "Ġl": 10 }, "merges": [ "l o", "lo w", "e r", "Ġ low" ] }
        }
        """;

    private readonly TemporaryFolder folder = new();

    [Fact]
    public void ABertVocabularyGivesEveryInputOfABertModel()
    {
        Sample[] samples = [.. Read(Bert, "vocab.txt", "The cats sat.\n\nthe dog\n", Row("input_ids"), Row("attention_mask"), Row("token_type_ids"), Row("position_ids"))];
        Assert.Equal(["text.txt:1", "text.txt:3"], samples.Select(s => s.Id));
        Assert.Equal([2L, 5, 6, 8, 7, 9, 3], Values(samples[0], "input_ids"));
        Assert.Equal([2L, 5, 1, 3], Values(samples[1], "input_ids"));
        Assert.Equal([1L, 1, 1, 1], Values(samples[1], "attention_mask"));
        Assert.Equal([0L, 0, 0, 0], Values(samples[1], "token_type_ids"));
        Assert.Equal([0L, 1, 2, 3], Values(samples[1], "position_ids"));
        Assert.Equal([1L, 4], samples[1].Inputs["input_ids"].Shape);
    }

    [Fact]
    public void CaseIsKeptWhenThePolicySaysSo() =>
        Assert.Equal([2L, 1, 6, 3], Values(Read(Bert, "vocab.txt", "The cat", text => text with { Lowercase = false }, Row("input_ids")).Single(), "input_ids"));

    [Fact]
    public void LongLinesAreCutOffAndShortOnesFilledUp()
    {
        Sample[] cut = [.. Read(Bert, "vocab.txt", "the cat sat . the cat", text => text with { MaxLength = 5 }, Row("input_ids"))];
        Assert.Equal([2L, 5, 6, 7, 3], Values(cut[0], "input_ids"));
        Sample padded = Read(Bert, "vocab.txt", "the cat", text => text with { MaxLength = 6, Pad = true }, Row("input_ids"), Row("attention_mask")).Single();
        Assert.Equal([2L, 5, 6, 3, 0, 0], Values(padded, "input_ids"));
        Assert.Equal([1L, 1, 1, 1, 0, 0], Values(padded, "attention_mask"));
        // A model of fixed sizes gets them without a word in the policy.
        var wide = new InputDeclaration("input_ids", new TensorType(ElementType.Int32, [Dimension.Of(2), Dimension.Of(5)]));
        Sample twice = Read(Bert, "vocab.txt", "the cat", wide).Single();
        Assert.Equal([2L, 5], twice.Inputs["input_ids"].Shape);
        Assert.Equal([2, 5, 6, 3, 0, 2, 5, 6, 3, 0], twice.Inputs["input_ids"].Values<int>());
    }

    [Fact]
    public void ALabelStandsAfterTheLastTab()
    {
        Sample[] samples = [.. Read(Bert, "vocab.txt", "the\tcat\t3\r\nsat\t0", text => text, "label", Row("input_ids"))];
        Assert.Equal([3L, 0], samples.Select(s => s.Label!.Values<long>()[0]));
        Assert.Equal([2L, 5, 6, 3], Values(samples[0], "input_ids"));
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Read(Bert, "vocab.txt", "the\t3\nthe cat", text => text, "label", Row("input_ids"))).Diagnostic;
        Assert.Equal((Codes.DataLabelsInvalid, new Place("text.txt", 2)), (diagnostic.Code, diagnostic.Place));
    }

    [Fact]
    public void CachesOfDecodersAreEmpty()
    {
        var past = new InputDeclaration("past_key_values.0.key", new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(4), new Dimension(null, "past_sequence_length"), Dimension.Of(8)]));
        Sample sample = Read(Bert, "vocab.txt", "the", Row("input_ids"), past).Single();
        Assert.Equal([1L, 4, 0, 8], sample.Inputs[past.Name].Shape);
    }

    [Fact]
    public void WordPieceOfATokenizerJsonIsThatOfTheVocabulary()
    {
        string vocabulary = string.Join(", ", Bert.TrimEnd().Split('\n').Select((word, id) => $"\"{word}\": {id}"));
        string json = "{ \"normalizer\": { \"type\": \"BertNormalizer\", \"lowercase\": true, \"strip_accents\": null, \"handle_chinese_chars\": true }, "
            + "\"post_processor\": { \"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2] }, "
            + "\"model\": { \"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", \"vocab\": { " + vocabulary + " } } }";
        Assert.Equal([2L, 5, 6, 8, 10, 3], Values(Read(json, "tokenizer.json", "The Cats Café", Row("input_ids")).Single(), "input_ids"));
    }

    [Fact]
    public void BytePairsAreMergedAsTheFileSays() =>
        Assert.Equal([20L, 7, 8, 9, 3, 2, 21], Values(Read(BytePairs, "tokenizer.json", "lower lowew", Row("input_ids")).Single(), "input_ids"));

    /// <summary>A pattern of the file's own, as Llama 3 and Qwen have it, and letters of two bytes.</summary>
    [Fact]
    public void TextIsSplitByThePatternsOfTheFile()
    {
        string json = """
            {
              "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
                { "type": "Split", "pattern": { "Regex": "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+|\\s+" }, "behavior": "Isolated", "invert": false },
                { "type": "ByteLevel", "add_prefix_space": false, "use_regex": false } ] },
              "post_processor": { "type": "ByteLevel" },
              "model": { "type": "BPE", "vocab": { "1": 0, "2": 1, "a": 2, "Ã": 3, "©": 4, "Ã©": 5, "12": 6, "aÃ©": 7, "Ġ": 8 }, "merges": [ ["1", "2"], ["Ã", "©"], ["a", "Ã©"] ] }
            }
            """;
        // Digits are split one by one, so that the merge of 1 and 2 never comes.
        Assert.Equal([7L, 8, 0, 1], Values(Read(json, "tokenizer.json", "aé 12", Row("input_ids")).Single(), "input_ids"));
    }

    [Theory]
    [InlineData("{ \"post_processor\": { \"type\": \"BertProcessing\", \"sep\": [], \"cls\": 3 }, \"model\": { \"type\": \"WordPiece\", \"vocab\": { \"a\": 0 } } }", "tokenizer.json", "")]
    [InlineData("{ \"model\": { \"type\": \"BPE\", \"vocab\": { \"a\": \"x\" }, \"merges\": [] } }", "tokenizer.json", "'x'")]
    [InlineData("{ \"model\": { \"type\": \"Unigram\", \"vocab\": [] } }", "tokenizer.json", "'Unigram'")]
    [InlineData("{ \"model\": { \"type\": \"BPE\", \"vocab\": { \"a\": 0 }, \"merges\": [] } }", "tokenizer.json", "not byte-level")]
    [InlineData("{ \"model\": { \"type\": \"BPE\", \"vocab\": { \"a\": 999999999 }, \"merges\": [] } }", "tokenizer.json", "'a'")]
    [InlineData("{ \"model\": ", "tokenizer.json", "")]
    [InlineData("[]", "tokenizer.json", "'model'")]
    [InlineData("[PAD]\n[UNK]\n[CLS]\nthe", "vocab.txt", "[SEP]")]
    [InlineData("no protobuf", "tokenizer.model", "")]
    [InlineData("x", "tokenizer.bin", "ending")]
    public void ATokenizerThatCannotBeReadSaysWhy(string content, string name, string reason)
    {
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Read(content, name, "the", Row("input_ids"))).Diagnostic;
        Assert.Equal((Codes.TokenizerUnusable, name), (diagnostic.Code, diagnostic.Place.File));
        Assert.Contains(reason, diagnostic.Message);
    }

    /// <summary>Unigram: the pieces of greatest probability, and the end of a sentence as T5 has it; BPE: the beginning as Llama has it.</summary>
    [Theory]
    [InlineData(1, new long[] { 3, 4, 1 })]
    [InlineData(2, new long[] { 2, 3, 4 })]
    public void SentencePieceModelsAreRead(int kind, long[] expected)
    {
        Sample sample = Read(SentencePiece(kind), "tokenizer.model", "ab c", Row("input_ids")).Single();
        Assert.Equal(expected, Values(sample, "input_ids"));
    }

    [Fact]
    public void TextWithoutATokenizerIsAnError()
    {
        File.WriteAllText(folder.Combine("text.txt"), "the");
        Assert.Equal(Codes.TokenizerUnusable, Assert.Throws<MixedPrecisionException>(() => SampleReader.Read(folder.Combine("text.txt"), "text.txt", [Row("input_ids")], null, null)).Diagnostic.Code);
    }

    [Fact]
    public void AnInputThatTextDoesNotGiveIsNamed()
    {
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(
            () => Read(Bert, "vocab.txt", "the", Row("input_ids"), new InputDeclaration("pixels", new TensorType(ElementType.Float, [Dimension.Unknown, Dimension.Of(3)])))).Diagnostic;
        Assert.Equal(Codes.DataInputsNotGiven, diagnostic.Code);
        Assert.Contains("pixels", diagnostic.Message);
    }

    [Fact]
    public void EndlessLinesAndOtherEncodingsAreNamedByTheirLine()
    {
        Diagnostic tooLong = Assert.Throws<MixedPrecisionException>(() => Read(Bert, "vocab.txt", "the\n" + new string('x', (1 << 20) + 1), Row("input_ids"))).Diagnostic;
        Assert.Equal((Codes.DataUnreadable, new Place("text.txt", 2)), (tooLong.Code, tooLong.Place));
        Read(Bert, "vocab.txt", "the", Row("input_ids"));
        File.WriteAllBytes(folder.Combine("text.txt"), [.. "the\n"u8, 0xC3, 0x28, 10]);
        Assert.Equal(Codes.DataUnreadable, Assert.Throws<MixedPrecisionException>(() => ReadAgain(text => text, null, Row("input_ids"))).Diagnostic.Code);
    }

    public void Dispose() => folder.Dispose();

    private static InputDeclaration Row(string name) => new(name, new TensorType(ElementType.Int64, [new Dimension(null, "batch"), new Dimension(null, "sequence")]));

    private static long[] Values(Sample sample, string input) => sample.Inputs[input].Values<long>().ToArray();

    /// <summary>A model of five pieces: unknown 0, end 1, beginning 2, "▁ab" 3, "▁c" 4, and for merging the letters.</summary>
    private static byte[] SentencePiece(int kind)
    {
        (string Piece, float Score, int Type)[] pieces =
            [("<unk>", 0, 2), ("</s>", 0, 3), ("<s>", 0, 3), ("▁ab", -1, 1), ("▁c", -1.5f, 1), ("▁", -2, 1), ("a", -3, 1), ("b", -3, 1), ("c", -3, 1), ("ab", -0.5f, 1)];
        using var stream = new MemoryStream();
        var output = new CodedOutputStream(stream);
        foreach ((string piece, float score, int type) in pieces)
        {
            Message(output, 1, m =>
            {
                m.WriteTag(1, WireFormat.WireType.LengthDelimited);
                m.WriteString(piece);
                m.WriteTag(2, WireFormat.WireType.Fixed32);
                m.WriteFloat(score);
                m.WriteTag(3, WireFormat.WireType.Varint);
                m.WriteEnum(type);
            });
        }

        Message(output, 2, m =>
        {
            foreach ((int field, int value) in new[] { (3, kind), (4, pieces.Length), (40, 0), (41, 2), (42, 1), (43, -1) })
            {
                m.WriteTag(field, WireFormat.WireType.Varint);
                m.WriteInt32(value);
            }
        });
        Message(output, 3, m =>
        {
            m.WriteTag(1, WireFormat.WireType.LengthDelimited);
            m.WriteString("identity");
        });
        output.Flush();
        return stream.ToArray();
    }

    private static void Message(CodedOutputStream output, int field, Action<CodedOutputStream> write)
    {
        using var inner = new MemoryStream();
        var message = new CodedOutputStream(inner);
        write(message);
        message.Flush();
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(inner.ToArray()));
    }

    private IReadOnlyList<Sample> Read(string tokenizer, string name, string text, params InputDeclaration[] inputs) => Read(tokenizer, name, text, t => t, null, inputs);

    private IReadOnlyList<Sample> Read(byte[] tokenizer, string name, string text, params InputDeclaration[] inputs)
    {
        File.WriteAllBytes(folder.Combine(name), tokenizer);
        File.WriteAllText(folder.Combine("text.txt"), text);
        return ReadAgain(t => t with { Tokenizer = name }, null, inputs);
    }

    private IReadOnlyList<Sample> Read(string tokenizer, string name, string text, Func<TextPolicy, TextPolicy> with, params InputDeclaration[] inputs) =>
        Read(tokenizer, name, text, with, null, inputs);

    private IReadOnlyList<Sample> Read(string tokenizer, string name, string text, Func<TextPolicy, TextPolicy> with, string? label, params InputDeclaration[] inputs)
    {
        File.WriteAllText(folder.Combine(name), tokenizer);
        File.WriteAllText(folder.Combine("text.txt"), text);
        return ReadAgain(t => with(t) with { Tokenizer = name }, label, inputs);
    }

    private IReadOnlyList<Sample> ReadAgain(Func<TextPolicy, TextPolicy> with, string? label, params InputDeclaration[] inputs) => SampleReader.Read(
        folder.Combine("text.txt"), "text.txt", inputs, label, null, null, new DataFormat(null, with(new TextPolicy("vocab.txt", null, false, null)), folder.Path));
}
