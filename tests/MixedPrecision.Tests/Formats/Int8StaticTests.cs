using Google.Protobuf;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Formats;

/// <summary>Layers in 8 bits with ranges known beforehand, against the format worked out in double, with optimizations and without.</summary>
public class Int8StaticTests
{
    private const string Format = "int8-static(full)";

    public static TheoryData<int, int, int, int, int, string, string, bool> Convolutions() => new()
    {
        { 8, 16, 1, 3, 1, "1 1 1 1", "", true },
        { 8, 16, 1, 3, 2, "0 1 1 0", "Relu", true },
        { 16, 16, 16, 3, 1, "1 1 1 1", "Clip", true },
        { 12, 8, 4, 3, 1, "2 2 2 2", "", false },
        { 3, 16, 1, 7, 2, "3 3 3 3", "Relu", true },
        { 32, 32, 1, 1, 1, "0 0 0 0", "Clip", false },
        { 5, 7, 1, 2, 3, "0 0 1 1", "", true },
    };

    [Theory]
    [MemberData(nameof(Convolutions))]
    public void AConvolutionIsThatOfTheRoundedNumbers(int inputs, int outputs, int group, int kernel, int stride, string pads, string tail, bool hasBias)
    {
        const int Size = 9;
        long[] around = [.. pads.Split(' ').Select(long.Parse)];
        ModelProto proto = LayerModels.Model(
            [("x", [2, inputs, Size, Size])],
            b =>
            {
                string y = b.Node("Conv", hasBias ? ["x", "w", "c"] : ["x", "w"], Attributes.Of("group", group), Attributes.Of("strides", [(long)stride, stride]), Attributes.Of("pads", around));
                b.NodeTo(["y"], tail is "" ? "Identity" : tail, "", tail == "Clip" ? [y, b.Scalar(0), b.Scalar(1.5)] : [y]);
            },
            [("w", LayerModels.Random(3, outputs, inputs / group, kernel, kernel)), .. hasBias ? [("c", LayerModels.Random(4, outputs))] : Array.Empty<(string, Tensor)>()]);
        Tensor x = LayerModels.Random(5, 2, inputs, Size, Size);
        (ModelProto mixed, LayerRanges ranges) = Rewrite(proto, x);
        Tensor w = TensorProtos.Read(proto.Graph.Initializer[0], null!);
        float[] expected = Reference(x, w, hasBias ? TensorProtos.Read(proto.Graph.Initializer[1], null!) : null, ranges, group, stride, around);
        foreach (SessionSettings settings in new[] { SessionSettings.Default, SessionSettings.Default with { Optimization = Microsoft.ML.OnnxRuntime.GraphOptimizationLevel.ORT_DISABLE_ALL } })
        {
            using Session session = Session.Create(mixed, settings);
            float[] given = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].Values<float>().ToArray();
            Assert.Equal(expected.Length, given.Length);
            // A sum in the middle between two steps may go to either side.
            Assert.All(expected.Zip(given), v => Assert.InRange(MathF.Abs(v.First - v.Second), 0, ranges.Output!.Scale * 1.001f));
            Assert.InRange(expected.Zip(given).Count(v => v.First != v.Second), 0, expected.Length / 50);
        }
    }

    [Fact]
    public void NeighboursHandOnWhatIsRounded()
    {
        ModelProto proto = LayerModels.Model(
            [("x", [1, 8, 12, 12])],
            b =>
            {
                string first = b.Node("Relu", [b.Node("Conv", ["x", "w", "c"], Attributes.Of("pads", [1L, 1, 1, 1]))]);
                string second = b.Node("Conv", [first, "v", "d"], Attributes.Of("pads", [1L, 1, 1, 1]));
                string sum = b.Node("Relu", [b.Add(second, first)]);
                b.NodeTo(["y"], "Conv", "", [b.Node("MaxPool", [sum], Attributes.Of("kernel_shape", [2L, 2]), Attributes.Of("strides", [2L, 2])), "u", "e"]);
            },
            ("w", LayerModels.Random(3, 16, 8, 3, 3)),
            ("c", LayerModels.Random(4, 16)),
            ("v", LayerModels.Random(5, 16, 16, 3, 3)),
            ("d", LayerModels.Random(6, 16)),
            ("u", LayerModels.Random(7, 16, 16, 1, 1)),
            ("e", LayerModels.Random(8, 16)));
        Tensor x = LayerModels.Random(9, 1, 8, 12, 12);
        string[] operators = LayerModels.OperatorsAfterOptimization(Rewrite(proto, x).Model);
        Assert.Equal(3, operators.Count(o => o == "QLinearConv"));
        Assert.Single(operators, o => o == "QLinearAdd");
        Assert.Single(operators, o => o == "QuantizeLinear");
        Assert.Single(operators, o => o == "DequantizeLinear");
        Assert.DoesNotContain(operators, o => o is "Relu" or "Conv" or "Add");
    }

    [Theory]
    [InlineData("")]
    [InlineData("Relu")]
    [InlineData("Clip")]
    public void AConvolutionThatStaysInFloatBetweenOthersIsNotRoundedByTheRuntime(string tail)
    {
        ModelProto proto = LayerModels.Model(
            [("x", [1, 16, 12, 12])],
            b =>
            {
                b.NodeTo(["first"], "Conv", "", ["x", "w", "c"]);
                b.NodeTo(["middle"], "Conv", "", ["first", "v", "c"]);
                string cut = tail == "" ? "middle" : b.Node(tail, tail == "Clip" ? ["middle", b.Scalar(0), b.Scalar(1.5f)] : ["middle"]);
                b.NodeTo(["y"], "Conv", "", [cut, "u", "c"]);
            },
            ("w", LayerModels.Random(3, 16, 16, 3, 3)),
            ("v", LayerModels.Random(4, 16, 16, 3, 3)),
            ("u", LayerModels.Random(5, 16, 16, 3, 3)),
            ("c", LayerModels.Random(6, 16)));
        Tensor x = LayerModels.Random(9, 1, 16, 12, 12);
        ModelProto mixed = Rewrite(proto, x, except: "middle").Model;
        Assert.Equal(2, LayerModels.OperatorsAfterOptimization(mixed).Count(o => o == "QLinearConv"));

        // The guard changes nothing else.
        using Session optimized = Session.Create(mixed, SessionSettings.Default), plain = Session.Create(mixed, SessionSettings.Default with { Optimization = Microsoft.ML.OnnxRuntime.GraphOptimizationLevel.ORT_DISABLE_ALL });
        float[] one = optimized.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].Values<float>().ToArray(), other = plain.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].Values<float>().ToArray();
        Assert.InRange(one.Zip(other).Count(v => MathF.Abs(v.First - v.Second) > 1e-4f * one.Max()), 0, one.Length / 20);
    }

    [Fact]
    public void AMaxPoolOfFloatsIsNotTakenInIntegers()
    {
        ModelProto proto = LayerModels.Model(
            [("x", [1, 16, 12, 12])],
            b =>
            {
                b.NodeTo(["first"], "Conv", "", ["x", "w", "c"]);
                b.NodeTo(["y"], "Conv", "", [b.Node("MaxPool", [b.Node("Relu", ["first"])], Attributes.Of("kernel_shape", [2L, 2])), "v", "c"]);
            },
            ("w", LayerModels.Random(3, 16, 16, 3, 3)),
            ("v", LayerModels.Random(4, 16, 16, 3, 3)),
            ("c", LayerModels.Random(6, 16)));
        ModelProto mixed = Rewrite(proto, LayerModels.Random(9, 1, 16, 12, 12), except: "first").Model;
        string[] operators = LayerModels.OperatorsAfterOptimization(mixed);
        Assert.True(Array.FindIndex(operators, o => o.EndsWith("MaxPool", StringComparison.Ordinal)) < Array.IndexOf(operators, "QuantizeLinear"), string.Join(' ', operators));
        Assert.Single(operators, "QLinearConv");
    }

    [Fact]
    public void WhatIsNoLayerOfConstantsHasItsReason()
    {
        ModelProto computed = LayerModels.Model(
            [("x", [1, 3, 8, 8]), ("c", [4])], b => b.NodeTo(["y"], "Conv", "", ["x", "w", "c"]), ("w", LayerModels.Random(6, 4, 3, 3, 3)));
        ModelProto transposed = LayerModels.Model([("x", [1, 3, 8, 8])], b => b.NodeTo(["y"], "ConvTranspose", "", ["x", "w"]), ("w", LayerModels.Random(6, 3, 4, 3, 3)));
        Assert.Contains("what it adds is computed", WhyNot(computed), StringComparison.Ordinal);
        Assert.Contains("both operands are activations", WhyNot(LayerModels.Model([("x", [4, 8]), ("z", [8, 3])], b => b.NodeTo(["y"], "MatMul", "", ["x", "z"]))), StringComparison.Ordinal);
        Assert.Contains("no transposed convolution", WhyNot(transposed), StringComparison.Ordinal);
        Assert.Null(WhyNot(LayerModels.MatMul(2, 8, 8)));
        Assert.Null(WhyNot(LayerModels.Convolution()));
    }

    [Theory]
    [InlineData("MatMul", 1)]
    [InlineData("Gemm", 0.5f)]
    [InlineData("Gemm, transposed", 2)]
    public void AMatrixIsThatOfTheRoundedNumbers(string layer, float alpha)
    {
        const int Inputs = 37, Outputs = 11;
        bool isTransposed = layer.EndsWith("transposed", StringComparison.Ordinal), isGemm = layer != "MatMul";
        ModelProto proto = LayerModels.Model(
            [("x", [5, Inputs])],
            b => b.NodeTo(["y"], isGemm ? "Gemm" : "MatMul", "", isGemm ? ["x", "w", "c"] : ["x", "w"], isGemm ? [Attributes.Of("alpha", alpha), Attributes.Of("transB", isTransposed ? 1 : 0)] : []),
            [("w", isTransposed ? LayerModels.Random(3, Outputs, Inputs) : LayerModels.Random(3, Inputs, Outputs)), .. isGemm ? [("c", LayerModels.Random(4, Outputs))] : Array.Empty<(string, Tensor)>()]);
        Tensor x = LayerModels.Random(5, 5, Inputs);
        (ModelProto mixed, IReadOnlyList<RewrittenLayer> layers) = RewriteLayers(proto, x);
        LayerRanges ranges = layers[0].Site.Ranges!;
        float[] w = TensorProtos.Read(proto.Graph.Initializer[0], null!).Values<float>().ToArray();
        foreach (SessionSettings settings in new[] { SessionSettings.Default, SessionSettings.Default with { Optimization = Microsoft.ML.OnnxRuntime.GraphOptimizationLevel.ORT_DISABLE_ALL } })
        {
            using Session session = Session.Create(mixed, settings);
            float[] given = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"].Values<float>().ToArray();
            for (int column = 0; column < Outputs; column++)
            {
                float[] own = [.. Enumerable.Range(0, Inputs).Select(k => alpha * w[isTransposed ? (column * Inputs) + k : (k * Outputs) + column])];
                float step = own.Max(MathF.Abs) / 127;
                double added = isGemm ? LayerModels.Random(4, Outputs).Values<float>()[column] : 0;
                for (int row = 0; row < 5; row++)
                {
                    long sum = x.Values<float>().Slice(row * Inputs, Inputs).ToArray().Zip(own).Sum(v =>
                        (long)(Math.Clamp(MathF.Round(v.First / ranges.Input.Scale) + ranges.Input.ZeroPoint, 0, 255) - ranges.Input.ZeroPoint) * (long)MathF.Round(v.Second / step));
                    Assert.Equal(((double)ranges.Input.Scale * step * sum) + added, given[(row * Outputs) + column], 1e-5);
                }
            }
        }

        // The addition of a bias stays in float.
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.Combine("mixed.onnx"), mixed.ToByteArray());
        KernelCheck.Check(folder.Combine("mixed.onnx"), layers, SessionSettings.Default);
        Assert.Contains("MatMulIntegerToFloat", LayerModels.OperatorsAfterOptimization(mixed));
    }

    [Fact]
    public void TheHeadOfAClassifierReadsWhatItsConvolutionsGive()
    {
        ModelProto proto = LayerModels.Model(
            [("x", [1, 3, 16, 16])],
            b =>
            {
                b.NodeTo(["t"], "Conv", "", ["x", "w", "c"], Attributes.Of("pads", [1L, 1, 1, 1]));
                b.NodeTo(["y"], "Gemm", "", [b.Node("Flatten", [b.Node("GlobalAveragePool", [b.Node("Relu", ["t"])])]), "v", "d"]);
            },
            ("w", LayerModels.Random(3, 16, 3, 3, 3)),
            ("c", LayerModels.Random(4, 16)),
            ("v", LayerModels.Random(5, 16, 10)),
            ("d", LayerModels.Random(6, 10)));
        string[] operators = LayerModels.OperatorsAfterOptimization(Rewrite(proto, LayerModels.Random(9, 1, 3, 16, 16)).Model);
        Assert.Equal(["Flatten", "MatMulIntegerToFloat", "Pad", "QLinearConv", "QLinearGlobalAveragePool", "QuantizeLinear"], operators.Where(o => o is not ("Transpose" or "Add")).Order());
    }

    /// <summary>What a Resize to the nearest gives lies on the steps of what it reads.</summary>
    [Theory]
    [InlineData("Concat")]
    [InlineData("Add")]
    public void ValuesAreHandedOnThroughWhatMovesThem(string between)
    {
        ModelProto proto = LayerModels.Model(
            [("x", [1, 16, 8, 8])],
            b =>
            {
                b.NodeTo(["low"], "Conv", "", ["x", "w", "c"], Attributes.Of("pads", [1L, 1, 1, 1]), Attributes.Of("strides", [2L, 2]));
                b.NodeTo(["skip"], "Conv", "", ["x", "v", "c"], Attributes.Of("pads", [1L, 1, 1, 1]));
                string wide = b.Node("Resize", ["low", "", b.Constant(Tensor.Of<float>([1, 1, 2, 2], 4), "scales")], Attributes.Of("mode", "nearest"), Attributes.Of("coordinate_transformation_mode", "asymmetric"), Attributes.Of("nearest_mode", "floor"));
                b.NodeTo(["y"], "Conv", "", [between == "Concat" ? b.Node("Concat", [wide, "skip"], Attributes.Of("axis", 1)) : b.Add(wide, "skip"), between == "Concat" ? "u" : "w", "c"]);
            },
            ("w", LayerModels.Random(3, 16, 16, 3, 3)),
            ("v", LayerModels.Random(4, 16, 16, 3, 3)),
            ("u", LayerModels.Random(5, 16, 32, 1, 1)),
            ("c", LayerModels.Random(6, 16)));
        Tensor x = LayerModels.Random(9, 1, 16, 8, 8);
        ModelProto mixed = Rewrite(proto, x).Model;
        string[] operators = LayerModels.OperatorsAfterOptimization(mixed);
        Assert.Single(operators, "QLinear" + between);
        Assert.Single(operators, "QuantizeLinear");
        Assert.Single(operators, "DequantizeLinear");
    }

    /// <summary>The sum before the pool has a range of its own: with that it runs in integers too.</summary>
    [Fact]
    public void TheLastResidualSumRunsInIntegers()
    {
        ModelProto proto = LayerModels.Model(
            [("x", [1, 16, 16, 16])],
            b =>
            {
                b.NodeTo(["s"], "Conv", "", ["x", "w", "c"], Attributes.Of("pads", [1L, 1, 1, 1]));
                b.NodeTo(["t"], "Conv", "", ["s", "w", "c"], Attributes.Of("pads", [1L, 1, 1, 1]));
                b.NodeTo(["y"], "Gemm", "", [b.Node("Flatten", [b.Node("GlobalAveragePool", [b.Node("Relu", [b.Add("t", "s")])])]), "v", "d"]);
            },
            ("w", LayerModels.Random(3, 16, 16, 3, 3)),
            ("c", LayerModels.Random(4, 16)),
            ("v", LayerModels.Random(5, 16, 10)),
            ("d", LayerModels.Random(6, 10)));
        string[] operators = LayerModels.OperatorsAfterOptimization(Rewrite(proto, LayerModels.Random(9, 1, 16, 16, 16)).Model);
        Assert.Single(operators, "QLinearAdd");
        Assert.Single(operators, "QLinearGlobalAveragePool");
        Assert.DoesNotContain("DequantizeLinear", operators);
    }

    /// <summary>Where a structure computes what a layer reads, there is nothing left to round in front of it.</summary>
    [Fact]
    public void WhatAStructureReplacesIsNotRounded()
    {
        ModelProto proto = LayerModels.Model(
            [("x", [2, 3, 8])],
            b => b.NodeTo(["y"], "MatMul", "", [b.Reshape(b.Node("Transpose", ["x"], Attributes.Of("perm", [1L, 0, 2])), b.Integers(6, 8)), "w"]),
            ("w", LayerModels.Random(3, 8, 5)));
        using var model = new OnnxModel(proto, ".", "made");
        LayerSite site = Assert.Single(Sites(model)) with { Ranges = new LayerRanges(ValueRange.Of(-1, 1), null) };
        Assert.NotNull(site.Source);
        var direct = new StructureMatch(new Dictionary<string, string>(), [site.Layer.Input], [], emission => emission.Builder.NodeTo([site.Layer.Input], "Reshape", "", ["x", emission.Builder.Integers(6, 8)]));
        ModelProto mixed = proto.Clone();
        LayerRewriter.Apply(mixed, [(site, NumberFormats.Get(Format))], name => TensorProtos.Read(proto.Graph.Initializer.First(i => i.Name == name), null!), structures: [direct]);
        using Session session = Session.Create(mixed, SessionSettings.Default);
        Assert.Equal([6L, 5], session.Run(new Dictionary<string, Tensor> { ["x"] = LayerModels.Random(9, 2, 3, 8) })["y"].Shape);
        Assert.Equal(1, mixed.Graph.Node.Count(n => n.OpType == "QuantizeLinear"));
    }

    [Fact]
    public void NarrowWeightsSumWithoutSaturating()
    {
        ModelProto proto = LayerModels.Convolution();
        using var model = new OnnxModel(proto, ".", "made");
        LayerSite site = Sites(model).Single();
        sbyte[] narrow = NumberFormats.Get("int8-static(narrow)").Prepare(site, Weights.Read(model, new GraphView(model.Graph), "w")!)[0].Values<sbyte>().ToArray();
        Assert.Equal(63, narrow.Max(v => Math.Abs((int)v)));
        Assert.True(NumberFormats.Get(Format).NeedsExactSums && !NumberFormats.Get("int8-static(narrow)").NeedsExactSums);
    }

    private static string? WhyNot(ModelProto proto)
    {
        using var model = new OnnxModel(proto, ".", "made");
        return NumberFormats.Get(Format).WhyNot(Sites(model).Single());
    }

    internal static List<LayerSite> Sites(OnnxModel model)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        return [.. partition.Layers.Select(l => LayerSite.Of(model, partition.View, types, l))];
    }

    internal static (ModelProto Model, LayerRanges Ranges) Rewrite(ModelProto proto, Tensor x, string except = "", IReadOnlyList<StructureMatch>? structures = null)
    {
        (ModelProto mixed, IReadOnlyList<RewrittenLayer> layers) = RewriteLayers(proto, x, except, structures);
        return (mixed, layers[0].Site.Ranges!);
    }

    /// <summary>The model with all layers but one in the format, in the ranges that their values have for one input; with the layers that are in it.</summary>
    internal static (ModelProto Model, IReadOnlyList<RewrittenLayer> Layers) RewriteLayers(ModelProto proto, Tensor x, string except = "", IReadOnlyList<StructureMatch>? structures = null)
    {
        using var model = new OnnxModel(proto, ".", "made");
        List<LayerSite> sites = Sites(model);
        ModelProto observed = proto.Clone();
        observed.Graph.Output.AddRange(sites.SelectMany(s => new[] { s.RangesOf.Input, s.RangesOf.Output, s.Pooled, s.Inner }).OfType<string>().Distinct().Where(v => v is not "x" and not "y").Select(v => new ValueInfoProto { Name = v }));
        using Session session = Session.Create(observed, SessionSettings.Default);
        IReadOnlyDictionary<string, Tensor> values = session.Run(new Dictionary<string, Tensor> { ["x"] = x });
        ValueRange Range(string value)
        {
            float[] seen = (value == "x" ? x : values[value]).Values<float>().ToArray();
            return ValueRange.Of(seen.Min(), seen.Max());
        }

        LayerSite[] ranged = [.. sites.Select(s => s with { Ranges = s.RangesFrom(Range) })];
        ModelProto mixed = proto.Clone();
        return (mixed, LayerRewriter.Apply(mixed, [.. ranged.Select(s => (s, s.Layer.Output == except ? NumberFormats.Baseline : NumberFormats.Get(Format)))], name => TensorProtos.Read(proto.Graph.Initializer.First(i => i.Name == name), null!), structures: structures));
    }

    /// <summary>The format by its definition: whole numbers times whole numbers, summed exactly, scaled once, rounded once.</summary>
    internal static float[] Reference(Tensor x, Tensor w, Tensor? bias, LayerRanges ranges, int group, int stride, long[] pads)
    {
        (int batch, int inputs, int height, int width) = ((int)x.Shape[0], (int)x.Shape[1], (int)x.Shape[2], (int)x.Shape[3]);
        (int outputs, int own, int kernel) = ((int)w.Shape[0], (int)w.Shape[1], (int)w.Shape[2]);
        int rows = ((height + (int)(pads[0] + pads[2]) - kernel) / stride) + 1, columns = ((width + (int)(pads[1] + pads[3]) - kernel) / stride) + 1;
        int[] q = [.. x.Values<float>().ToArray().Select(v => (int)Math.Clamp(MathF.Round(v / ranges.Input.Scale) + ranges.Input.ZeroPoint, 0, 255) - ranges.Input.ZeroPoint)];
        float[] weights = w.Values<float>().ToArray();
        var result = new List<float>();
        for (int n = 0; n < batch; n++)
        {
            for (int m = 0; m < outputs; m++)
            {
                float[] kernelOf = weights[(m * own * kernel * kernel)..((m + 1) * own * kernel * kernel)];
                float step = kernelOf.Max(MathF.Abs) / 127;
                int[] k = [.. kernelOf.Select(v => (int)MathF.Round(v / step))];
                double scale = (double)ranges.Input.Scale * step;
                double added = bias is null ? 0 : Math.Round(bias.Values<float>()[m] / scale);
                for (int row = 0; row < rows; row++)
                {
                    for (int column = 0; column < columns; column++)
                    {
                        long sum = 0;
                        for (int c = 0; c < own; c++)
                        {
                            int channel = (m / (outputs / group) * own) + c;
                            for (int dy = 0; dy < kernel; dy++)
                            {
                                for (int dx = 0; dx < kernel; dx++)
                                {
                                    int y = (row * stride) + dy - (int)pads[0], z = (column * stride) + dx - (int)pads[1];
                                    if (y >= 0 && y < height && z >= 0 && z < width)
                                    {
                                        sum += q[(((((n * inputs) + channel) * height) + y) * width) + z] * k[(((c * kernel) + dy) * kernel) + dx];
                                    }
                                }
                            }
                        }

                        double rounded = Math.Clamp(Math.Round((sum + added) * scale / ranges.Output!.Scale) + ranges.Output!.ZeroPoint, 0, 255);
                        result.Add((float)(rounded - ranges.Output!.ZeroPoint) * ranges.Output!.Scale);
                    }
                }
            }
        }

        return [.. result];
    }
}
