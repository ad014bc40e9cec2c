using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Formats;

/// <summary>Activations x · σ(x) that are computed in 8 bits with the convolution before them, against the same worked out in double.</summary>
public class SwishTests
{
    /// <summary>An activation x · σ(x) behind a convolution, however it is written: integers on all sides, σ in steps of 1/255.</summary>
    [Theory]
    [InlineData("HardSwish")]
    [InlineData("HardSigmoid, Mul")]
    [InlineData("Add, Clip, Div, Mul, Mul, Add")]
    [InlineData("Sigmoid, Mul")]
    [InlineData("Sigmoid, Mul, Mul, Add")]
    public void AnActivationBehindAConvolutionIsThatOfTheRoundedNumbers(string operators)
    {
        ModelProto proto = Activated(operators);
        Tensor x = LayerModels.Random(5, 2, 8, 9, 9);
        (ModelProto mixed, LayerRanges ranges) = Int8StaticTests.Rewrite(proto, x);
        Assert.DoesNotContain(mixed.Graph.Node, n => n.OpType is "Clip" or "HardSwish" or "HardSigmoid" or "Div");

        bool isHard = !operators.StartsWith("Sigmoid");
        (float factor, float addend) = operators.EndsWith("Add") ? (1.5f, 0.4f) : (1, 0);
        (double step, int zero) = (ranges.Output!.Scale, ranges.Output.ZeroPoint);
        int steps = (int)Math.Round(addend / step);
        Assert.Equal(addend, steps * step, 1e-5);
        double[] expected = [.. Int8StaticTests.Reference(x, TensorProtos.Read(proto.Graph.Initializer[0], null!), TensorProtos.Read(proto.Graph.Initializer[1], null!), ranges with { Output = ranges.Inner }, 1, 1, [1, 1, 1, 1]).Select(v =>
        {
            double gate = isHard ? Math.Clamp(Math.Round((v + 3.0) * 255 / 6), 0, 255) / 255 : Math.Round(255 / (1 + Math.Exp(-(double)v))) / 255;
            return step * (Math.Clamp(Math.Round(factor * v * gate / step) + zero + steps, 0, 255) - zero);
        })];
        foreach (SessionSettings settings in new[] { SessionSettings.Default, SessionSettings.Default with { Optimization = Microsoft.ML.OnnxRuntime.GraphOptimizationLevel.ORT_DISABLE_ALL } })
        {
            using Session session = Session.Create(mixed, settings);
            float[] given = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].Values<float>().ToArray();
            Assert.Equal(expected.Length, given.Length);
            // What is in the middle between two steps may go to either side, in the convolution and behind it.
            double most = (2 * step) + (1.2 * factor * ranges.Inner!.Scale);
            Assert.All(expected.Zip(given), v => Assert.InRange(Math.Abs(v.First - v.Second), 0, most));
            Assert.InRange(expected.Zip(given).Count(v => Math.Abs(v.First - v.Second) > step / 2), 0, expected.Length / 20);
        }

