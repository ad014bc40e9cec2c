using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;
using MixedPrecision.Tests.Quantization;

namespace MixedPrecision.Tests.Structures;

/// <summary>Structures compute the attention of a decoder while the channels of its gated layers are balanced.</summary>
public class BalancedDecoderTests
{
    [Fact]
    public void BothStandInOneModel()
    {
        var form = new OptimumForm();
        using var model = new OnnxModel(form.Build(), ".", "decoder.onnx");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        Dictionary<string, Tensor> feed = form.Inputs(2, 24, 8, padded: false).Where(i => model.Graph.Input.Any(n => n.Name == i.Key)).ToDictionary();
        IReadOnlyDictionary<string, LayerSite> plain = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
        IReadOnlyDictionary<string, LayerSite> sites = BalancingTests.Observed(model, partition, types, plain, feed);
        StructureMatch[] matches = [.. Rewriting.Find(model, GroupQueryAttention.Naive).Select(f => f.Match)];
        Assert.Equal(DecoderForm.Blocks, matches.Length);
        Assert.Equal(DecoderForm.Blocks, sites.Values.Count(s => s.Balance is not null));

        // In floats no bit changes, whatever the channels are divided by.
        IReadOnlyDictionary<string, LayerSite> scaled = sites.ToDictionary(
            s => s.Key, s => s.Value with { Balance = s.Value.Balance is { } b ? new ChannelBalance(b.Producer, s.Value.Moments!, () => [.. Enumerable.Range(0, s.Value.InputSize).Select(i => MathF.ScaleB(1, i % 5))]) : null });
        (ModelProto balanced, _) = Written(scaled, BalancingTests.FloatWeights(balances: true));
        (ModelProto exported, _) = Written(scaled, BalancingTests.FloatWeights(balances: false));
        Assert.DoesNotContain(balanced.Graph.Node, n => n.OpType == "Softmax");
        Assert.Equal(exported.Graph.Node.Count, balanced.Graph.Node.Count);
        Assert.NotEqual(exported.Graph.Initializer.Select(i => i.RawData), balanced.Graph.Initializer.Select(i => i.RawData));
        using Session one = Session.Create(exported, SessionSettings.Default), other = Session.Create(balanced, SessionSettings.Default);
        Rewriting.AssertEqual(one.Run(feed), other.Run(feed), 0);

        (ModelProto Model, IReadOnlyList<RewrittenLayer> Layers) Written(IReadOnlyDictionary<string, LayerSite> of, NumberFormat gated) => Quantizer.Emit(
            model,
            [.. partition.Layers.Select(l => (of[l.Name], of[l.Name].Balance is null ? NumberFormats.Baseline : gated))],
            name => Weights.Read(model, partition.View, name)!,
            structures: matches);
    }
}
