using System.Text;
using CsCheck;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Data;

public class JsonLinesTests
{
    private static readonly InputDeclaration[] Tokens =
    [
        new("ids", new TensorType(ElementType.Int64, [new(null, "batch"), new(null, "sequence")])),
        new("mask", new TensorType(ElementType.Int64, [new(null, "batch"), new(null, "sequence")])),
    ];

    [Fact]
    public void Samples_of_any_shape_are_read_with_their_labels()
    {
        IReadOnlyList<Sample> samples = Read(
            "\uFEFF{\"ids\": [[1, 2, 3]], \"mask\": [[1, 1, 0]], \"label\": [4], \"text\": \"a\\nb\", \"other\": {\"x\": [null]}}\r\n"
            + "\r\n"
            + "{\"label\": 7, \"mask\": [[1], [1]], \"ids\": [[-9223372036854775808], [9223372036854775807]]}",
            Tokens, "label");

        Assert.Equal(["data.jsonl:1", "data.jsonl:3"], samples.Select(sample => sample.Id));
        Assert.Equal([1, 3], samples[0].Inputs["ids"].Shape);
        Assert.Equal([1L, 2, 3], samples[0].Inputs["ids"].Values<long>().ToArray());
        Assert.Equal([1L, 1, 0], samples[0].Inputs["mask"].Values<long>().ToArray());
        Assert.Equal(["ids", "mask"], samples[0].Inputs.Keys);
        Assert.Equal([4L], samples[0].Label!.Values<long>().ToArray());
        Assert.Equal([1], samples[0].Label!.Shape);
        Assert.Equal([2, 1], samples[1].Inputs["ids"].Shape);
        Assert.Equal([long.MinValue, long.MaxValue], samples[1].Inputs["ids"].Values<long>().ToArray());
        Assert.Empty(samples[1].Label!.Shape);
    }

    [Fact]
    public void Every_element_type_is_written_as_the_model_declares_it()
    {
        Assert.Equal([1f, -0.5f, 1e-3f], One<float>("[1, -0.5, 1e-3]"));
        Assert.Equal([0.1, 2], One<double>("[0.1, 2]"));
        Assert.Equal([(Half)0.1, (Half)65504], One<Half>("[0.1, 65504]"));
        Assert.Equal([sbyte.MinValue, sbyte.MaxValue], One<sbyte>("[-128, 127]"));
        Assert.Equal([byte.MaxValue], One<byte>("[255]"));
        Assert.Equal([short.MinValue], One<short>("[-32768]"));
        Assert.Equal([ushort.MaxValue], One<ushort>("[65535]"));
        Assert.Equal([int.MinValue], One<int>("[-2147483648]"));
        Assert.Equal([uint.MaxValue], One<uint>("[4294967295]"));
        Assert.Equal([ulong.MaxValue], One<ulong>("[18446744073709551615]"));
        Assert.Equal([true, false, true, false], One<bool>("[true, false, 1, 0]"));
        Tensor brain = Read("{\"x\": [1.00390625, 1.01171875, -3.5]}", [new("x", new TensorType(ElementType.BFloat16, null))])[0].Inputs["x"];
        Assert.Equal("803F823F60C0", Convert.ToHexString(brain.Bytes.Span));

        static T[] One<T>(string json)
            where T : unmanaged => Read($"{{\"x\": {json}}}", [new("x", new TensorType(ElementType.Of<T>(), null))])[0].Inputs["x"].Values<T>().ToArray();
    }

    [Fact]
    public void Labels_may_be_written_as_reals_or_truth_values()
    {
        Assert.Equal([1, 0, -100], Label("[1.0, 0.0, -100.0]"));
        Assert.Equal([1, 0], Label("[true, false]"));
        Assert.Contains("1.5", Assert.Throws<MixedPrecisionException>(() => Label("[1.5]")).Diagnostic.Message);

        static long[] Label(string json) => Read($"{{\"label\": {json}}}", [], "label")[0].Label!.Values<long>().ToArray();
    }

