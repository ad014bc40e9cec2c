using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Data, losses and numbers that cannot be, through the whole path.</summary>
public class DataTests
{
    [Fact]
    public void ProbabilitiesCountTheSameByWhateverOperatorsTheyAreMade()
    {
        CalibrateReport Calibrate(Action<GraphBuilder> end)
        {
            using var folder = new PipelineFolder();
            ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["model.onnx"]));
            var b = new GraphBuilder(GraphBuilder.NamesIn(model.Graph), "end/");
            end(b);
            b.AppendTo(model.Graph);
            model.Graph.Output[0].Name = "p";
            File.WriteAllBytes(folder["model.onnx"], model.ToByteArray());
            return Verbs.Calibrate(folder.PolicyFile, folder.Options());
        }

        CalibrateReport one = Calibrate(b => b.NodeTo(["p"], "Softmax", "", ["logits"]));
        CalibrateReport written = Calibrate(b =>
        {
            string exponentials = b.Node("Exp", ["logits"]);
            b.NodeTo(["p"], "Div", "", [exponentials, b.Node("ReduceSum", [exponentials, b.Integers(-1)], Attributes.Of("keepdims", 1))]);
        });
        foreach ((var expected, var found) in one.Layers.Zip(written.Layers))
        {
            Assert.All(expected.Formats, f => Assert.InRange(found.Formats[f.Key].Measured / f.Value.Measured, 0.999, 1.001));
        }
    }

    [Fact]
    public void AMissingFilePointsAtItsLine()
    {
        using var folder = new PipelineFolder();
        File.Delete(folder["evaluation.jsonl"]);
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Verbs.Solve(folder.PolicyFile, folder.Options())).Diagnostic;
        Assert.Equal((Codes.DataNotFound, new Place(folder.PolicyFile, 4, 21)), (error.Code, error.Place));
    }

    [Fact]
    public void TheSameDataTwiceIsWarnedOfAlsoWhenAllIsReused()
    {
        using var folder = new PipelineFolder();
        File.Copy(folder["calibration.jsonl"], folder["evaluation.jsonl"], overwrite: true);
        for (int run = 0; run < 2; run++)
        {
            Verbs.Solve(folder.PolicyFile, folder.Options());
            Diagnostic warning = Assert.Single(folder.Warnings, w => w.Code == Codes.EvaluationSeen);
            Assert.Equal(new Place(folder.PolicyFile, 4, 21), warning.Place);
            Assert.Contains("all 12 samples", warning.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AWeightThatHoldsNoNumberCannotBePinned()
    {
        using var folder = new PipelineFolder();
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["model.onnx"]));
        NodeProto layer = model.Graph.Node.First(n => n.OpType == "MatMul");
        TensorProto weight = model.Graph.Initializer.Single(i => i.Name == layer.Input[1]);
        Tensor tensor = TensorProtos.Read(weight, new ExternalData(""));
        float[] values = tensor.Values<float>().ToArray();
        values[5] = float.NaN;
        model.Graph.Initializer[model.Graph.Initializer.IndexOf(weight)] = Tensor.Of<float>(values, tensor.Shape).ToProto(weight.Name);
        File.WriteAllBytes(folder["model.onnx"], model.ToByteArray());
        folder.WritePolicy("1%", "layers: [ { match: \"*\", format: int8-weight } ]");
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Verbs.Solve(folder.PolicyFile, folder.Options())).Diagnostic;
        Assert.Equal(Codes.PolicyPinnedFormatDoesNotApply, error.Code);
        Assert.Contains("holds NaN at [0, 5]", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneNameForTwoSizesIsWarnedOfAndTheModelIsTimedWithBoth()
    {
        using var folder = new PipelineFolder();
        const int width = 32;
        var random = new Random(4);
        Tensor Weight(int outputs) => Tensor.Of<float>([.. Enumerable.Range(0, width * outputs).Select(_ => (random.NextSingle() - 0.5f) / 2)], width, outputs);
        var graph = new GraphProto { Name = "attention" };
        Dimension[] shape = [new(null, "batch"), new(null, "sequence"), Dimension.Of(width)];
        graph.Input.AddRange([new TensorType(ElementType.Float, shape).ToProto("decoder"), new TensorType(ElementType.Float, shape).ToProto("encoder")]);
        graph.Output.Add(new TensorType(ElementType.Float, [shape[0], shape[1], Dimension.Of(8)]).ToProto("y"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string Project(string value, int outputs = width) => b.MatMul(value, b.Constant(Weight(outputs), "w"));
        string scores = b.MatMul(Project("decoder"), b.Node("Transpose", [Project("encoder")], Attributes.Of("perm", [0L, 2, 1])));
        string context = b.MatMul(b.Node("Softmax", [scores], Attributes.Of("axis", -1)), Project("encoder"));
        b.NodeTo(["y"], "Identity", "", [Project(b.Add("decoder", context), 8)]);
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        File.WriteAllBytes(folder["model.onnx"], model.ToByteArray());
        string Rows(int count) => "[[" + string.Join(',', Enumerable.Range(0, count).Select(_ => "[" + string.Join(',', Enumerable.Range(0, width).Select(_ => (random.NextDouble() - 0.5).ToString("0.000", CultureInfo.InvariantCulture))) + "]")) + "]]";
        File.WriteAllLines(folder["calibration.jsonl"], Enumerable.Range(0, 8).Select(i => $$"""{"decoder": {{Rows(3 + (i % 2))}}, "encoder": {{Rows(9)}}}"""));
        File.WriteAllText(folder.PolicyFile, "model: model.onnx\ncalibration: { data: calibration.jsonl, loss: output-mse }\nscenarios: [ { inputs: { sequence: 5, encoder.sequence: 11 } } ]\nruntime: { threads: 1 }\nsearchSeconds: 0\n");
        SolveReport report = Verbs.Solve(folder.PolicyFile, folder.Options());
        Assert.NotNull(report);
        Diagnostic warning = Assert.Single(folder.Warnings, w => w.Code == Codes.DimensionSizesDiffer);
        Assert.Contains("'encoder.sequence'", warning.Message, StringComparison.Ordinal);
    }
}
