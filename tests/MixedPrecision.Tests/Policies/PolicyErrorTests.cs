using System.Text;
using CsCheck;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Policies;

public class PolicyErrorTests
{
    private const string M = "model: m.onnx\n";

    [Theory]
    [InlineData("model: [a", "MPB1003", 2, 1, "not well-formed YAML")]
    [InlineData("model: \"a", "MPB1003", 1, 8, "not well-formed YAML")]
    [InlineData("model: a\n\tbudget: 1%", "MPB1003", 1, 8, "tab")]
    [InlineData("model: a: b", "MPB1003", 1, 9, "not well-formed YAML")]
    [InlineData(M + "layers: &x []\nscenarios: *x", "MPB1004", 2, 9, "anchor '&x'")]
    [InlineData(M + "layers: [ { match: */q, format: fp32 } ]", "MPB1004", 2, 20, "goes in quotes")]
    [InlineData("model: !!str m.onnx", "MPB1004", 1, 8, "tag 'tag:yaml.org,2002:str'")]
    [InlineData(M + "---\nmodel: b", "MPB1004", 2, 1, "second document")]
    [InlineData("[a]: b", "MPB1004", 1, 1, "key that is no text")]
    [InlineData(M + "budgt: 1%", "MPB1005", 2, 1, "did you mean 'budget'? The keys here are 'model', 'defaults', 'output', 'budget'")]
    [InlineData(M + "Budget: 1%", "MPB1005", 2, 1, "did you mean 'budget'?")]
    [InlineData(M + "ubdget: 1%", "MPB1005", 2, 1, "did you mean 'budget'?")]
    [InlineData(M + "something: 1%", "MPB1005", 2, 1, "in the policy. The keys here are")]
    [InlineData(M + "calibration: { data: a, lables: b }", "MPB1005", 2, 25, "in calibration; did you mean 'labels'?")]
    [InlineData(M + "evaluation:\n  date: a", "MPB1005", 3, 3, "did you mean 'data'?")]
    [InlineData(M + "runtime: { thread: 1 }", "MPB1005", 2, 12, "did you mean 'threads'?")]
    [InlineData(M + "scenarios: [ { input: {} } ]", "MPB1005", 2, 16, "in a scenario; did you mean 'inputs'?")]
    [InlineData(M + "layers: [ { matches: a } ]", "MPB1005", 2, 13, "in a rule for layers; did you mean 'match'?")]
    [InlineData(M + "model: b", "MPB1006", 2, 1, "'model' was given in line 1")]
    [InlineData(M + "scenarios: [ { inputs: { batch: 1, batch: 2 } } ]", "MPB1006", 2, 36, "'batch'")]
    [InlineData("", "MPB1007", 1, 1, "the policy lacks the key 'model'")]
    [InlineData("# nothing", "MPB1007", 1, 1, "the policy lacks the key 'model'")]
    [InlineData("budget: 1%", "MPB1007", 1, 1, "'model: …' with the path of an ONNX model")]
    [InlineData(M + "evaluation: { samples: 3 }", "MPB1007", 2, 13, "evaluation lacks the key 'data'")]
    [InlineData(M + "scenarios: [ { weight: 1 } ]", "MPB1007", 2, 14, "a scenario lacks the key 'inputs'")]
    [InlineData(M + "layers: [ { match: a } ]", "MPB1007", 2, 11, "lacks the key 'format'; add 'format: …' with a format, or one of the keys 'not'")]
    [InlineData("model.onnx", "MPB1008", 1, 1, "the policy: found the text 'model.onnx', expected keys and values")]
    [InlineData("- model: a", "MPB1008", 1, 1, "found a list")]
    [InlineData("model:", "MPB1008", 1, 7, "model: found nothing, expected the path of an ONNX model")]
    [InlineData("model: 5", "MPB1008", 1, 8, "found the number 5, expected the path of an ONNX model; a text that looks otherwise goes in quotes")]
    [InlineData("model: [a]", "MPB1008", 1, 8, "found a list")]
    [InlineData(M + "calibration:", "MPB1008", 2, 13, "found nothing, expected a section")]
    [InlineData(M + "calibration: a.jsonl", "MPB1008", 2, 14, "calibration: found the text 'a.jsonl', expected a section such as { data:")]
    [InlineData(M + "calibration: { samples: many }", "MPB1008", 2, 25, "calibration.samples: found the text 'many', expected a whole number")]
    [InlineData(M + "calibration: { samples: \"5\" }", "MPB1008", 2, 25, "found the text '5'")]
    [InlineData(M + "calibration: { samples: 1.5 }", "MPB1008", 2, 25, "found the number 1.5")]
    [InlineData(M + "calibration: { labels: true }", "MPB1008", 2, 24, "found the truth value true")]
    [InlineData(M + "budget: true", "MPB1008", 2, 9, "as 1% or 0.01")]
    [InlineData(M + "budget: [ 1% ]", "MPB1008", 2, 9, "found a list")]
    [InlineData(M + "budget: { lossEror: 1% }", "MPB1005", 2, 11, "did you mean 'lossError'?")]
    [InlineData(M + "budget: {}", "MPB1010", 2, 9, "expected one key or more")]
    [InlineData(M + "budget: { lossError: 1%, lossError: 2% }", "MPB1006", 2, 26, "'lossError'")]
    [InlineData(M + "budget: { agreement: 99.5 }", "MPB1010", 2, 22, "for 99.5 % write 99.5%")]
    [InlineData(M + "budget: { agreement: 0.1 }", "MPB1010", 2, 22, "as 99.5% or 0.995")]
    [InlineData(M + "budget: { agreement: 101% }", "MPB1010", 2, 22, "budget.agreement: found '101%'")]
    [InlineData(M + "budget: { size: 40 }", "MPB1010", 2, 17, "budget.size: found '40', expected a size with its unit, as 40 MB, or a share of the original, as 60%; units are %, B, kB")]
    [InlineData(M + "budget: { size: 40 mb }", "MPB1010", 2, 17, "'40 mb'")]
    [InlineData(M + "budget: { size: 0 MB }", "MPB1010", 2, 17, "'0 MB'")]
    [InlineData(M + "budget: { size: true }", "MPB1008", 2, 17, "found the truth value true")]
    [InlineData(M + "layers: [ { match: a, not: int5 } ]", "MPB1009", 2, 28, "layers[0].not: unknown name 'int5'")]
    [InlineData(M + "layers: [ { match: a, not: [] } ]", "MPB1010", 2, 28, "an empty list")]
    [InlineData(M + "layers: [ { match: a, not: [ int4-weight, int8 ] } ]", "MPB1009", 2, 43, "layers[0].not[1]: unknown name 'int8'")]
    [InlineData(M + "layers: [ { match: a, not: [ int4-weight(block=32,symmetric) ] } ]", "MPB1010", 2, 30, "in quotes")]
    [InlineData(M + "layers: [ { match: a, atLeast: fp23 } ]", "MPB1009", 2, 32, "layers[0].atLeast: unknown name 'fp23'; did you mean 'fp32'?")]
    [InlineData(M + "layers: [ { match: a, sharedFormat: 1 } ]", "MPB1008", 2, 37, "expected true or false")]
    [InlineData(M + "budget: { lossError: 0 }", "MPB1010", 2, 22, "budget.lossError: found '0'")]
    [InlineData(M + "budget: { accuracyDrop: 1 }", "MPB1010", 2, 25, "for 1 % write 1%")]
    [InlineData(M + "budget: { lossIncrease: 101% }", "MPB1010", 2, 25, "a share from 0 to 100 %")]
    [InlineData(M + "formats: { a: b }", "MPB1005", 2, 12, "unknown key 'a' in a format")]
    [InlineData(M + "scenarios: { inputs: { batch: 1 } }", "MPB1008", 2, 12, "expected a list of scenarios")]
    [InlineData(M + "scenarios: [ { inputs: [ 1 ] } ]", "MPB1008", 2, 24, "scenarios[0].inputs: found a list, expected the sizes")]
    [InlineData(M + "scenarios:\n  - inputs: {}\n  -", "MPB1008", 4, 4, "scenarios[1]: found nothing")]
    [InlineData(M + "scenarios: [ { inputs: {}, weight: heavy } ]", "MPB1008", 2, 36, "scenarios[0].weight: found the text 'heavy'")]
    [InlineData(M + "layers: [ a ]", "MPB1008", 2, 11, "layers[0]: found the text 'a'")]
    [InlineData(M + "calibration: { loss: cross_entropy }", "MPB1009", 2, 22, "'cross_entropy'; did you mean 'cross-entropy'? Expected one of 'cross-entropy', 'next-token', 'output-mse'")]
    [InlineData(M + "calibration: { loss: graph }", "MPB1007", 2, 22, "of kind graph lacks the key 'file'")]
    [InlineData(M + "calibration: { loss: { kind: graph } }", "MPB1007", 2, 22, "of kind graph lacks the key 'file'")]
    [InlineData(M + "calibration: { loss: { kind: output-mse, file: l.onnx } }", "MPB1010", 2, 22, "calibration.loss.file: found 'l.onnx', expected no file")]
    [InlineData(M + "calibration: { loss: [ { kind: nexttoken } ] }", "MPB1009", 2, 32, "calibration.loss[0].kind: unknown name 'nexttoken'; did you mean 'next-token'?")]
    [InlineData(M + "calibration: { loss: [] }", "MPB1010", 2, 22, "expected a loss such as cross-entropy")]
    [InlineData(M + "objective: latency", "MPB1009", 2, 12, "'latency'. Expected one of 'time', 'theoretical-time', 'memory'")]
    [InlineData(M + "formats: gpu", "MPB1009", 2, 10, "did you mean 'cpu'?")]
    [InlineData(M + "formats: [ int8-dynamic, int4 ]", "MPB1009", 2, 26, "formats[1]: unknown name 'int4'")]
    [InlineData(M + "layers: [ { match: a, format: fp23 } ]", "MPB1009", 2, 31, "layers[0].format: unknown name 'fp23'; did you mean 'fp32'?")]
    [InlineData(M + "layers: [ { match: a, format: cpu } ]", "MPB1009", 2, 31, "unknown name 'cpu'")]
    [InlineData(M + "runtime: { provider: cuda }", "MPB1009", 2, 22, "'cuda'. Expected one of 'cpu'")]
    [InlineData("model: \"\"", "MPB1010", 1, 8, "found the text ''")]
    [InlineData("model: \"a\\0b\"", "MPB1010", 1, 8, "'a\\u0000b'")]
    [InlineData(M + "output: out/m.onnx", "MPB1010", 2, 9, "without a folder")]
    [InlineData(M + "output: ..\\m.onnx", "MPB1010", 2, 9, "without a folder")]
    [InlineData(M + "output: m.bin", "MPB1010", 2, 9, "ends in .onnx")]
    [InlineData(M + "budget: 0", "MPB1010", 2, 9, "above 0")]
    [InlineData(M + "budget: 0%", "MPB1010", 2, 9, "above 0")]
    [InlineData(M + "budget: -1%", "MPB1010", 2, 9, "'-1%'")]
    [InlineData(M + "budget: -0.1", "MPB1010", 2, 9, "'-0.1'")]
    [InlineData(M + "budget: 101%", "MPB1010", 2, 9, "at most 100 %")]
    [InlineData(M + "budget: 1", "MPB1010", 2, 9, "found 1, which is 100 %, expected a relative error of the loss, above 0 and at most 100 %, as 1% or 0.01; for 1 % write 1%")]
    [InlineData(M + "budget: 0.5", "MPB1010", 2, 9, "found 0.5, which may mean 0.5 % or 50 %, expected a percentage: 0.5% or 50%")]
    [InlineData(M + "budget: 0.1", "MPB1010", 2, 9, "0.1% or 10%")]
    [InlineData(M + "budget: { accuracyDrop: 0.25 }", "MPB1010", 2, 25, "0.25% or 25%")]
    [InlineData(M + "budget: 3", "MPB1010", 2, 9, "for 3 % write 3%")]
    [InlineData(M + "budget: 1e300", "MPB1010", 2, 9, "at most 100 %")]
    [InlineData(M + "budget: .inf", "MPB1010", 2, 9, "'.inf'")]
    [InlineData(M + "budget: small", "MPB1010", 2, 9, "'small'")]
    [InlineData(M + "calibration: { samples: 0 }", "MPB1010", 2, 25, "found the number 0, expected a whole number, 1 to 2147483647")]
    [InlineData(M + "calibration: { samples: 99999999999999999999 }", "MPB1010", 2, 25, "1 to 2147483647")]
    [InlineData(M + "calibration: { confidence: 95 }", "MPB1010", 2, 28, "calibration.confidence: found the number 95, expected a number from 0.5 to 0.999")]
    [InlineData(M + "evaluation: { data: a, samples: -3 }", "MPB1010", 2, 33, "evaluation.samples: found the number -3")]
    [InlineData(M + "formats: []", "MPB1010", 2, 10, "an empty list")]
    [InlineData(M + "runtime: { freeDimensions: true }", "MPB1010", 2, 28, "runtime.freeDimensions: found true, expected false, or scenarios that all give one size to a dimension of the model")]
    [InlineData(M + "plans: per-scenario\nscenarios: [ { inputs: { a: 1 } }, { inputs: {} } ]\nruntime: { freeDimensions: true }", "MPB1010", 4, 28, "found true, expected false, or a size of some dimension of the model in each scenario")]
    [InlineData(M + "plans: several", "MPB1009", 2, 8, "plans: unknown name 'several'. Expected one of 'one', 'per-scenario'")]
    [InlineData(M + "runtime: { spinning: 0 }", "MPB1008", 2, 22, "runtime.spinning: found the number 0, expected true or false")]
    [InlineData(M + "scenarios: [ { inputs: { batch: -1 } } ]", "MPB1010", 2, 33, "scenarios[0].inputs.batch: found the number -1, expected a whole number, at least 0")]
    [InlineData(M + "scenarios: [ { inputs: {}, weight: -1 } ]", "MPB1010", 2, 36, "expected a number of at least 0")]
    [InlineData(M + "scenarios: [ { inputs: {}, weight: .nan } ]", "MPB1010", 2, 36, "expected a number of at least 0")]
    [InlineData(M + "scenarios: [ { inputs: {}, weight: 0 } ]", "MPB1010", 2, 14, "at least one weight above 0")]
    [InlineData(M + "layers: [ { match: '', format: fp32 } ]", "MPB1010", 2, 20, "layers[0].match")]
    [InlineData(M + "formats: int8-dynamic\nlayers: [ { match: a, format: int4-weight } ]", "MPB1010", 3, 11, "add it to 'formats' too")]
    [InlineData(M + "runtime: { threads: -1 }", "MPB1010", 2, 21, "expected a whole number, 0 to 1024")]
    public void Each_mistake_has_its_code_place_and_words(string text, string code, int line, int column, string words)
    {
        var error = Assert.Throws<MixedPrecisionException>(() => PolicyTests.Read(text));

        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Equal((code, new Place("p.yaml", line, column)), (error.Diagnostic.Code.Id, error.Diagnostic.Place));
    }