    [Fact]
    public void Further_fields_are_read_in_the_type_that_the_loss_asks_for()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.Combine("a.jsonl"), "{\"x\": 1, \"wanted\": [0.5], \"mask\": [true, 1]}");
        Sample sample = Assert.Single(SampleReader.Read(
            folder.Combine("a.jsonl"), "a.jsonl", [new("x", new TensorType(ElementType.Float, null))], null, null, [new("wanted", ElementType.Float), new("mask", ElementType.Int64)]));
        Assert.Equal([0.5f], sample.Fields["wanted"].Values<float>());
        Assert.Equal([1L, 1], sample.Find("mask")!.Values<long>());
        Assert.Equal([1f], sample.Find("x")!.Values<float>());
        Diagnostic missing = Assert.Throws<MixedPrecisionException>(() => SampleReader.Read(
            folder.Combine("a.jsonl"), "a.jsonl", [], null, null, [new("wantd", ElementType.Float)])).Diagnostic;
        Assert.Equal((Codes.DataMissingKey, new Place("a.jsonl", 1)), (missing.Code, missing.Place));
        Assert.Contains("is 'wanted' meant?", missing.Message);
        Assert.Equal(["x", "wanted", "mask"], SampleReader.Keys(folder.Combine("a.jsonl"), "a.jsonl"));
    }

    [Theory]
    [InlineData("5", new long[] { })]
    [InlineData("[]", new long[] { 0 })]
    [InlineData("[[], []]", new long[] { 2, 0 })]
    [InlineData("[[[1, 2]], [[3, 4]], [[5, 6]]]", new long[] { 3, 1, 2 })]
    public void Nested_arrays_give_the_shape(string json, long[] shape) => Assert.Equal(shape, Read($"{{\"x\": {json}}}", Free("x"))[0].Inputs["x"].Shape);

    [Fact]
    public void The_first_samples_are_taken_and_the_rest_is_not_looked_at()
    {
        IReadOnlyList<Sample> samples = Read("{\"x\": 1}\n{\"x\": 2}\nnot JSON", Free("x"), maximum: 2);

        Assert.Equal([1L, 2], samples.Select(sample => sample.Inputs["x"].Values<long>()[0]));
    }

    [Theory]
    [InlineData("{\"x\": 1,}", "MPB3004", 9, "no JSON object")]
    [InlineData("{\"x\": 1} {}", "MPB3004", 10, "no JSON object")]
    [InlineData("{\"ä\": 1, \"x\" 1}", "MPB3004", 14, "no JSON object")]
    [InlineData("[1]", "MPB3004", 1, "a line is an object")]
    [InlineData("{\"x\": 1, \"x\": 2}", "MPB3004", 10, "'x' stands twice")]
    [InlineData("{\"x\": [1", "MPB3004", 9, "no JSON object")]
    [InlineData("{\"y\": 1, \"X\": 2}", "MPB3006", null, "the model's input 'x' is missing; is 'X' meant? Found are 'y', 'X'")]
    [InlineData("{\"label\": 1}", "MPB3006", null, "Found are 'label'")]
    [InlineData("{}", "MPB3006", null, "There is nothing here")]
    [InlineData("{\"x\": [1, 1.5]}", "MPB3007", 11, "'x': found 1.5, expected a whole number (int64")]
    [InlineData("{\"x\": [1.0]}", "MPB3007", 8, "found 1.0")]
    [InlineData("{\"x\": [9223372036854775808]}", "MPB3007", 8, "found 9223372036854775808")]
    [InlineData("{\"x\": [1e999]}", "MPB3007", 8, "found 1e999")]
    [InlineData("{\"x\": \"1\"}", "MPB3007", 7, "found a text")]
    [InlineData("{\"x\": null}", "MPB3007", 7, "found null")]
    [InlineData("{\"x\": [true]}", "MPB3007", 8, "found true")]
    [InlineData("{\"x\": [{\"a\": 1}]}", "MPB3007", 8, "found an object")]
    [InlineData("{\"x\": [[1, 2], [3]]}", "MPB3008", 18, "an array of 1 after one of 2")]
    [InlineData("{\"x\": [1, [2]]}", "MPB3008", 12, "a number at depth 2 after others at depth 1")]
    [InlineData("{\"x\": [[1], 2]}", "MPB3008", 13, "a number at depth 1 after others at depth 2")]
    [InlineData("{\"x\": [[], [[]]]}", "MPB3008", 14, "an empty array at depth 3")]
    [InlineData("{\"x\": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", "MPB3008", 23, "more than 16 levels")]
    public void Each_mistake_has_its_code_place_and_words(string line, string code, int? column, string words)
    {
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Read("{\"x\": 0}\n" + line, Free("x"))).Diagnostic;

        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Equal((code, new Place("data.jsonl", 2, column)), (error.Code.Id, error.Place));
    }

    [Theory]
    [InlineData("[1, 2]", "[1, 2]", "'ids': found the shape [2], expected 2 dimensions as the model declares, [batch, sequence]; a sample includes its batch axis")]
    public void A_shape_that_does_not_fit_is_an_error(string ids, string mask, string words)
    {
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Read($"{{\"ids\": {ids}, \"mask\": {mask}}}", Tokens)).Diagnostic;

        Assert.Equal((Codes.DataWrongShape, new Place("data.jsonl", 1)), (error.Code, error.Place));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fixed_dimension_binds_and_an_unknown_one_does_not()
    {
        InputDeclaration[] inputs = [new("x", new TensorType(ElementType.Float, [Dimension.Unknown, Dimension.Of(2), Dimension.Of(-1)]))];

        Assert.Equal([3, 2, 1], Read("{\"x\": [[[1], [2]], [[3], [4]], [[5], [6]]]}", inputs)[0].Inputs["x"].Shape);
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Read("{\"x\": [[[1], [2], [3]]]}", inputs)).Diagnostic;
        Assert.Contains("found the shape [1, 3, 1], expected 2 along axis 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_range_is_that_of_the_input()
    {
        foreach ((int type, string value) in new[]
        {
            (ElementType.UInt8, "256"), (ElementType.UInt8, "-1"), (ElementType.Float, "1e39"), (ElementType.Float16, "65520"), (ElementType.BFloat16, "3.4e38"), (ElementType.Bool, "2"),
        })
        {
            Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Read($"{{\"x\": {value}}}", [new("x", new TensorType(type, null))])).Diagnostic;
            Assert.Equal(Codes.DataWrongType, error.Code);
            Assert.Contains($"found {value}, expected", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_label_that_is_missing_or_no_whole_number_is_an_error()
    {
        Assert.Contains("the label 'label' is missing; is 'labels' meant?", Fails("{\"x\": 1, \"labels\": 2}"), StringComparison.Ordinal);
        Assert.Contains("'label': found 0.5", Fails("{\"x\": 1, \"label\": 0.5}"), StringComparison.Ordinal);

        static string Fails(string text) => Assert.Throws<MixedPrecisionException>(() => Read(text, Free("x"), "label")).Message;
    }

    [Fact]
    public void A_label_may_be_an_input_too()
    {
        Sample sample = Read("{\"x\": [3]}", Free("x"), "x")[0];

        Assert.Same(sample.Inputs["x"], sample.Label);
    }

    [Fact]
    public void A_file_that_gives_no_sample_says_why()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(Codes.DataEmpty, Fails("empty.jsonl", ""));
        Assert.Equal(Codes.DataEmpty, Fails("blank.ndjson", "\n \r\n\t"));
        Assert.Equal(Codes.DataFormatUnknown, Fails("a.csv", "x\n1"));
        Assert.Equal(Codes.DataNotFound, Fails("absent.jsonl", null));
        Assert.Equal(Codes.DataUnreadable, Fails("long.jsonl", "{\"x\": 1" + new string(' ', 65 << 20)));
        Assert.Equal(Codes.DataInputUnsupported, Assert.Throws<MixedPrecisionException>(() => Read("{\"x\": 1}", [new("x", new TensorType(ElementType.String, null))])).Diagnostic.Code);

        ErrorCode Fails(string name, string? text)
        {
            if (text is not null)
                File.WriteAllText(folder.Combine(name), text);
            Diagnostic error = Assert.Throws<MixedPrecisionException>(() => SampleReader.Read(folder.Combine(name), "shown", Free("x"), null, null)).Diagnostic;
            Assert.Equal("shown", error.Place.File);
            return error.Code;
        }
    }

    [Fact]
    public void Lines_longer_than_a_buffer_are_read_whole()
    {
        string numbers = string.Join(", ", Enumerable.Range(0, 200_000));
        IReadOnlyList<Sample> samples = Read($"{{\"x\": [{numbers}]}}\n{{\"x\": [1]}}\n", Free("x"));

        Assert.Equal(Enumerable.Range(0, 200_000).Select(i => (long)i), samples[0].Inputs["x"].Values<long>().ToArray());
        Assert.Equal("data.jsonl:2", samples[1].Id);
    }

    [Fact]
    public void Random_text_is_samples_or_an_expected_error()
    {
        string[] parts = ["{\"x\":", "\"x\"", "[", "]", "{", "}", ",", "1", "-", "0.5", "e9", "null", "true", "\"", "\\", "\\ud800", "\n", " ", "é", "\uD83D"];
        Gen.Int[0, parts.Length - 1].Select(i => parts[i]).Array[0, 20].Select(string.Concat).Sample(text =>
        {
            try
            {
                return Read("{\"x\":" + text, Free("x")).Count > 0;
            }
            catch (MixedPrecisionException e)
            {
                return e.Diagnostic.Code.Id.StartsWith("MPB30", StringComparison.Ordinal) && e.Diagnostic.Place.File == "data.jsonl";
            }
        }, iter: 500);
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_are_an_expected_error()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.Combine("a.jsonl"), [.. "{\"x"u8, 0xFF, .. "\": 1}"u8]);

        Assert.Equal(Codes.DataNotJson, Assert.Throws<MixedPrecisionException>(() => SampleReader.Read(folder.Combine("a.jsonl"), "a.jsonl", Free("x"), null, null)).Diagnostic.Code);
    }

    private static InputDeclaration[] Free(string name) => [new(name, new TensorType(ElementType.Int64, null))];

    private static IReadOnlyList<Sample> Read(string text, IReadOnlyList<InputDeclaration> inputs, string? labelKey = null, int? maximum = null)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.Combine("data.jsonl"), text, new UTF8Encoding(false));
        return SampleReader.Read(folder.Combine("data.jsonl"), "data.jsonl", inputs, labelKey, maximum);
    }
}
