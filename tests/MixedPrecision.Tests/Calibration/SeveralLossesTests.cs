using MixedPrecision.Tests.Formats;
using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Sensitivities by losses on several outputs, against those of the same loss computed inside of the model.</summary>
public sealed class SeveralLossesTests : IDisposable
{
    private const int Width = 32;
    private const int Classes = 5;
    private static readonly Place Place = new("policy.yaml");
    private readonly TemporaryFolder folder = new();

    [Fact]
    public void AWeightedSumOfLossesIsWhatTheModelsOwnScalarIs()
    {
        Write("outputs.onnx", computesLoss: false);
        Write("loss.onnx", computesLoss: true);
        WriteData();
        using var outside = new CalibrationFixture(folder.Combine("outputs.onnx"), folder.Combine("data.jsonl"), new CalibrationPolicy(null, null, null, 8, null)
        {
            Losses =
            [
                new LossPolicy(LossKind.CrossEntropy, Place, "first", 0.5, "a"),
                new LossPolicy(LossKind.CrossEntropy, Place, "second", 2, "b"),
            ],
        });
        using var inside = new CalibrationFixture(
            folder.Combine("loss.onnx"), folder.Combine("data.jsonl"), new CalibrationPolicy(null, LossKind.ScalarOutput, null, 8, "loss"));
        Sensitivities left = outside.Calibrate(["fp32", "int8-weight"]), right = inside.Calibrate(["fp32", "int8-weight"]);

        Assert.Equal(right.MeanSquareLoss, left.MeanSquareLoss, right.MeanSquareLoss * 1e-5);
        foreach (LayerSensitivity layer in left.Layers)
        {
            LayerSensitivity other = right.Layers.Single(l => l.Name == layer.Name);
            Assert.Equal(other.TaylorActivation, layer.TaylorActivation, other.TaylorActivation * 1e-3);
            Assert.Equal(other.TaylorWeight, layer.TaylorWeight, other.TaylorWeight * 1e-3);
            FormatSensitivity one = layer.Formats[FormatTexts.Int8Weight], two = other.Formats[FormatTexts.Int8Weight];
            Assert.Equal(two.Measured, one.Measured, two.Measured * 1e-2);
            // The curvature of a sum of likelihoods is known, that of a number is not.
            Assert.True(one.Rise > 0);
            Assert.Equal(0, two.Rise);
        }
    }

    public void Dispose() => folder.Dispose();

    /// <summary>x [1, 32] → tanh(x·w₀) → first and second, each [1, 5] by a matrix of its own; the loss may be computed from them.</summary>
    private void Write(string file, bool computesLoss)
    {
        var graph = new GraphProto { Name = "two heads" };
        graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Width)]).ToProto("x"));
        var b = new GraphBuilder(["x", "a", "b", "first", "second", "loss"]);
        string hidden = b.Node("Tanh", [b.NodeTo(["hidden"], "MatMul", "", ["x", b.Constant(Random(1, Width, Width))])[0]]);
        b.NodeTo(["first"], "MatMul", "", [hidden, b.Constant(Random(2, Width, Classes))]);
        b.NodeTo(["second"], "MatMul", "", [hidden, b.Constant(Random(3, Width, Classes))]);
        if (computesLoss)
        {
            string Loss(string output, string label, double weight)
            {
                graph.Input.Add(new TensorType(ElementType.Int64, [new Dimension(null, "batch")]).ToProto(label));
                string chosen = b.Node("GatherElements", [b.Node("LogSoftmax", [output]), b.Unsqueeze(label, 1)], Attributes.Of("axis", 1));
                return b.Mul(b.Node("ReduceMean", [chosen], Attributes.Of("keepdims", 0)), b.Scalar(-weight));
            }

            b.NodeTo(["loss"], "Add", "", [Loss("first", "a", 0.5), Loss("second", "b", 2)]);
        }

        graph.Output.AddRange((computesLoss ? new[] { "loss" } : ["first", "second"]).Select(o => new TensorType(
            ElementType.Float, computesLoss ? [] : [new Dimension(null, "batch"), Dimension.Of(Classes)]).ToProto(o)));
        foreach (NodeProto node in b.Nodes)
        {
            node.Name = node.Output[0];
        }

        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        File.WriteAllBytes(folder.Combine(file), model.ToByteArray());
    }

    private void WriteData()
    {
        var random = new Random(4);
        File.WriteAllLines(folder.Combine("data.jsonl"), Enumerable.Range(0, 8).Select(_ => string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"x": [[{{string.Join(',', Enumerable.Range(0, Width).Select(_ => (random.NextDouble() - 0.5).ToString("0.000", CultureInfo.InvariantCulture)))}}]], "a": [{{random.Next(Classes)}}], "b": [{{random.Next(Classes)}}]}""")));
    }

    private static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (random.NextSingle() - 0.5f) / 2)], shape);
    }
}
