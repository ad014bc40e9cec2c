using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Structures;

namespace MixedPrecision.Tests.Quantization;

/// <summary>Constants beside convolutions are folded into these when a model is opened: the same results, layers of the same names.</summary>
public sealed class ExactRewritesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public static TheoryData<string> GainingNames => [.. FoldedForms.Gaining.Keys];

    public static TheoryData<string> RuntimeNames => [.. FoldedForms.OfRuntime.Keys];

    public static TheoryData<string> OtherNames =>
        [.. ConvolutionForms.Other.Keys, .. ConvolutionForms.Normalized.Keys, .. ConvolutionForms.Activations.Keys, .. ConvolutionForms.Anyway.Keys];

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(GainingNames))]
    public void AConvolutionTakesInConstantsBesideIt(string name) => AssertSame(FoldedForms.Gaining[name], isGaining: true);

    [Theory]
    [MemberData(nameof(RuntimeNames))]
    public void WhatTheRuntimeFoldsIsFoldedToo(string name) => AssertSame(FoldedForms.OfRuntime[name], isGaining: false);

    /// <summary>Neither what is not the same, nor the steps of written-out activations.</summary>
    [Theory]
    [MemberData(nameof(OtherNames))]
    public void OtherConstantsStayWhereTheyAre(string name)
    {
        using OnnxModel model = ConvolutionModel.Make(new[] { ConvolutionForms.Other, ConvolutionForms.Normalized, ConvolutionForms.Activations, ConvolutionForms.Anyway }.First(f => f.ContainsKey(name))[name]);
        Assert.Null(Of(model));
    }

    /// <summary>A factor that an app may replace is no constant to be folded.</summary>
    [Fact]
    public void AConstantThatIsAnInputStaysWhereItIs()
    {
        using OnnxModel made = ConvolutionModel.Make(FoldedForms.Gaining["TorchScript, scale of each layer first"]);
        ModelProto proto = made.Proto.Clone();
        TensorProto factor = proto.Graph.Initializer.Single(i => i.Dims.Count == 3);
        proto.Graph.Input.Add(new TensorType(ElementType.Float, [.. factor.Dims.Select(d => Dimension.Of(d))]).ToProto(factor.Name));
        using var model = new OnnxModel(proto, "", "model.onnx");
        Assert.Null(Of(model));
    }

    [Fact]
    public void HalfPrecisionIsLeftAlone()
    {
        using OnnxModel made = ConvolutionModel.Make(FoldedForms.Gaining["TorchScript, scale of each layer first"]);
        using var model = new OnnxModel(HalfModels.Narrow(made.Proto), "", "model.onnx");
        Assert.Null(Of(model));
    }

    /// <summary>A value that the model gives is computed as before, and what is behind it is folded no further.</summary>
    [Fact]
    public void OutputsStay()
    {
        var form = new ConvolutionForm(17, (m, x) => m.B.Mul(m.Number(3), m.B.Add(m.Number(1), m.Conv(x))));
        using OnnxModel made = ConvolutionModel.Make(form);
        ModelProto proto = made.Proto.Clone();
        string sum = proto.Graph.Node.Single(n => n.OpType == "Add").Output[0];
        proto.Graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(sum));
        using var model = new OnnxModel(proto, "", "model.onnx");
        ExactRewrites exact = Of(model)!;
        Assert.Equal(["Conv", "Mul", "Identity"], exact.Model.Graph.Node.Select(n => n.OpType));
        Assert.Equal(sum, exact.Model.Graph.Node[0].Output[0]);
        Dictionary<string, Tensor> inputs = ConvolutionModel.Inputs(2, 5, 6);
        Rewriting.AssertEqual(Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(exact.Model.Proto, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL), 1e-6);
    }

    /// <summary>Each takes in its own constants; what they shared goes, or stays for whoever else reads it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ASharedWeightIsCopied(bool isReadByAnother)
    {
        var form = new ConvolutionForm(17, (m, x) =>
        {
            string weight = m.Random(0.4, 0, 16, 16, 1, 1);
            string first = m.B.Mul(m.Number(2), m.B.Node("Conv", [x, weight])), second = m.B.Add(m.Number(1), m.B.Node("Conv", [first, weight]));
            return isReadByAnother ? m.B.Node("Conv", [m.B.Node("Relu", [second]), weight]) : second;
        });
        using OnnxModel model = ConvolutionModel.Make(form);
        ExactRewrites exact = Of(model)!;
        string shared = model.Graph.Node.First(n => n.OpType == "Conv").Input[1];
        Assert.Equal((2, 2), (exact.Folded, exact.Gaining));
        Assert.Equal(isReadByAnother, exact.Model.Initializers.ContainsKey(shared));
        Assert.Equal(isReadByAnother ? 3 : 2, exact.Model.Graph.Initializer.Count(i => i.Dims.Count == 4));
        Dictionary<string, Tensor> inputs = ConvolutionModel.Inputs(2, 5, 6);
        Rewriting.AssertEqual(Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(exact.Model.Proto, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL), 1e-6);
    }

    /// <summary>Rules of a policy name layers as the user sees them in the file: a layer without a name of its own by the output that it had.</summary>
    [Theory]
    [InlineData("", "")]
    [InlineData("a", "b")]
    public void LayersKeepTheirNames(string first, string second)
    {
        var form = new ConvolutionForm(17, (m, x) => m.Conv(m.B.Mul(m.Number(2), m.Conv(m.B.Node("Relu", [m.B.Add(m.Number(1), m.Conv(x))])))));
        using OnnxModel made = ConvolutionModel.Make(form);
        ModelProto proto = made.Proto.Clone();
        foreach ((NodeProto node, int index) in proto.Graph.Node.Where(n => n.OpType == "Conv").Select((n, i) => (n, i)))
        {
            node.Name = index == 0 ? first : index == 1 ? second : node.Name;
        }

        using var model = new OnnxModel(proto, "", "model.onnx");
        ExactRewrites exact = Of(model)!;
        Assert.Equal(2, exact.Folded);
        string[] names = [.. Partitioner.Partition(model, TypeInference.Infer(model)).Layers.Select(l => l.Name)];
        Assert.Equal(names, Partitioner.Partition(exact.Model, exact.Types).Layers.Select(l => l.Name));
        Assert.Equal(3, names.Distinct().Count());
    }

    /// <summary>Only weights that are folded are read; in the emitted file they lie with the other external data.</summary>
    [Fact]
    public void FoldedWeightsBecomeExternalDataWhereTheModelHasSome()
    {
        using OnnxModel made = ConvolutionModel.Make(new ConvolutionForm(17, (m, x) => m.Conv(m.B.Node("Relu", [m.B.Mul(m.Number(2), m.Conv(x, kernel: 3, pad: 1))]), kernel: 3, pad: 1)));
        string original = folder.Combine("original.onnx"), emitted = folder.Combine("emitted.onnx");
        File.WriteAllBytes(original, External(made.Proto, "original.data").ToByteArray());
        using OnnxModel model = OnnxModel.Load(original);
        ExactRewrites exact = Of(model)!;
        string folded = Assert.Single(exact.Model.Made, n => exact.Model.Initializers[n].Dims.Count == 4);
        IReadOnlyList<string> files = Quantizer.Write(exact.Model, [], _ => throw new InvalidOperationException("no layer is rewritten"), emitted);
        Assert.Equal(2, files.Count);
        using OnnxModel written = OnnxModel.Load(emitted);
        Assert.Equal(2, written.Graph.Initializer.Count(ModelTensors.IsExternal));
        Assert.True(ModelTensors.IsExternal(written.Initializers[folded]));
        Dictionary<string, Tensor> inputs = ConvolutionModel.Inputs(2, 5, 6);
        using Session before = Session.Open(original, SessionSettings.Plain), after = Session.Open(emitted, SessionSettings.Plain);
        Rewriting.AssertEqual(before.Run(inputs), after.Run(inputs), 1e-6);
    }

    /// <summary>A format takes the folded layer: its weight, its bias, and what it gives.</summary>
    [Fact]
    public void AFoldedLayerTakesAFormat()
    {
        using OnnxModel model = ConvolutionModel.Make(FoldedForms.Gaining["Paddle, affine block behind"]);
        ExactRewrites exact = Of(model)!;
        Partition partition = Partitioner.Partition(exact.Model, exact.Types);
        LayerSite site = LayerSite.Of(exact.Model, partition.View, exact.Types, Assert.Single(partition.Layers));
        Dictionary<string, Tensor> inputs = ConvolutionModel.Inputs(2, 5, 6);
        Tensor y = Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL)["y"];
        float[] values = y.Values<float>().ToArray(), read = inputs["x"].Values<float>().ToArray();
        site = site with { IsObserved = true, Ranges = new LayerRanges(new ValueRange(read.Min(), read.Max()), new ValueRange(Math.Min(0, values.Min()), Math.Max(0, values.Max()))) };
        NumberFormat format = NumberFormats.Get("int8-static");
        Assert.Null(format.WhyNot(site));
        ModelProto mixed = Quantizer.Emit(exact.Model, [(site, format)], name => Weights.Read(exact.Model, partition.View, name)!).Model;
        Rewriting.AssertEqual(Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(mixed, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), 0.03);
    }

    /// <summary>How many convolutions take something in, and how many of these the runtime would leave; of the detector what its sigmoid reads, which is all but zero on noise.</summary>
    [Theory]
    [InlineData("ppocr-rec", "1,3,48,96", "softmax_11.tmp_0", 34, 28)]
    [InlineData("ppocr-det", "1,3,64,96", "p2o.Add.77", 50, 2)]
    [InlineData("textline-orientation", "1,3,80,160", "fetch_name_0", 31, 0)]
    [InlineData("ultraface", "1,3,240,320", "scores", 35, 0)]
    public void RealModelsComputeTheSame(string name, string sizes, string output, int folded, int gaining)
    {
        using OnnxModel loaded = OnnxModel.Load(SharedFolder.Model(name));
        ModelProto proto = loaded.Proto.Clone();
        proto.Graph.Output.Clear();
        proto.Graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(output));
        using var model = new OnnxModel(proto, "", name);
        ExactRewrites exact = Of(model)!;
        Assert.Equal((folded, gaining), (exact.Folded, exact.Gaining));
        Assert.DoesNotContain(exact.Model.Graph.Node, n => n.OpType == "BatchNormalization");
        long[] shape = [.. sizes.Split(',').Select(s => long.Parse(s, System.Globalization.CultureInfo.InvariantCulture))];
        var draw = new Random(3);
        var inputs = new Dictionary<string, Tensor>
        {
            [model.Inputs.Single().Name] = Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((2 * draw.NextDouble()) - 1))], shape),
        };
        IReadOnlyDictionary<string, Tensor> wanted = Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL);
        Rewriting.AssertEqual(wanted, Run(exact.Model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), 1e-5);
        Rewriting.AssertEqual(wanted, Run(exact.Model.Proto, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL), 1e-5);
        if (name == "ppocr-rec")
        {
            var structured = new StructuredModel(exact.Model);
            ModelProto written = structured.Written(structured.Found(StructureNames.Fused));
            Assert.DoesNotContain(written.Graph.Node, n => n.OpType is "Clip");
            Rewriting.AssertEqual(wanted, Run(written, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL), 1e-5);
        }
    }

    /// <summary>Holds the rewritten model, by itself and with the operators of the runtime beside convolutions, against the exported one.</summary>
    private static void AssertSame(ConvolutionForm form, bool isGaining)
    {
        using OnnxModel model = ConvolutionModel.Make(form);
        string before = model.Proto.ToString();
        ExactRewrites exact = Of(model)!;
        Assert.Equal(before, model.Proto.ToString());
        Assert.Equal(isGaining, exact.Gaining > 0);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(exact.Model);
        Assert.All(exact.Model.Graph.Node.SelectMany(n => n.Input.Concat(n.Output)), v => Assert.Equal(types[v].ElementType, exact.Types[v].ElementType));
        var structured = new StructuredModel(exact.Model);
        ModelProto written = structured.Written(structured.Found(StructureNames.Fused));
        Assert.Empty(written.Graph.Node.Select(n => n.OpType).Intersect(form.Gone));
        Assert.All(written.Graph.Node, n => Assert.True(n.Output.Any(o => o == "y" || written.Graph.Node.Any(r => r.Input.Contains(o))), $"nothing reads what {n.OpType} computes"));
        Assert.All(exact.Model.Graph.Initializer, i => Assert.Contains(exact.Model.Graph.Node, n => n.Input.Contains(i.Name)));
        foreach ((int batch, int first, int second) in new[] { (1, 7, 9), (3, 12, 5) })
        {
            long[] sizes = [first, second, 6];
            Dictionary<string, Tensor> inputs = ConvolutionModel.Inputs(batch, sizes[..form.Spatial]);
            IReadOnlyDictionary<string, Tensor> wanted = Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL);
            foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_ALL })
            {
                Rewriting.AssertEqual(wanted, Run(exact.Model.Proto, inputs, level), 1e-5);
                Rewriting.AssertEqual(wanted, Run(written, inputs, level), 1e-5);
            }
        }
    }

    private static ExactRewrites? Of(OnnxModel model) => ExactRewrites.Of(model, TypeInference.Infer(model));

    /// <summary>The model with its weights in a file beside it.</summary>
    private ModelProto External(ModelProto model, string location)
    {
        ModelProto moved = model.Clone();
        using FileStream stream = File.Create(folder.Combine(location));
        foreach (TensorProto tensor in moved.Graph.Initializer.Where(i => i.Dims.Count == 4))
        {
            tensor.DataLocation = 1;
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = $"{stream.Position}" });
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = $"{tensor.RawData.Length}" });
            stream.Write(tensor.RawData.Span);
            tensor.ClearRawData();
        }

        return moved;
    }

    private static IReadOnlyDictionary<string, Tensor> Run(ModelProto model, IReadOnlyDictionary<string, Tensor> inputs, GraphOptimizationLevel level)
    {
        using Session session = Session.Create(model, new SessionSettings(1, level));
        return session.Run(inputs);
    }
}