        // The error is one of rounding: it is nothing else that is computed.
        using Session exact = Session.Create(proto, SessionSettings.Default);
        float[] float32 = exact.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].Values<float>().ToArray();
        Assert.InRange(Math.Sqrt(expected.Zip(float32, (a, b) => (a - b) * (a - b)).Average()), 0, (step + (factor * ranges.Inner!.Scale)) / 2);

        string[] kernels = LayerModels.OperatorsAfterOptimization(mixed);
        Assert.Single(kernels, isHard ? "QLinearAdd" : "QLinearSigmoid");
        Assert.Single(kernels, "QLinearMul");
        Assert.Single(kernels, "QLinearConv");
        Assert.Single(kernels, "DequantizeLinear");
    }

    /// <summary>The speed of the format rests on the kernels of the activation too.</summary>
    [Fact]
    public void AnActivationThatTheRuntimeLeavesInFloatIsAnError()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Combine("mixed.onnx");
        (ModelProto mixed, IReadOnlyList<RewrittenLayer> layers) = Int8StaticTests.RewriteLayers(Activated("Sigmoid, Mul"), LayerModels.Random(5, 2, 8, 9, 9));
        File.WriteAllBytes(path, mixed.ToByteArray());
        KernelCheck.Check(path, layers, SessionSettings.Default);

        NodeProto gate = mixed.Graph.Node.Single(n => n.OpType == "Sigmoid");
        mixed.Graph.Node.Single(n => n.OpType == "Mul").Input[1] = gate.Output[0];
        File.WriteAllBytes(path, mixed.ToByteArray());
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => KernelCheck.Check(path, layers, SessionSettings.Default)).Diagnostic;
        Assert.Equal(Codes.KernelNotAsPromised, error.Code);
        Assert.Contains("1 com.microsoft.QLinearSigmoid, found in the optimized graph is 0", error.Message);
    }

    /// <summary>A structure that writes the activation in another way leaves nothing of it.</summary>
    [Fact]
    public void AnActivationIsThatOfAStructureToo()
    {
        ModelProto proto = Activated("Add, Clip, Div, Mul, Mul, Add");
        Tensor x = LayerModels.Random(5, 2, 8, 9, 9);
        using var model = new OnnxModel(proto, ".", "made");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        var sites = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
        StructureMatch[] fused = [.. partition.Subgraphs.SelectMany(s => KnownStructures.Find(new StructureSite(model, partition, s, types, sites))).Select(f => f.Match)];
        Assert.NotEmpty(fused);
        ModelProto exported = Int8StaticTests.Rewrite(proto, x).Model, written = Int8StaticTests.Rewrite(proto, x, structures: fused).Model;
        Assert.Equal(exported.Graph.Node.Select(n => n.OpType), written.Graph.Node.Select(n => n.OpType));
        using Session first = Session.Create(exported, SessionSettings.Default), second = Session.Create(written, SessionSettings.Default);
        var inputs = new Dictionary<string, Tensor> { ["x"] = x };
        Assert.Equal(first.Run(inputs)["y"].Values<float>().ToArray(), second.Run(inputs)["y"].Values<float>().ToArray());
    }

    /// <summary>What is computed from something else too, or read by somebody else, stays as it is.</summary>
    [Theory]
    [InlineData("HardSwish", true)]
    [InlineData("Sigmoid, Mul", true)]
    [InlineData("Sigmoid, Mul, Read", false)]
    [InlineData("Sigmoid", false)]
    [InlineData("Add, Clip, Div", false)]
    [InlineData("Mul, Sigmoid, Mul", false)]
    public void OnlyWholeActivationsAreHeldWithTheirLayer(string operators, bool isOne)
    {
        using var model = new OnnxModel(Activated(operators), ".", "made");
        LayerSite site = Int8StaticTests.Sites(model)[0];
        Assert.Equal(isOne, site.Tail?.Swish is not null);
        Assert.Equal(isOne ? "y" : "s", site.RangesOf.Output);
    }

    /// <summary>A convolution that gives "s", and operators that compute "y" from it: the first Mul that reads what is between is the product with "s", a Mul before σ or behind that one of the number 1.5; the last Add is that of 0.4.</summary>
    private static ModelProto Activated(string operators) => LayerModels.Model(
        [("x", [2, 8, 9, 9])],
        b =>
        {
            b.NodeTo(["s"], "Conv", "", ["x", "w", "c"], Attributes.Of("pads", [1L, 1, 1, 1]));
            string[] steps = operators.Split(", ");
            string value = "s";
            bool isProduct = false;
            foreach ((int i, string step) in steps.Index())
            {
                string output = i == steps.Length - 1 || steps[i + 1] == "Read" ? "y" : b.Fresh(step);
                if (step == "Read")
                {
                    b.NodeTo(["z"], "Relu", "", [b.Nodes[^2].Output[0]]);
                    break;
                }

                bool isOfSelf = step == "Mul" && value != "s" && !isProduct;
                string[] inputs = step switch
                {
                    "Clip" => [value, b.Scalar(0), b.Scalar(6)],
                    "Div" => [value, b.Scalar(6)],
                    "Add" => [value, b.Scalar(i == 0 ? 3 : 0.4f)],
                    "Mul" => isOfSelf ? ["s", value] : [value, b.Scalar(1.5f)],
                    _ => [value],
                };
                isProduct |= isOfSelf;
                value = b.NodeTo([output], step, "", inputs, step == "HardSigmoid" ? [Attributes.Of("alpha", 1 / 6f)] : [])[0];
            }
        },
        ("w", LayerModels.Random(3, 16, 8, 3, 3)),
        ("c", LayerModels.Random(4, 16)));
}