    [Fact]
    public void Deep_nesting_is_refused_not_followed()
    {
        var error = Assert.Throws<MixedPrecisionException>(() => PolicyTests.Read("model: " + new string('[', 100_000)));

        Assert.Equal(Codes.PolicyYamlUnsupported, error.Diagnostic.Code);
    }

    [Fact]
    public void A_long_value_is_shortened_in_the_message()
    {
        var error = Assert.Throws<MixedPrecisionException>(() => PolicyTests.Read(M + "objective: " + new string('x', 100_000)));

        Assert.InRange(error.Message.Length, 100, 300);
    }

    [Fact]
    public void A_file_that_cannot_be_read_says_why()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal("MPB1001", Load("absent.yaml").Code.Id);
        Assert.Equal("MPB1001", Load("nul\0.yaml").Code.Id);
        Assert.Contains("it is a folder", Load(".").Message, StringComparison.Ordinal);
        File.WriteAllText(folder.Combine("large.yaml"), M + new string('#', 1 << 20));
        Assert.Contains("larger than 1 MB", Load("large.yaml").Message, StringComparison.Ordinal);
        File.WriteAllBytes(folder.Combine("bytes.yaml"), [.. "model: "u8, 0xFF, 0xFE]);
        Assert.Contains("no UTF-8 text", Load("bytes.yaml").Message, StringComparison.Ordinal);

