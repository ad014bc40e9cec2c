using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;

namespace MixedPrecision.Tests.Quantization;

/// <summary>Models that refer to one file of data.</summary>
public sealed class SharedWeightsTests : IDisposable
{
    private const int Width = 64;

    private readonly TemporaryFolder folder = new();

    [Fact]
    public void EqualBytesStandOnceAtPagesAndTheModelsComputeWhatTheyDid()
    {
        string[] models = [Write("a", 1, 2), Write("b", 3, 2), Write("c", 1, 1)];
        IReadOnlyList<string> files = SharedWeights.Write([.. models.Select(m => (m, Path.GetFileName(m)))], folder.Combine("shared"), "all.data");
        Assert.Equal(["all.data", "a.onnx", "b.onnx", "c.onnx"], files.Select(f => Path.GetRelativePath(folder.Combine("shared"), f)));
        Assert.Equal(3L * Width * Width * sizeof(float), new FileInfo(files[0]).Length);
        var input = new Dictionary<string, Tensor> { ["x"] = Random(9, 2) };
        foreach ((string before, string after) in models.Zip(files.Skip(1)))
        {
            using OnnxModel model = OnnxModel.Load(after);
            Assert.All(ModelTensors.External(model.Proto), t => Assert.Equal(
                ("all.data", 0L), (t.ExternalData.Single(e => e.Key == "location").Value, model.External.Locate(t).Offset % 4096)));
            using Session own = Session.Open(before, SessionSettings.Default), shared = Session.Open(after, SessionSettings.Default);
            Assert.Equal(own.Run(input)["y"].Values<float>().ToArray(), shared.Run(input)["y"].Values<float>().ToArray());
        }
    }

    [Fact]
    public void WhatDiffersInAByteIsNotTheSame()
    {
        string one = Write("a", 1, 2), other = Write("b", 1, 2), data = other + ".data";
        Assert.True(SharedWeights.Same(one, other));
        byte[] bytes = File.ReadAllBytes(data);
        bytes[^1] ^= 1;
        File.WriteAllBytes(data, bytes);
        Assert.False(SharedWeights.Same(one, other));
        Assert.False(SharedWeights.Same(one, Write("c", 1, 2, "Sigmoid")));
    }

    /// <summary>Typed fields cannot be moved to a file as they are; what is small stays in the model.</summary>
    [Fact]
    public void WeightsInTypedFieldsLieApartTooAndSmallOnesStay()
    {
        ModelProto proto = Model(1, 2, "Tanh");
        TensorProto typed = proto.Graph.Initializer[0];
        float[] values = TensorProtos.Read(typed, new ExternalData(folder.Path)).Values<float>().ToArray();
        typed.ClearRawData();
        typed.FloatData.AddRange(values);
        proto.Graph.Initializer.Add(Tensor.Of<float>([.. Enumerable.Repeat(1f, 1023)], 1023).ToProto("small"));
        using var model = new OnnxModel(proto, folder.Path, "typed.onnx");
        string path = Quantizer.Save(model, proto.Clone(), folder.Combine("typed.onnx"), isApart: true)[^1];
        using OnnxModel saved = OnnxModel.Load(path);
        Assert.Equal(["w", "v"], ModelTensors.External(saved.Proto).Select(t => t.Name));
        Assert.Empty(saved.Initializers["w"].FloatData);
        Assert.Equal(values, saved.Initializer("w")!.Values<float>().ToArray());
    }

    public void Dispose() => folder.Dispose();

    private string Write(string name, int first, int second, string activation = "Tanh")
    {
        ModelProto proto = Model(first, second, activation);
        using var model = new OnnxModel(proto, folder.Path, name);
        return Quantizer.Save(model, proto.Clone(), folder.Combine($"{name}.onnx"), isApart: true)[^1];
    }

    private static ModelProto Model(int first, int second, string activation)
    {
        var graph = new GraphProto { Name = "two products" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(2), Dimension.Of(Width)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(2), Dimension.Of(Width)]).ToProto("y"));
        graph.Initializer.Add(Random(first, Width).ToProto("w"));
        graph.Initializer.Add(Random(second, Width).ToProto("v"));
        graph.Node.Add(new NodeProto { OpType = "MatMul", Input = { "x", "w" }, Output = { "a" } });
        graph.Node.Add(new NodeProto { OpType = activation, Input = { "a" }, Output = { "b" } });
        graph.Node.Add(new NodeProto { OpType = "MatMul", Input = { "b", "v" }, Output = { "y" } });
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        return model;
    }

    private static Tensor Random(int seed, int rows)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, rows * Width).Select(_ => ((float)random.NextDouble() - 0.5f) / 4)], rows, Width);
    }
}
