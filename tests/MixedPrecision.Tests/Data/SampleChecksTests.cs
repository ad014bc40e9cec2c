using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Data;

/// <summary>Data that says less than it seems to, and names that stand for two sizes.</summary>
public class SampleChecksTests
{
    private const string HeldOut = "model: m.onnx\ncalibration: { data: c.jsonl }";
    private const string Separate = "model: m.onnx\ncalibration: { data: c.jsonl }\nevaluation: { data: e.jsonl }";
    private static readonly Place OfEvaluation = new("p.yaml", 3, 21);

    [Fact]
    public void SamplesThatCalibrationHasSeenAreFoundByContent()
    {
        Diagnostic warning = Assert.Single(Check(Separate, [Of("c.jsonl:1", 1), Of("c.jsonl:2", 2)], [Of("e.jsonl:1", 3), Of("e.jsonl:2", 2), Of("e.jsonl:3", 4)]));
        Assert.Equal((Codes.EvaluationSeen, Severity.Warning, OfEvaluation), (warning.Code, warning.Severity, warning.Place));
        Assert.Contains("1 of 3 samples", warning.Message, StringComparison.Ordinal);
        Assert.Contains("(e.jsonl:2 has the inputs of c.jsonl:2)", warning.Message, StringComparison.Ordinal);
        Assert.Empty(Check(Separate, [Of("c.jsonl:1", 1), Of("c.jsonl:2", 2)], [Of("e.jsonl:1", 3), Of("e.jsonl:2", 4)]));
    }

    [Fact]
    public void TheSameDataTwiceIsSaid()
    {
        Sample[] all = [Of("c.jsonl:1", 1), Of("c.jsonl:2", 2)];
        Assert.Contains("all 2 samples", Assert.Single(Check(Separate, all, all)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DuplicatesWithinOneFileAreFoundBehindTheSplit()
    {
        Diagnostic warning = Assert.Single(Check(HeldOut, [Of("c.jsonl:1", 1), Of("c.jsonl:2", 2)], [Of("c.jsonl:3", 1), Of("c.jsonl:4", 5), Of("c.jsonl:5", 5)]));
        Assert.Equal(new Place("p.yaml", 2, 22), warning.Place);
        Assert.Contains("(c.jsonl:3 has the inputs of c.jsonl:1)", warning.Message, StringComparison.Ordinal);
        Assert.Contains("1 of the 3 repeats", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ShapesTypesAndNamesAreContentToo()
    {
        Tensor row = Tensor.Of<float>([1, 2], 1, 2), column = Tensor.Of<float>([1, 2], 2, 1), other = new(ElementType.Int32, [1, 2], row.Bytes);
        Sample With(string id, string name, Tensor value) => new(id, new Dictionary<string, Tensor> { [name] = value }, null);
        Assert.Empty(Check(Separate, [With("a", "x", row), With("b", "x", column)], [With("c", "y", row), With("d", "x", other)]));
    }

    [Fact]
    public void OneSampleIsNoSample()
    {
        IReadOnlyList<Diagnostic> warnings = Check(HeldOut, [Of("c.jsonl:1", 1)], [Of("c.jsonl:1", 1)]);
        Assert.Equal([Codes.SingleSample, Codes.EvaluationSeen], warnings.Select(w => w.Code));
        Assert.Equal([Codes.SingleSample], Check(Separate, [Of("c.jsonl:1", 1), Of("c.jsonl:2", 2)], [Of("e.jsonl:1", 3)]).Select(w => w.Code));
    }

    [Theory]
    [InlineData("0.9%", 1)]
    [InlineData("1%", 0)]
    [InlineData("0%", 0)]
    public void ADropOfAccuracyBelowOneLabelIsWarnedOf(string drop, int warnings)
    {
        Sample[] evaluation = [.. Enumerable.Range(0, 50).Select(i => Of($"e.jsonl:{i}", 100 + i) with { Label = Tensor.Of<long>([1, 2, -1], 3) })];
        IReadOnlyList<Diagnostic> found = Check($"{Separate}\nbudget: {{ accuracyDrop: {drop} }}", [Of("c", 1), Of("d", 2)], evaluation);
        Assert.Equal(warnings, found.Count);
        Assert.All(found, w => Assert.Equal((Codes.BudgetFinerThanALabel, new Place("p.yaml", 4, 9)), (w.Code, w.Place)));
        Assert.All(found, w => Assert.Contains("100 labels", w.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void OneNameWithTwoSizesIsWarnedOfAndTheSizesAreIndependent()
    {
        InputDeclaration[] inputs = [Input("ids", "batch", "sequence"), Input("mask", "batch", "sequence"), Input("encoder", "batch", "sequence"), Input("other", "batch", "sequence")];
        Sample sample = new("d.jsonl:1", new Dictionary<string, Tensor> { ["ids"] = Zeros(1, 6), ["mask"] = Zeros(1, 6), ["encoder"] = Zeros(1, 20), ["other"] = Zeros(1, 20) }, null);
        Diagnostic warning = Assert.Single(DimensionNames.Warnings("m.onnx", inputs, [sample]));
        Assert.Equal((Codes.DimensionSizesDiffer, Severity.Warning, new Place("m.onnx")), (warning.Code, warning.Severity, warning.Place));
        Assert.Contains("6 along axis 1 of 'ids', 20 along axis 1 of 'encoder'", warning.Message, StringComparison.Ordinal);
        Assert.Equal(
            ["[batch, sequence]", "[batch, sequence]", "[batch, encoder.sequence]", "[batch, encoder.sequence]"],
            DimensionNames.Independent(inputs, [sample.Inputs]).Select(i => $"[{string.Join(", ", i.Type.Shape!)}]"));
        // Names that hold stay, and nothing is said.
        Sample even = new("d.jsonl:2", sample.Inputs.ToDictionary(i => i.Key, _ => Zeros(1, 6)), null);
        Assert.Same(inputs, DimensionNames.Independent(inputs, [even.Inputs]));
        Assert.Empty(DimensionNames.Warnings("m.onnx", inputs, [even]));
    }

    private static InputDeclaration Input(string name, params string[] symbols) => new(name, new TensorType(ElementType.Float, [.. symbols.Select(s => new Dimension(null, s))]));

    private static Tensor Zeros(params long[] shape) => Tensor.Of<float>(new float[Tensor.ElementCount(shape)], shape);

    private static Sample Of(string id, float value) => new(id, new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>([value], 1, 1) }, null);

    private static IReadOnlyList<Diagnostic> Check(string policy, IReadOnlyList<Sample> calibration, IReadOnlyList<Sample> evaluation) =>
        SampleChecks.Warnings(PolicyReader.Read("p.yaml", policy, ""), calibration, evaluation);
}