        Diagnostic Load(string name) => Assert.Throws<MixedPrecisionException>(() => Policy.Load(folder.Combine(name))).Diagnostic;
    }

    [Fact]
    public void A_file_is_read_whatever_its_byte_order_mark_and_paths_start_at_its_folder()
    {
        using var folder = new TemporaryFolder();
        string file = folder.Combine("p.yaml");
        foreach (Encoding encoding in new Encoding[] { new UTF8Encoding(false), new UTF8Encoding(true), Encoding.Unicode })
        {
            File.WriteAllText(file, "model: größe/m.onnx", encoding);
            Policy policy = Policy.Load(file);

            Assert.Equal((file, folder.Path, "größe/m.onnx"), (policy.File, policy.Folder, policy.Model));
            Assert.Equal(folder.Combine("größe", "m.onnx"), policy.Resolve(policy.Model));
            Assert.Equal(Path.GetFullPath("/else/m.onnx"), policy.Resolve("/else/m.onnx"));
        }
    }

    [Fact]
    public void Random_text_is_a_policy_or_an_expected_error()
    {
        string[] parts =
        [
            "model", "budget", "calibration", "scenarios", "inputs", "layers", "match", "runtime", ": ", ":", "- ", "-", "?", "? ", "{", "}", "[", "]", ", ", "\n", "\n  ",
            "\r\n", "\t", "\"", "'", "|", ">", "|2-", "#", " #", "&a ", "*a", "!t ", "!<x> ", "%YAML 1.2", "%TAG ! x", "---", "...", "\\", "\\x4", "\\UFFFFFFFF", "\\ud800", "~", "1%", "0.01",
            "1e999", ".inf", "\0", "\u0085", "\u2028", "\uFEFF", "\uD83D", "\uDE00", "é", "@", "`", "<<", "=",
        ];
        Gen<string> text = Gen.OneOf(Gen.Int[0, parts.Length - 1].Select(i => parts[i]).Array[0, 40].Select(string.Concat), Gen.String[0, 60]);
        text.Select(Gen.Bool, (body, valid) => valid ? M + body : body).Sample(body => Survives(body), iter: 20_000);
    }

    private static bool Survives(string text)
    {
        try
        {
            return PolicyTests.Read(text).Model.Length > 0;
        }
        catch (MixedPrecisionException e)
        {
            return e.Diagnostic.Code.Id.StartsWith("MPB10", StringComparison.Ordinal) && e.Diagnostic.Place.File == "p.yaml" && !e.Message.Contains('\n', StringComparison.Ordinal);
        }
    }
}
