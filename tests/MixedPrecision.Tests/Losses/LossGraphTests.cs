using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using static MixedPrecision.Tests.Losses.LossGradientTests;
using static MixedPrecision.Tests.Losses.LossModels;

namespace MixedPrecision.Tests.Losses;

/// <summary>Losses that a user wrote as an ONNX file.</summary>
public sealed class LossGraphTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    /// <summary>mean((y − wanted)² · weight) + 0.1 · Σ z, on two outputs, an input of the model and a key of the data.</summary>
    [Fact]
    public void ReadsOutputsInputsAndDataByName()
    {
        Write(["y", "z", "weight", "wanted"], ["loss"], b =>
        {
            string difference = b.Sub("y", "wanted");
            string squares = b.Node("ReduceMean", [b.Mul(b.Mul(difference, difference), "weight")], Attributes.Of("keepdims", 0));
            b.NodeTo(["loss"], "Add", "", [squares, b.Mul(b.Node("ReduceSum", ["z"], Attributes.Of("keepdims", 0)), b.Scalar(0.1))]);
        });
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "3"], ["z"] = ["batch", "2"] }, null, ("weight", ElementType.Float, 2));
        using LossFunction loss = Create(model);
        Assert.Equal("wanted", Assert.Single(loss.Fields).Name);
        Assert.Equal(["y", "z"], loss.Outputs);
        Assert.False(loss.HasCurvature);
        Assert.Contains("curvature", Assert.Single(loss.Notes));
        Tensor y = Random(1, 2, 3), z = Random(2, 2, 2), weight = Random(3, 2, 3), wanted = Random(4, 2, 3);
        (_, double value) = Check(loss, Sample(null, new Dictionary<string, Tensor> { ["weight"] = weight }, ("wanted", wanted)), ("y", y), ("z", z));
        double squares = y.Values<float>().ToArray().Zip(wanted.Values<float>().ToArray(), (a, b) => Math.Pow(a - b, 2)).Zip(weight.Values<float>().ToArray(), (s, w) => s * w).Average();
        Assert.Equal(squares + (0.1 * z.Values<float>().ToArray().Sum()), value, 5);
    }

    [Fact]
    public void AddsUpWithOtherLosses()
    {
        Write(["y"], ["g"], b => b.NodeTo(["g"], "ReduceLogSumExp", "", ["y"], Attributes.Of("keepdims", 0)));
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "3"] });
        using LossFunction loss = LossFunction.Create(
            model,
            TypeInference.Infer(model),
            Policy(new LossPolicy(LossKind.Graph, PolicyPlace, Weight: 0.3, File: "loss.onnx"), new LossPolicy(LossKind.CrossEntropy, PolicyPlace, Labels: "label")),
            folder.Combine("policy.yaml"));
        Check(loss, Sample(null, null, ("label", Label(2, 0))), ("y", Random(5, 2, 3)));
        Assert.True(loss.HasCurvature);
    }

    [Fact]
    public void SeveralOutputsAreRefused()
    {
        Write(["y"], ["a", "b"], b =>
        {
            b.NodeTo(["a"], "ReduceSum", "", ["y"]);
            b.NodeTo(["b"], "ReduceSum", "", ["y"]);
        });
        Refused("2 outputs");
    }

    [Fact]
    public void AGraphThatReadsNoOutputIsRefused()
    {
        Write(["other"], ["loss"], b => b.NodeTo(["loss"], "ReduceSum", "", ["other"]));
        Refused("'other'");
    }

    [Fact]
    public void ALossOfSeveralNumbersIsRefused()
    {
        Write(["y"], ["loss"], b => b.NodeTo(["loss"], "Neg", "", ["y"]));
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "3"] });
        using LossFunction loss = Create(model);
        Dictionary<string, Tensor> outputs = Outputs(("y", Random(1, 2, 3)));
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => loss.Value(outputs, loss.TargetOf(Sample(), 0, outputs))).Diagnostic;
        Assert.Equal((Codes.LossGraphUnusable, "loss.onnx"), (diagnostic.Code, diagnostic.Place.File));
        Assert.Contains("data.jsonl(3)", diagnostic.Message);
    }

    [Fact]
    public void AGraphThatDoesNotRunOnASampleNamesIt()
    {
        Write(["y", "wanted"], ["loss"], b => b.NodeTo(["loss"], "ReduceSum", "", [b.Sub("y", "wanted")], Attributes.Of("keepdims", 0)));
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "3"] });
        using LossFunction loss = Create(model);
        Dictionary<string, Tensor> outputs = Outputs(("y", Random(1, 2, 3)));
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(
            () => loss.Value(outputs, loss.TargetOf(Sample(null, null, ("wanted", Random(2, 2, 4))), 0, outputs))).Diagnostic;
        Assert.Equal(Codes.LossGraphUnusable, diagnostic.Code);
        Assert.Contains("data.jsonl(3)", diagnostic.Message);
    }

    [Fact]
    public void AFileThatIsNoModelIsRefused()
    {
        File.WriteAllText(folder.Combine("loss.onnx"), "no model");
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "3"] });
        Assert.Equal(Codes.ModelNotOnnx, Assert.Throws<MixedPrecisionException>(() => Create(model)).Diagnostic.Code);
    }

    public void Dispose() => folder.Dispose();

    private void Refused(string reason)
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "3"] });
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Create(model)).Diagnostic;
        Assert.Equal((Codes.LossGraphUnusable, "loss.onnx"), (diagnostic.Code, diagnostic.Place.File));
        Assert.Contains(reason, diagnostic.Message);
    }

    private LossFunction Create(OnnxModel model) =>
        LossFunction.Create(model, TypeInference.Infer(model), Policy(new LossPolicy(LossKind.Graph, PolicyPlace, File: "loss.onnx")), folder.Combine("policy.yaml"));

    private void Write(string[] inputs, string[] outputs, Action<GraphBuilder> body)
    {
        var builder = new GraphBuilder([.. inputs, .. outputs]);
        body(builder);
        var graph = new GraphProto { Name = "loss" };
        graph.Input.AddRange(inputs.Select(i => new TensorType(ElementType.Float, [Dimension.Unknown, Dimension.Unknown]).ToProto(i)));
        graph.Output.AddRange(outputs.Select(o => new ValueInfoProto { Name = o, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = ElementType.Float } } }));
        builder.AppendTo(graph);
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        File.WriteAllBytes(folder.Combine("loss.onnx"), proto.ToByteArray());
    }
}
