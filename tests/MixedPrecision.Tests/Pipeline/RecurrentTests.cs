using Google.Protobuf;
using MixedPrecision.Onnx;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>A recurrent model from policy to emitted file.</summary>
public sealed class RecurrentTests : IDisposable
{
    private readonly PipelineFolder folder = new();

    [Fact]
    public void AnLstmShipsInIntegersWithinTheBudget()
    {
        File.WriteAllBytes(folder["model.onnx"], RecurrentClassifier.Model(hidden: 48).ToByteArray());
        folder.WritePolicy("5%", "objective: memory");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal("plan", manifest.Shipped.What);
        PlannedLayer layer = manifest.Subgraphs.SelectMany(s => s.Layers).Single(l => l.Name == RecurrentClassifier.Layer);
        Assert.StartsWith("int8-dynamic", layer.Format, StringComparison.Ordinal);
        using OnnxModel emitted = OnnxModel.Load(folder["out/model.mixed.onnx"]);
        Assert.Single(emitted.Graph.Node, n => n.OpType == "DynamicQuantizeLSTM");
        Assert.InRange(manifest.Predicted.Gain.Value - (new FileInfo(folder["model.onnx"]).Length - new FileInfo(folder["out/model.mixed.onnx"]).Length), 0, 2048);
    }

    [Fact]
    public void ARuleMayKeepIt()
    {
        File.WriteAllBytes(folder["model.onnx"], RecurrentClassifier.Model().ToByteArray());
        folder.WritePolicy("5%", $"objective: memory\nlayers: [ {{ match: {RecurrentClassifier.Layer}, format: fp32 }} ]");
        folder.Quantize();
        using OnnxModel emitted = OnnxModel.Load(folder["out/model.mixed.onnx"]);
        Assert.Single(emitted.Graph.Node, n => n.OpType == "LSTM");
    }

    public void Dispose() => folder.Dispose();
}
