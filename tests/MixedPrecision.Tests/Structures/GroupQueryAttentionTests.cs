using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

using Structure = MixedPrecision.Structures.Structure;

/// <summary>GroupQueryAttention in place of attention as exporters write it out.</summary>
public class GroupQueryAttentionTests
{
    private const double Tolerance = 1e-5;

    private static readonly Structure[] Known = [GroupQueryAttention.Tiled, GroupQueryAttention.Naive];

    public static TheoryData<string, string> Cases { get; } = [.. from form in Forms() from structure in Known select new TheoryDataRow<string, string>(form.Name, structure.Name)];

    private static IEnumerable<DecoderForm> Forms() =>
    [
        new TracedForm(), new OptimumForm(), new DynamoForm(), new FixedForm(), new OperatorForm(),
        new BuilderForm(), new TorchOperatorForm(), new PromptOperatorForm(hasMask: false), new PromptOperatorForm(hasMask: true),
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void ResultsAreThoseOfTheModelForAllSizes(string name, string structure)
    {
        DecoderForm form = Forms().Single(f => f.Name == name);
        using var model = new OnnxModel(form.Build(), "", "model.onnx");
        StructureMatch[] matches = [.. Rewriting.Find(model, Known.Single(s => s.Name == structure)).Select(f => f.Match)];
        ModelProto rewritten = Rewriting.Apply(model, matches);

        Assert.Equal(DecoderForm.Blocks, matches.Length);
        Assert.All(matches, m => Assert.Equal(form.Opset < 23 ? [FormatFamilies.Baseline, FormatFamilies.Baseline] : [], m.Fixed.Values));
        Assert.DoesNotContain(rewritten.Graph.Node, n => n.OpType is "Softmax" or "Attention");
        Assert.Equal(model.Graph.Input, rewritten.Graph.Input);
        Assert.Equal(model.Graph.Output, rewritten.Graph.Output);
        foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_ENABLE_ALL, GraphOptimizationLevel.ORT_DISABLE_ALL })
        {
            using Session original = Session.Create(model.Proto, new SessionSettings(1, level)), other = Session.Create(rewritten, new SessionSettings(1, level));
            foreach (IReadOnlyDictionary<string, Tensor> inputs in Sizes(form))
            {
                Rewriting.AssertEqual(original.Run(inputs), other.Run(inputs), Tolerance);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ASubgraphThatWasCutOutHasAllThatItNeeds(string name, string structure)
    {
        DecoderForm form = Forms().Single(f => f.Name == name);
        using var model = new OnnxModel(form.Build(), "", "model.onnx");
        foreach ((StructureSite site, StructureMatch match) in Rewriting.Find(model, Known.Single(s => s.Name == structure)))
        {
            ExtractedSubgraph cut = Extraction.Extract(model, site.Partition, site.Types, site.Subgraph.Timed);
            ModelProto rewritten = cut.Model.Clone();
            LayerRewriter.Apply(rewritten, [], _ => throw new InvalidOperationException("no layer is rewritten"), structures: [match]);
            using Session original = Session.Create(cut.Model, SessionSettings.Default), other = Session.Create(rewritten, SessionSettings.Default);
            foreach (IReadOnlyDictionary<string, Tensor> inputs in Sizes(form))
            {
                IReadOnlyDictionary<string, Tensor> entering = Rewriting.Values(model, inputs, cut.Inputs);
                Rewriting.AssertEqual(original.Run(entering), other.Run(entering), Tolerance);
            }
        }
    }

    /// <summary>A mask that is not causal everywhere is added as the model adds it: a window that opens only beyond some rows, and one that sees one row ahead.</summary>
    [Theory]
    [InlineData("window")]
    [InlineData("ahead")]
    public void AMaskThatIsNotCausalIsAddedAsItIs(string mask)
    {
        DecoderForm form = new ChangedForm(hides: mask == "window" ? (row, column) => column > row || column < row - 9 : (row, column) => column > row + 1);
        using var model = new OnnxModel(form.Build(), "", "model.onnx");
        StructureMatch[] matches = [.. Rewriting.Find(model, GroupQueryAttention.Naive).Select(f => f.Match)];
        Assert.Equal(DecoderForm.Blocks, matches.Length);
        using Session original = Session.Create(model.Proto, SessionSettings.Default), other = Session.Create(Rewriting.Apply(model, matches), SessionSettings.Default);
        foreach (IReadOnlyDictionary<string, Tensor> inputs in Sizes(form))
        {
            Rewriting.AssertEqual(original.Run(inputs), other.Run(inputs), Tolerance);
        }
    }

    /// <summary>The kernel turns both halves of a head by one table; and weights that something else reads cannot go.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void WhatTheKernelCannotDoIsLeftAsItIs(bool hasUnequalHalves, bool readsWeights)
    {
        using var model = new OnnxModel(new ChangedForm(hasUnequalHalves: hasUnequalHalves, readsWeights: readsWeights).Build(), "", "model.onnx");
        Assert.All(Known, structure => Assert.True(Rewriting.Find(model, structure).Count < DecoderForm.Blocks));
    }

    [Fact]
    public void DoclmHasItInEachBlock()
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model("doclm"));
        foreach (Structure structure in Known)
        {
            StructureMatch[] matches = [.. Rewriting.Find(model, structure).Select(f => f.Match)];
            ModelProto rewritten = Rewriting.Apply(model, matches);
            Assert.Equal(6, matches.Length);
            using Session original = Session.Create(model.Proto, SessionSettings.Default), other = Session.Create(rewritten, SessionSettings.Default);
            foreach ((int batch, int rows) in new[] { (1, 1), (3, 7), (1, 192) })
            {
                var inputs = new Dictionary<string, Tensor> { ["input_ids"] = Tensor.Of<long>([.. Enumerable.Range(0, batch * rows).Select(i => (long)(i * 37 % 251))], batch, rows) };
                Rewriting.AssertEqual(original.Run(inputs), other.Run(inputs), Tolerance);
            }
        }
    }

    private static IEnumerable<IReadOnlyDictionary<string, Tensor>> Sizes(DecoderForm form) =>
        from batch in form.Fixed is var (b, _) ? [b] : new[] { 1, 3 }
        from rows in form.Fixed is var (_, r) ? [r] : new[] { 1, 7, 33 }
        from past in form.HasCache ? new[] { 0, 1, 16 } : [0]
        from padded in form.HasPadding ? new[] { false, true } : [false]
        select form.Inputs(batch, rows, past, padded);
}
