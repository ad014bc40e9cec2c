using MixedPrecision.Benchmarks.Rivals;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Quantization;

/// <summary>What the benchmarks compare with has to be what the tool that comes with ONNX Runtime makes: layers and what lies between them in the runtime's kernels for integers, and numbers near to the original's.</summary>
public sealed class RivalTests
{
    private const int Samples = 4;

    [Fact]
    public void StaticQdqRunsLayersAndWhatLiesBetweenInIntegers()
    {
        using OnnxModel prepared = RivalModel.Optimize(Model());
        ModelProto quantized = StaticQdq.Quantize(prepared, Data(), QdqOperators.All);

        Assert.DoesNotContain(quantized.Graph.Node, n => n.OpType is "Relu" or "BatchNormalization");
        var kernels = Kernels(quantized);
        Assert.Equal(2, kernels["QLinearConv"]);
        Assert.Equal(1, kernels["QLinearAdd"]);
        Assert.Equal(1, kernels["QLinearGlobalAveragePool"]);
        Assert.Equal(1, kernels["QGemm"]);
        Assert.Equal(1, kernels["DequantizeLinear"]);
        Assert.InRange(Error(quantized), 1e-4, 0.03);
    }

    [Fact]
    public void StaticQdqOfConvolutionsLeavesOtherOperatorsAlone()
    {
        using OnnxModel prepared = RivalModel.Optimize(Model());
        ModelProto quantized = StaticQdq.Quantize(prepared, Data(), ["Conv"]);

        Assert.Contains(quantized.Graph.Node, n => n.OpType == "Relu");
        var kernels = Kernels(quantized);
        Assert.Equal(2, kernels["QLinearConv"]);
        Assert.False(kernels.ContainsKey("QLinearAdd"));
        Assert.InRange(Error(quantized), 1e-4, 0.03);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DynamicWithUnsignedWeightsRunsConvolutionsAndProductsInIntegers(bool perChannel)
    {
        using OnnxModel prepared = RivalModel.Optimize(Model());
        ModelProto quantized = DynamicIntegers.Quantize(prepared, perChannel, isSigned: false);

        Assert.Equal(2, quantized.Graph.Node.Count(n => n.OpType == "ConvInteger"));
        Assert.Equal(1, quantized.Graph.Node.Count(n => n.OpType == "MatMulInteger"));
        Assert.DoesNotContain(quantized.Graph.Initializer, t => t.DataType == ElementType.Float && t.Dims.Count > 1);
        Assert.InRange(Error(quantized), 1e-4, 0.05);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DynamicLstmComputesNearlyTheSame(bool perChannel)
    {
        const int Hidden = 6, Inputs = 5, Steps = 3;
        var builder = new GraphBuilder([]);
        string[] outputs = builder.NodeTo(["y", "h"], "LSTM", "", ["x", Random(builder, 1, 1, 4 * Hidden, Inputs), Random(builder, 2, 1, 4 * Hidden, Hidden)], Attributes.Of("hidden_size", Hidden));
        ModelProto model = Wrap(builder, [Steps, 1, Inputs], outputs[1]);
        using var prepared = new OnnxModel(model, "", "model.onnx");
        ModelProto quantized = DynamicIntegers.Quantize(prepared, perChannel, isSigned: true);

        Assert.Equal("DynamicQuantizeLSTM", Assert.Single(quantized.Graph.Node).OpType);
        IReadOnlyDictionary<string, Tensor> x = new Dictionary<string, Tensor> { ["x"] = Values(9, Steps, 1, Inputs) };
        using Session before = Session.Create(model, SessionSettings.Default), after = Session.Create(quantized, SessionSettings.Default);
        Assert.InRange(Distance(before.Run(x)["h"], after.Run(x)["h"]), 1e-5, 0.05);
    }

    /// <summary>Conv, BatchNormalization, Relu, Conv, a residual sum, a mean over space, and Gemm.</summary>
    private static ModelProto Model()
    {
        const int Channels = 16;
        var builder = new GraphBuilder([]);
        AttributeProto pads = Attributes.Of("pads", [1L, 1, 1, 1]);
        string y = builder.Node("Conv", ["x", Random(builder, 1, Channels, Channels, 3, 3)], pads);
        y = builder.Node("BatchNormalization", [y, Positive(builder, 2, Channels), Random(builder, 3, Channels), Random(builder, 4, Channels), Positive(builder, 5, Channels)]);
        y = builder.Node("Relu", [y]);
        y = builder.Node("Conv", [y, Random(builder, 6, Channels, Channels, 3, 3), Random(builder, 7, Channels)], pads);
        y = builder.Node("Add", ["x", y]);
        y = builder.Node("Flatten", [builder.Node("GlobalAveragePool", [y])]);

        // Reshape instead of Flatten, which the tool does not know, is what keeps the value in integers up to the last layer.
        builder.Nodes[^1].OpType = "Reshape";
        builder.Nodes[^1].Input.Add(builder.Integers(0, Channels));
        builder.NodeTo(["y"], "Gemm", "", [y, Random(builder, 8, 4, Channels), Random(builder, 9, 4)], Attributes.Of("transB", 1));
        return Wrap(builder, [1, Channels, 8, 8], "y");
    }

    private static ModelProto Wrap(GraphBuilder builder, long[] input, string output)
    {
        var graph = new GraphProto { Name = "graph" };
        graph.Input.Add(new TensorType(ElementType.Float, [.. input.Select(Dimension.Of)]).ToProto("x"));
        graph.Output.Add(new ValueInfoProto { Name = output });
        builder.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        using var untyped = new OnnxModel(model, "", "model.onnx");
        graph.Output[0] = TypeInference.Infer(untyped)[output].ToProto(output);
        return model;
    }

    private static string Random(GraphBuilder builder, int seed, params long[] shape) => builder.Constant(Values(seed, shape), "weight");

    private static string Positive(GraphBuilder builder, int seed, int count) =>
        builder.Constant(Tensor.Of<float>([.. Values(seed, count).Values<float>().ToArray().Select(v => 1 + MathF.Abs(v))], count), "weight");

    private static Tensor Values(int seed, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (random.NextSingle() * 2) - 1)], shape);
    }

    private static Sample[] Data() => [.. Enumerable.Range(0, Samples).Select(i => new Sample($"{i}", new Dictionary<string, Tensor> { ["x"] = Values(100 + i, 1, 16, 8, 8) }, null))];

    private static Dictionary<string, int> Kernels(ModelProto model)
    {
        using OnnxModel optimized = Save(model);
        return optimized.Graph.Node.CountBy(n => n.OpType).ToDictionary();
    }

    private static OnnxModel Save(ModelProto model)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "model.onnx");
        using (FileStream file = File.Create(path))
        {
            Google.Protobuf.MessageExtensions.WriteTo(model, file);
        }

        return OptimizedModel.Read(path, SessionSettings.Default, optimized => new OnnxModel(optimized.Proto, "", "model.onnx"));
    }

    /// <summary>Of the output, relative to it, on data that the ranges were taken from.</summary>
    private static double Error(ModelProto quantized)
    {
        using Session before = Session.Create(Model(), SessionSettings.Default), after = Session.Create(quantized, SessionSettings.Default);
        return Data().Max(sample => Distance(before.Run(sample.Inputs)["y"], after.Run(sample.Inputs)["y"]));
    }

    private static double Distance(Tensor expected, Tensor actual)
    {
        float[] from = expected.Values<float>().ToArray(), to = actual.Values<float>().ToArray();
        return Math.Sqrt(from.Zip(to, (a, b) => (double)(a - b) * (a - b)).Sum() / from.Sum(a => (double)a * a));
    }
}
