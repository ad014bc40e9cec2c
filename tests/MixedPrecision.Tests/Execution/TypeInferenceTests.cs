using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Execution;

public class TypeInferenceTests
{
    [Theory]
    [InlineData("docarea")]
    [InlineData("doclm")]
    [InlineData("textline-orientation")]
    [InlineData("yolox-nano")]
    [InlineData("ppocr-det")]
    [InlineData("silero-vad")]
    [InlineData("ppocr-rec")]
    [InlineData("ultraface")]
    public void EveryValueOfARealModelHasAnElementType(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        string[] missing = [.. model.Graph.Node.SelectMany(n => n.Output).Where(o => o.Length > 0 && (!types.TryGetValue(o, out var t) || t.ElementType == 0))];
        Assert.Empty(missing);
    }

    /// <summary>With the samples' sizes, the branch that they do not take is no valid graph. The model runs all the same.</summary>
    [Fact]
    public void SizesThatOnlyOneBranchTakesAreNoReasonToRefuseTheModel()
    {
        using var model = new OnnxModel(TypeModels.Branches(), "", "branches");
        var known = new Dictionary<string, TensorType> { ["x"] = new(ElementType.Float, [Dimension.Of(1), Dimension.Of(64)]) };
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model, known);
        Assert.Equal(TypeInference.Infer(model)["chosen"].ToString(), types["chosen"].ToString());
        Assert.Equal("float [x0, 8]", types["y"].ToString());
    }

    /// <summary>A value of 4 bits cannot be asked for. What it is between can, by a run.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AValueThatIsNotHandedOutStaysUnknownAlone(bool isUnsorted)
    {
        ModelProto proto = TypeModels.FourBits();
        if (isUnsorted)
        {
            // Then the probe asks for what it cannot have, and is not the judge.
            NodeProto[] reversed = [.. proto.Graph.Node.Reverse()];
            proto.Graph.Node.Clear();
            proto.Graph.Node.AddRange(reversed);
        }

        using var model = new OnnxModel(proto, "", "four bits");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>([.. Enumerable.Range(0, 4 * 32).Select(i => i * 0.01f)], 4, 32) };
        types = TypeInference.Complete(model, types, inputs);
        Assert.Equal((ElementType.Float, 2), (types["wide"].ElementType, types["wide"].Rank));
        Layer layer = Assert.Single(Partitioner.Partition(model, types).Layers);
        Assert.Equal("wide", layer.Input);
        Assert.DoesNotContain(types, t => t.Key is "narrow" or "turned" && t.Value.Shape is not null);
    }

    /// <summary>A stored weight of 4 bits is a value like others: the layer beside the quantized one is found.</summary>
    [Fact]
    public void StoredElementsOfFourBitsAreTyped()
    {
        using var model = new OnnxModel(TypeModels.FourBitWeight(), "", "four bits");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Assert.Equal(new TensorType(ElementType.Int4, [Dimension.Of(32), Dimension.Of(16)]).ToString(), types["w4"].ToString());
        Partition partition = Partitioner.Partition(model, types);
        Assert.Equal("w", Assert.Single(partition.Layers).Weight);
        Assert.Equal("its weight is quantized already", Assert.Single(partition.Excluded).Reason);
        Assert.Equal(256, TensorProtos.Read(model.Initializers["w4"], model.External).Bytes.Length);
    }

    /// <summary>Text among the values is passed over by runs, and typed.</summary>
    [Fact]
    public void TextIsPassedOver()
    {
        using var model = new OnnxModel(TypeModels.Labels(), "", "labels");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Assert.Equal(ElementType.String, types["label"].ElementType);
        using Session session = Session.Create(model.Proto, SessionSettings.Plain);
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(new float[64], 2, 32) };
        Assert.Equal(["y"], session.Run(inputs).Keys);
        using RunResults results = session.RunInPlace(inputs, TestContext.Current.CancellationToken);
        Assert.Equal(["y"], results.Tensors.Keys);
        Assert.Equal(ElementType.String, TypeInference.Complete(model, types, inputs)["label"].ElementType);
    }

    /// <summary>An input without a declared shape: a run gives its rank, and the layer behind it takes formats.</summary>
    [Fact]
    public void TheRankOfAnInputComesFromData()
    {
        ModelProto proto = LayerModels.MatMul(4, 32, 16);
        proto.Graph.Input[0].Type.TensorType.Shape = null;
        using var model = new OnnxModel(proto, "", "no rank");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Assert.True(TypeInference.NeedsRun(model, types));
        Assert.Equal("the number of dimensions of its activation is known only from data", WhyNot(model, types));

        types = TypeInference.Complete(model, types, new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(new float[128], 4, 32) });
        Assert.False(TypeInference.NeedsRun(model, types));
        Assert.Null(WhyNot(model, types));
    }

    [Fact]
    public void AModelThatDoesNotLoadIsRefusedWithTheCustomOperator()
    {
        ModelProto proto = LayerModels.MatMul(4, 32, 16);
        proto.Graph.Node.Add(new NodeProto { OpType = "BertTokenizer", Domain = "ai.onnx.contrib", Input = { "x" }, Output = { "ids" } });
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx.contrib", Version = 1 });
        using var model = new OnnxModel(proto, "", "custom");
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => TypeInference.Infer(model)).Diagnostic;
        Assert.Equal(Codes.RuntimeRejects, error.Code);
        Assert.Contains("'BertTokenizer' of the domain 'ai.onnx.contrib'", error.Message);
    }

    [Fact]
    public void InputsOnWhichTheModelDoesNotRunAreRefused()
    {
        ModelProto proto = LayerModels.MatMul(4, 32, 16);
        proto.Graph.Input[0].Type.TensorType.Shape = null;
        using var model = new OnnxModel(proto, "", "no rank");
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(new float[3], 1, 3) };
        Assert.Equal(Codes.RuntimeRejects, Assert.Throws<MixedPrecisionException>(() => TypeInference.Complete(model, TypeInference.Infer(model), inputs)).Diagnostic.Code);
    }

    private static string? WhyNot(OnnxModel model, IReadOnlyDictionary<string, TensorType> types)
    {
        Partition partition = Partitioner.Partition(model, types);
        return NumberFormats.Get("int8-dynamic").WhyNot(LayerModels.SiteOf(model, partition, types, Assert.Single(partition.Layers)));
    }
}
