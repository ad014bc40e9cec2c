using MixedPrecision.Benchmarks;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Reporting;

public class ShownRowTests
{
    [Theory]
    [InlineData("60 convolutions ('/a', '/b', '/c', …): no kernel", "60 convolutions: no kernel")]
    [InlineData("1 table look-up ('(take)'): too small ('x'): y", "1 table look-up: too small ('x'): y")]
    [InlineData("2 matrix products ('a', 'b'): not int8-dynamic: slower", "2 matrix products: not int8-dynamic: slower")]
    [InlineData("no names here", "no names here")]
    public void NamesOfNodesAreLeftOut(string reason, string shown) => Assert.Equal(shown, ShownRow.WithoutNames(reason));

    [Theory]
    [InlineData("Found 0.5 of a.b. Expected more. Do this", "Found 0.5 of a.b")]
    [InlineData("see 'x. y' and so on", "see 'x. y' and so on")]
    public void OnlyTheFirstSentenceOfAMessageStands(string message, string shown) =>
        Assert.Equal($"MPB7003: {shown}", ShownRow.Sentence(new Diagnostic(Codes.NothingGained, Severity.Warning, Place.None, message)));

    /// <summary>No text ends a cell or begins a line, and a long one ends with a whole word.</summary>
    [Fact]
    public void CellsHoldOneLine()
    {
        Assert.Equal("a \\| b &lt;c", ShownRow.Cell("a |\n  b\t<c"));
        string cut = ShownRow.Cell(string.Join(' ', Enumerable.Repeat("word,", 100)));
        Assert.EndsWith("word …", cut);
        Assert.InRange(cut.Length, 100, 250);
    }

    /// <summary>Six cells, whatever is shown.</summary>
    [Fact]
    public void RowsHaveTheColumnsOfTheHead()
    {
        string refused = ShownRow.Of("a|b", new Diagnostic(Codes.NothingGained, Severity.Error, Place.None, "no"), []);
        Assert.Equal("| a\\|b | – | error | – | – | MPB7003: no |", refused);
        Assert.Equal("| m | – | CRASH | – | – | InvalidOperationException: why |", ShownRow.Crash("m", new InvalidOperationException("why")));
        Assert.All(ShownRow.Head.Split('\n'), line => Assert.Equal(7, line.Count(c => c == '|')));
    }

    /// <summary>The policies of the shared models are valid, whatever the folders are; those of cases come in order, and only one emits beside its model.</summary>
    [Fact]
    public void PoliciesAreRead()
    {
        using var folder = new TemporaryFolder();
        ShownPolicy[] models = [.. ShownPolicies.OfModels(folder.Combine("models"), folder.Combine("out"))];
        Assert.Equal(8, models.Length);
        Assert.All(models, m => Assert.Equal(
            folder.Combine("models", m.Name, "model.onnx"),
            Path.GetFullPath(PolicyReader.Read(m.File, File.ReadAllText(m.File), m.Output).Model, m.Output)));

        foreach (string policy in new[] { "c18_same_folder/over.yaml", "c05_noise/still.yaml", "c05_noise/data.yaml", "c04_branch/policy.yaml" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.Combine("cases", policy))!);
            File.WriteAllText(folder.Combine("cases", policy), "model: model.onnx");
        }

        ShownPolicy[] cases = [.. ShownPolicies.OfCases(folder.Combine("cases"), folder.Combine("out"))];
        Assert.Equal(["c04 branch", "c05 noise: data", "c05 noise: still", "c18 same folder: over"], cases.Select(c => c.Name));
        Assert.Equal(folder.Combine("cases", "c18_same_folder"), cases[^1].Output);
        Assert.Equal(folder.Combine("out", "c05_noise", "data"), cases[1].Output);
    }
}
