using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Policies;

/// <summary>Values know their line, and files that are not there are named where the policy names them.</summary>
public sealed class PolicyFilesTests : IDisposable
{
    private const string Text = """
        model: model.onnx
        calibration:
          data: data.jsonl
          images: { labels: classes.json }
          text: { tokenizer: vocab.txt }
          loss:
            - output-mse
            - { kind: graph, file: loss.onnx }
        evaluation: { data: evaluation.jsonl }
        """;

    private static readonly (string File, int Line, int Column)[] Named =
        [("model.onnx", 1, 8), ("data.jsonl", 3, 9), ("classes.json", 4, 21), ("vocab.txt", 5, 22), ("loss.onnx", 8, 28), ("evaluation.jsonl", 9, 21)];

    private readonly TemporaryFolder folder = new();

    [Fact]
    public void Every_file_that_is_missing_is_named_at_its_line()
    {
        foreach ((string file, int line, int column) in Named)
        {
            foreach ((string other, _, _) in Named)
            {
                File.WriteAllText(folder.Combine(other), "");
            }

            Policy policy = PolicyReader.Read("p.yaml", Text, folder.Path);
            PolicyFiles.Check(policy);
            File.Delete(folder.Combine(file));
            Diagnostic error = Assert.Throws<MixedPrecisionException>(() => PolicyFiles.Check(policy)).Diagnostic;
            Assert.Equal(file == "model.onnx" ? Codes.ModelNotFound : Codes.DataNotFound, error.Code);
            Assert.Equal(new Place("p.yaml", line, column), error.Place);
            Assert.Contains($"'{file}'", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_folder_of_images_is_data_and_no_model()
    {
        Directory.CreateDirectory(folder.Combine("images"));
        File.WriteAllText(folder.Combine("m.onnx"), "");
        PolicyFiles.Check(PolicyReader.Read("p.yaml", "model: m.onnx\ncalibration: { data: images }", folder.Path));
        Assert.Throws<MixedPrecisionException>(() => PolicyFiles.Check(PolicyReader.Read("p.yaml", "model: images", folder.Path)));
    }

    [Fact]
    public void Values_know_their_place_and_defaults_that_of_the_file()
    {
        Policy policy = PolicyReader.Read("p.yaml", "model: m.onnx\nruntime: { threads: 2 }\nlayers: [ { match: a, format: fp32 } ]", folder.Path);
        Assert.Equal(new Place("p.yaml", 2, 21), policy.PlaceOf("runtime.threads"));
        Assert.Equal(new Place("p.yaml", 3, 20), policy.PlaceOf("layers[0].match"));
        Assert.Equal(new Place("p.yaml"), policy.PlaceOf("budget"));
        Assert.Equal(new Place("--budget"), policy.WithBudget("2%", new Place("--budget")).PlaceOf("budget"));
    }

    [Theory]
    [InlineData("budget: 21%", "MPB1015", 2, 9)]
    [InlineData("budget: { accuracyDrop: 25% }", "MPB1015", 2, 9)]
    [InlineData("runtime: { threads: 5 }", "MPB1017", 2, 21)]
    public void What_is_hardly_meant_is_warned_of(string line, string code, int atLine, int atColumn)
    {
        Diagnostic warning = Assert.Single(PolicyWarnings.Of(PolicyReader.Read("p.yaml", "model: m.onnx\n" + line, folder.Path), processors: 4));
        Assert.Equal((code, Severity.Warning, new Place("p.yaml", atLine, atColumn)), (warning.Code.Id, warning.Severity, warning.Place));
    }

    [Theory]
    [InlineData("budget: 20%")]
    [InlineData("budget: 0.0001%")]
    [InlineData("runtime: { threads: 4 }")]
    public void What_is_usual_is_not(string line) => Assert.Empty(PolicyWarnings.Of(PolicyReader.Read("p.yaml", "model: m.onnx\n" + line, folder.Path), processors: 4));

    public void Dispose() => folder.Dispose();
}
