using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Policies;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Names of files that every file system takes and tells apart.</summary>
public class ScenarioFilesTests
{
    [Theory]
    [InlineData("decode", "decode")]
    [InlineData("Prefill 512", "Prefill-512")]
    [InlineData("batch 8, sequence 48", "batch-8-sequence-48")]
    [InlineData("../../etc/passwd", "etc-passwd")]
    [InlineData("a\\b:c*?\"<>|\u0001", "a-b-c")]
    [InlineData("größe", "gro-e")]
    [InlineData("v1.5_x.", "v1.5_x")]
    [InlineData("数", "")]
    [InlineData("..", "")]
    public void AScenarioNameBecomesAPartOfAFileName(string label, string safe) => Assert.Equal(safe, ScenarioFiles.Safe(label));

    [Fact]
    public void LongNamesAreCut() => Assert.Equal(new string('a', 48), ScenarioFiles.Safe(new string('a', 500)));

    [Fact]
    public void NamesDifferByMoreThanCaseAndFollowFromThePolicyAlone()
    {
        const string Text = """
            model: a/Model.onnx
            plans: per-scenario
            scenarios:
              - { name: decode, inputs: { batch: 1 } }
              - { name: Decode, inputs: { batch: 2 } }
              - { name: 数, inputs: { batch: 3 } }
              - { name: idle, inputs: { batch: 4 }, weight: 0 }
              - { inputs: { sequence: 7, batch: 5 } }
              - { name: decode, inputs: { batch: 6 } }
              - { inputs: {} }
            """;
        IReadOnlyList<ScenarioFile> files = ScenarioFiles.Of(PolicyTests.Read(Text));
        Assert.Equal(["decode", "Decode-2", "3", "batch-5-sequence-7", "decode-3", "6"], files.Select(f => f.Key));
        Assert.Equal("Model.Decode-2.mixed.onnx", files[1].Model);
        Assert.Equal("batch 5, sequence 7", files[3].Label);
        Assert.Equal("Model.mixed.data", ScenarioFiles.DataOf(PolicyTests.Read(Text)));
    }

    [Theory]
    [InlineData("small.mixed.onnx", "small.a.mixed.onnx", "small.mixed.data")]
    [InlineData("small.onnx", "small.a.onnx", "small.data")]
    [InlineData(".mixed.onnx", ".mixed.a.onnx", ".mixed.data")]
    public void TheOutputOfThePolicyIsTheStem(string output, string model, string data)
    {
        Policy policy = PolicyTests.Read($"model: m.onnx\noutput: {output}\nplans: per-scenario\nscenarios: [ {{ name: a, inputs: {{}} }}, {{ name: b, inputs: {{}} }} ]");
        Assert.Equal(model, ScenarioFiles.Of(policy)[0].Model);
        Assert.Equal(data, ScenarioFiles.DataOf(policy));
    }

    [Theory]
    [InlineData("plans: per-scenario")]
    [InlineData("plans: per-scenario\nscenarios: [ { inputs: {} } ]")]
    [InlineData("plans: per-scenario\nscenarios: [ { inputs: {} }, { inputs: {}, weight: 0 } ]")]
    [InlineData("plans: one\nscenarios: [ { inputs: {} }, { inputs: {} } ]")]
    [InlineData("scenarios: [ { inputs: {} }, { inputs: {} } ]")]
    public void OnePlanIsForAll(string more) => Assert.Empty(ScenarioFiles.Of(PolicyTests.Read("model: m.onnx\n" + more)));
}
