using MixedPrecision.Tests.Formats;
using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Values that are no numbers, and samples that show nothing: such layers keep the baseline, such samples do not count.</summary>
public sealed class FaultTests : IDisposable
{
    private const int Width = 32;
    private const int Classes = 4;
    private static readonly string[] Formats = ["fp32", "int8-dynamic", "int4-weight"];
    private readonly TemporaryFolder folder = new();

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "infinity")]
    public void AWeightWithSuchAValueKeepsItsLayerAndTheWarningNamesIt(float value, string name)
    {
        // The column is masked, so that the model's output is a number.
        Sensitivities found = Calibrate(b => Classify(b, Masked(b, b.MatMul("x", Weight(b, 1, Width, Width, (7 * Width) + 3, value)), 3)), Data(6));
        Assert.Equal((LayerState.NotFinite, 0), (found.Layers[0].State, found.Layers[0].Formats.Count));
        Assert.Equal((LayerState.Judged, 2), (found.Layers[1].State, found.Layers[1].Formats.Count));
        Assert.All(found.Layers[1].Formats.Values, f => Assert.True(f.Measured > 0 && double.IsFinite(f.Taylor) && f.Deltas.Length == 6));
        Diagnostic warning = Assert.Single(found.Warnings);
        Assert.Equal((Codes.LayersNotFinite, Severity.Warning), (warning.Code, warning.Severity));
        Assert.Contains($"{name} at [7, 3]", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnActivationWithSuchAValueNamesValueAndSample()
    {
        // log(0) is read by a layer whose output is masked away: the loss is a number.
        string[] data = Data(6, sample => sample == 4 ? 0 : null);
        Sensitivities found = Calibrate(b => Classify(b, b.Add(b.MatMul(b.Node("Relu", ["x"]), Weight(b, 1, Width, Width)), Masked(b, b.MatMul(b.Node("Log", [b.Node("Abs", ["x"])]), Weight(b, 2, Width, Width)), all: true))), data);
        LayerSensitivity masked = Assert.Single(found.Layers, l => l.State == LayerState.NotFinite);
        Assert.Contains("−infinity at [0, 0] on data.jsonl(5)", masked.Reason, StringComparison.Ordinal);
        Assert.Empty(masked.Formats);
        Assert.Contains(found.Warnings, w => w.Code == Codes.LayersNotFinite && w.Message.Contains("data.jsonl(5)", StringComparison.Ordinal));
    }

    [Fact]
    public void SamplesOnWhichTheLossIsNoNumberDoNotCount()
    {
        Func<GraphBuilder, string> body = b => Classify(b, b.MatMul(b.Mul("x", "x"), Weight(b, 1, Width, Width)));
        string[] data = Data(6, sample => sample is 2 or 5 ? 3e38 : null);
        Sensitivities found = Calibrate(body, data), without = Calibrate(body, [.. data.Where((_, i) => i is not (2 or 5))]);
        Assert.Equal([2, 5], found.NotFinite);
        Assert.Equal(4, found.Samples);
        Assert.Equal(without.MeanSquareLoss, found.MeanSquareLoss, 12);
        Assert.All(found.Layers.Zip(without.Layers), l => Assert.Equal(l.Second.Formats[FormatTexts.Int4Weight].Deltas, l.First.Formats[FormatTexts.Int4Weight].Deltas));
        Diagnostic warning = Assert.Single(found.Warnings);
        Assert.Equal((Codes.LossNotFinite, Severity.Warning, new Place("data.jsonl", 3)), (warning.Code, warning.Severity, warning.Place));
        Assert.Contains("2 of 6 samples", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutASampleThatCountsThereIsNoCalibration()
    {
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Calibrate(b => Classify(b, b.Mul("x", "x")), Data(3, _ => 3e38))).Diagnostic;
        Assert.Equal((Codes.LossNotFinite, Severity.Error, new Place("data.jsonl", 1)), (error.Code, error.Severity, error.Place));
        Assert.Contains("all 3 samples", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LayersThatReadOnlyZerosAreNotFreeOfLoss()
    {
        // Shifted far below zero, everything ends in the Relu.
        Sensitivities found = Calibrate(b => Classify(b, b.Node("Relu", [b.Add(b.MatMul("x", Weight(b, 1, Width, Width)), b.Scalar(-1e6f))])), Data(5), addsInput: true);
        Assert.Equal([LayerState.NoGradient, LayerState.ReadsZeros], found.Layers.Select(l => l.State));
        Assert.All(found.Layers, l => Assert.NotNull(l.Reason));
        Diagnostic warning = Assert.Single(found.Warnings);
        Assert.Equal(Codes.LayersNotSeen, warning.Code);
        Assert.Contains("nothing but zeros", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SegmentsOfALargeModelFindTheSame()
    {
        string[] data = Data(6, sample => sample == 2 ? 3e38 : null);
        Func<GraphBuilder, string> body = b => Classify(b, Masked(b, b.MatMul(b.Mul("x", "x"), Weight(b, 1, Width, Width, 40, float.NaN)), 40 % Width));
        Sensitivities whole = Calibrate(body, data), parts = Calibrate(body, data, memory: new CalibrationMemory(WholeModel: 0, KeptValues: 0, Group: 1, Weight: 1024));
        Assert.Equal(whole.Layers.Select(l => (l.State, l.Reason)), parts.Layers.Select(l => (l.State, l.Reason)));
        Assert.Equal([2], whole.NotFinite);
        Assert.Equal(whole.NotFinite, parts.NotFinite);
        Assert.Equal(5, parts.Samples);
        Assert.Equal(whole.MeanSquareLoss, parts.MeanSquareLoss, 6);
    }

    public void Dispose() => folder.Dispose();

    /// <summary>h·w → logits [1, classes].</summary>
    private static string Classify(GraphBuilder b, string hidden) => b.MatMul(hidden, Weight(b, 9, Width, Classes));

    /// <summary>Zero in place of a column, or of everything.</summary>
    private static string Masked(GraphBuilder b, string value, int column = 0, bool all = false) => b.Node(
        "Where", [b.Constant(Tensor.Of<bool>([.. Enumerable.Range(0, Width).Select(i => !all && i != column)], Width)), value, b.Scalar(0)]);

    private static string Weight(GraphBuilder b, int seed, int inputs, int outputs, int at = -1, float value = 0)
    {
        var random = new Random(seed);
        float[] values = [.. Enumerable.Range(0, inputs * outputs).Select(_ => (random.NextSingle() - 0.5f) / 2)];
        if (at >= 0)
        {
            values[at] = value;
        }

        return b.Constant(Tensor.Of<float>(values, inputs, outputs), "w");
    }

    /// <param name="first">The first value of a sample, in place of a random one.</param>
    private static string[] Data(int samples, Func<int, double?>? first = null)
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, samples).Select(sample =>
        {
            string[] values = [.. Enumerable.Range(0, Width).Select(_ => (random.NextDouble() + 0.1).ToString("0.000", CultureInfo.InvariantCulture))];
            values[0] = first?.Invoke(sample)?.ToString("0.0e0", CultureInfo.InvariantCulture) ?? values[0];
            return $$"""{"x": [[{{string.Join(',', values)}}]], "label": [{{sample % Classes}}]}""";
        })];
    }

    private Sensitivities Calibrate(Func<GraphBuilder, string> body, string[] data, bool addsInput = false, CalibrationMemory? memory = null)
    {
        var graph = new GraphProto { Name = "faults" };
        graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Width)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Classes)]).ToProto("logits"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string result = body(b);
        // A path around all layers keeps the loss from being the same on all samples.
        result = addsInput ? b.Add(result, b.Node("ReduceMean", ["x"], Attributes.Of("axes", [-1]), Attributes.Of("keepdims", 1))) : result;
        b.NodeTo(["logits"], "Identity", "", [result]);
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 13 });
        File.WriteAllBytes(folder.Combine("model.onnx"), model.ToByteArray());
        File.WriteAllLines(folder.Combine("data.jsonl"), data);
        using var fixture = new CalibrationFixture(folder.Combine("model.onnx"), folder.Combine("data.jsonl"), new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 99, null));
        return fixture.Calibrate(Formats, memory);
    }
}
