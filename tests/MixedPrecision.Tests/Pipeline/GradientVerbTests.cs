using System.Text.Json;
using Google.Protobuf;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Onnx;

namespace MixedPrecision.Tests.Pipeline;

public class GradientVerbTests
{
    /// <summary>A gradient model may be written anywhere: it holds the tensors that the original keeps in files, wherever they stand.</summary>
    [Fact]
    public void ExternalDataIsEmbedded()
    {
        using var external = new ExternalModel();
        using var elsewhere = new TemporaryFolder();
        ModelProto proto = ModelProto.Parser.ParseFrom(File.ReadAllBytes(external.Path));
        proto.Graph.Node.Add(new NodeProto { OpType = "ReduceMean", Name = "mean", Input = { "y" }, Output = { "loss" }, Attribute = { Attributes.Of("keepdims", 0) } });
        proto.Graph.Output[0] = new TensorType(ElementType.Float, []).ToProto("loss");
        File.WriteAllBytes(external.Path, proto.ToByteArray());

        string file = elsewhere.Combine("gradient.onnx");
        WrittenGradient made = Verbs.Gradient(external.Path, file, null, null, new RunOptions(null, null, _ => { }, _ => { }, TestContext.Current.CancellationToken));
        using OnnxModel gradient = OnnxModel.Load(file);
        Assert.Equal($"{file}: {gradient.Graph.Node.Count} nodes; outputs: {string.Join(", ", gradient.Graph.Output.Select(o => o.Name))}", Assert.Single(made.ToLines()));
        using JsonDocument json = JsonDocument.Parse(made.ToJson());
        Assert.Contains("x.grad", json.RootElement.GetProperty("outputs").EnumerateArray().Select(o => o.GetString()));
        Assert.Empty(ModelFiles.External(gradient));
        using Session session = Session.Open(file, SessionSettings.Plain);
        IReadOnlyDictionary<string, Tensor> results = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(new float[2 * ExternalModel.Width], 2, ExternalModel.Width) });
        Assert.Contains(results["x.grad"].Values<float>().ToArray(), v => v != 0);
    }
}
