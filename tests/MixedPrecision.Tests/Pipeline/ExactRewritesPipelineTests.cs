using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>A model with constants beside its convolutions, from the file to what is shipped.</summary>
public class ExactRewritesPipelineTests
{
    private const string Folded = "constant factors and addends beside 2 convolutions are folded into their weights";

    /// <summary>What folding gains is measured by itself, against the file as it came, and is no gain of any format.</summary>
    [Fact]
    public void TheFoldedModelCompetesWithTheOriginal()
    {
        using var folder = new PipelineFolder();
        folder.WriteConvolutions(weightSeed: 1, factor: 1.5f);
        folder.WritePolicy("1%", "formats: [ fp32 ]");
        QuantizeResult result = folder.Quantize();
        ComparedModel exact = Assert.Single(result.Manifest.Compared);
        Assert.Equal("exact", exact.Name);
        Assert.InRange(exact.RelativeLossError, 0, 1e-4);
        Assert.NotNull(exact.MeasuredGain);
        Assert.Contains(Folded, result.Manifest.Warnings);
        Assert.Equal(ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["model.onnx"])).Graph.Node.Count, result.Manifest.Model.Nodes);
        ModelProto shipped = ModelProto.Parser.ParseFrom(File.ReadAllBytes(result.Files[0]));
        if (result.Manifest.Shipped.What == "exact")
        {
            Assert.DoesNotContain(shipped.Graph.Node, n => n.OpType == "Mul");
            Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.NothingGained);
        }
        else
        {
            Assert.Equal(File.ReadAllBytes(folder["model.onnx"]), File.ReadAllBytes(result.Files[0]));
        }

        folder.Quantize();
        Assert.DoesNotContain(folder.Log, l => l is "exact started");
    }

    /// <summary>A folded layer takes a format as any other, and a rule finds it by the name that it has in the file.</summary>
    [Fact]
    public void FoldedLayersTakeFormats()
    {
        using var folder = new PipelineFolder();
        folder.WriteConvolutions(weightSeed: 1, factor: 1.5f);
        string[] names = [.. ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["model.onnx"])).Graph.Node.Where(n => n.OpType == "Conv").Select(n => n.Name)];
        folder.WritePolicy("100%", $"formats: int8-static\nobjective: theoretical-time\nlayers: [ {{ match: \"{names[0]}\", format: fp32 }} ]");
        QuantizeResult result = folder.Quantize();
        Assert.Equal("plan", result.Manifest.Shipped.What);
        Dictionary<string, string> formats = result.Manifest.Subgraphs.SelectMany(s => s.Layers).ToDictionary(l => l.Name, l => l.Format);
        Assert.Equal("fp32", formats[names[0]]);
        Assert.StartsWith("int8-static", formats[names[1]]);
        ModelProto file = ModelProto.Parser.ParseFrom(File.ReadAllBytes(result.Files[0]));
        Assert.Equal(2, file.Graph.Node.Count(n => n.OpType == "QuantizeLinear"));
        Assert.DoesNotContain(file.Graph.Node, n => n.OpType == "Mul");
        Assert.InRange(result.Manifest.Measured.RelativeLossError, 1e-6, 0.05);
    }

    /// <summary>Numbers that lose their digits in the original: the folded model would keep them, and so is another one.</summary>
    [Fact]
    public void WhatWouldComputeSomethingElseStaysAsItIs()
    {
        using var folder = new PipelineFolder();
        folder.WriteConvolutions(weightSeed: 1, addend: 1e5f);
        folder.WritePolicy("100%", "formats: int8-static\nobjective: theoretical-time");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Contains(manifest.Warnings, w => w.StartsWith("constants beside convolutions stay where they are: output 'logits' would differ by ", StringComparison.Ordinal));
        ModelProto file = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["out/model.mixed.onnx"]));
        Assert.Equal(2, file.Graph.Node.Count(n => n.OpType == "Sub"));
    }

    /// <summary>What the model is known by is its file, whatever is folded: also weights in external data that are folded.</summary>
    [Fact]
    public void TheOriginalIsWhatIdentifiesTheModel()
    {
        using var folder = new PipelineFolder();
        folder.WriteConvolutions(weightSeed: 1, factor: 1.5f);
        using Workspace rewritten = Workspace.Open(folder["model.onnx"], "model.onnx"), plain = Workspace.Open(folder["model.onnx"], "model.onnx", isRewritten: false);
        Assert.Equal(plain.Hash, rewritten.Hash);
        Assert.Equal(plain.Bytes, rewritten.Bytes);
        Assert.NotEqual(Shipment.ModelOf(plain).Key.Hex, Shipment.ModelOf(rewritten).Key.Hex);
        Assert.Equal(plain.Partition.Layers.Select(l => l.Name), rewritten.Partition.Layers.Select(l => l.Name));
        Assert.Equal(2, plain.Model.Graph.Node.Count - rewritten.Model.Graph.Node.Count);
    }
}
