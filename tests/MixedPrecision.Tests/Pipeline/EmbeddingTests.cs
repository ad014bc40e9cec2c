using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Onnx;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Tables to look up in, from policy to manifest: with the objective memory they are layers, with every other they stay as they are.</summary>
public sealed class EmbeddingTests : IDisposable
{
    private const int Rows = 300, Width = 64;
    private readonly PipelineFolder folder = new();

    [Fact]
    public void WithTheObjectiveMemoryTheTableIsStoredInFewerBits()
    {
        WriteModel(isTied: false);
        folder.WritePolicy("10%", "objective: memory");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal("plan", manifest.Shipped.What);
        Assert.StartsWith("int", Format(manifest, "embed"), StringComparison.Ordinal);
        using OnnxModel emitted = OnnxModel.Load(folder["out/model.mixed.onnx"]);
        Assert.Single(emitted.Graph.Node, n => n.OpType == "GatherBlockQuantized");
        Assert.DoesNotContain(emitted.Graph.Initializer, i => i.Name == "table");
        AssertPredicted(manifest);
    }

    /// <summary>The table is the head's weight too: it goes when both leave it, which neither gains by itself.</summary>
    [Fact]
    public void ATiedTableGoesWithBothOfItsReaders()
    {
        WriteModel(isTied: true);
        folder.WritePolicy("10%", "objective: memory");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal("plan", manifest.Shipped.What);
        Assert.All(["embed", "head"], layer => Assert.StartsWith("int", Format(manifest, layer), StringComparison.Ordinal));
        using OnnxModel emitted = OnnxModel.Load(folder["out/model.mixed.onnx"]);
        Assert.DoesNotContain(emitted.Graph.Initializer, i => i.Name == "table");
        AssertPredicted(manifest);
    }

    [Fact]
    public void ATiedTableStaysWhereOneOfItsReadersIsPinned()
    {
        WriteModel(isTied: true);
        folder.WritePolicy("10%", "objective: memory\nlayers: [ { match: head, format: fp32 } ]");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal("fp32", Format(manifest, "embed"));
        using OnnxModel emitted = OnnxModel.Load(folder["out/model.mixed.onnx"]);
        Assert.Single(emitted.Graph.Initializer, i => i.Name == "table");
        AssertPredicted(manifest);
    }

    [Fact]
    public void ARuleMayPinATable()
    {
        WriteModel(isTied: false);
        folder.WritePolicy("10%", "objective: memory\nformats: [ int8-weight(block=16), int4-weight ]\nlayers: [ { match: embed, format: int8-weight(block=16) } ]");
        Assert.Equal("int8-weight(block=16,symmetric,gptq)", Format(folder.Quantize().Manifest, "embed"));
    }

    [Fact]
    public void WithOtherObjectivesTablesAreNoLayers()
    {
        WriteModel(isTied: false);
        folder.WritePolicy("10%", "objective: theoretical-time");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.DoesNotContain(manifest.Subgraphs.SelectMany(s => s.Layers), l => l.Name == "embed");
        Assert.Equal("fewer bits gain memory in tables to look up in, but no time", Assert.Single(manifest.Excluded).Reason);
        using OnnxModel emitted = OnnxModel.Load(folder["out/model.mixed.onnx"]);
        Assert.Single(emitted.Graph.Node, n => n.OpType == "Gather");
    }

    /// <summary>What one objective found out is not taken for the other's.</summary>
    [Fact]
    public void ObjectivesDoNotShareWhatDependsOnTables()
    {
        WriteModel(isTied: false);
        foreach (string objective in new[] { "theoretical-time", "memory", "theoretical-time" })
        {
            folder.WritePolicy("10%", $"objective: {objective}");
            Assert.Equal(objective == "memory", folder.Quantize().Manifest.Subgraphs.SelectMany(s => s.Layers).Any(l => l.Name == "embed"));
        }
    }

    public void Dispose() => folder.Dispose();

    private static string Format(Manifest manifest, string layer) => manifest.Subgraphs.SelectMany(s => s.Layers).Single(l => l.Name == layer).Format;

    /// <summary>The predicted gain is what the file lost, but for names and nodes.</summary>
    private void AssertPredicted(Manifest manifest) => Assert.InRange(
        manifest.Predicted.Gain.Value - (new FileInfo(folder["model.onnx"]).Length - new FileInfo(folder["out/model.mixed.onnx"]).Length), 0, 2048);

    /// <summary>ids → table → tanh(· w) → head → the mean over the tokens → logits.</summary>
    private void WriteModel(bool isTied)
    {
        var graph = new GraphProto { Name = "classifier" };
        graph.Input.Add(new TensorType(ElementType.Int64, [new Dimension(null, "batch"), Dimension.Of(5)]).ToProto("ids"));
        graph.Output.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Rows)]).ToProto("logits"));
        graph.Initializer.Add(Random(1, Rows, Width).ToProto("table"));
        var b = new GraphBuilder([.. GraphBuilder.NamesIn(graph), "embed", "head"]);
        b.Nodes.Add(new NodeProto { OpType = "Gather", Name = "embed", Input = { "table", "ids" }, Output = { "x" } });
        string hidden = b.Node("Tanh", [b.MatMul("x", b.Constant(Random(2, Width, Width), "w"))]);
        string head = isTied ? b.Transpose("table", [1, 0]) : b.Constant(Random(3, Width, Rows), "v");
        b.Nodes.Add(new NodeProto { OpType = "MatMul", Name = "head", Input = { hidden, head }, Output = { "scores" } });
        b.NodeTo(["logits"], "ReduceMean", "", ["scores"], Attributes.Of("axes", [1L]), Attributes.Of("keepdims", 0));
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        File.WriteAllBytes(folder["model.onnx"], model.ToByteArray());
        var random = new Random(5);
        foreach ((string file, int samples) in new[] { ("calibration.jsonl", 12), ("evaluation.jsonl", 20) })
        {
            File.WriteAllLines(folder[file], Enumerable.Range(0, samples).Select(_ => string.Create(
                CultureInfo.InvariantCulture, $$"""{"ids": [[{{string.Join(',', Enumerable.Range(0, 5).Select(_ => random.Next(Rows)))}}]], "label": [{{random.Next(Rows)}}]}""")));
        }
    }

    private static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (random.NextSingle() - 0.5f) / 2)], shape);
    }
}
