using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Tests.Formats;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Verification;

public class ConformanceTests
{
    public static TheoryData<string> Formats => ["fp32", .. FormatTexts.ForWeights.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void EveryFormatIsAsPlanned(string format)
    {
        using var emitted = new EmittedModel(format, "fp32");
        Assert.Equal(format == "fp32" ? [] : [format], emitted.Check().Select(l => l.Format.Name));
    }

    [Fact]
    public void AnotherFormatThanPlannedIsAnErrorThatNamesBoth()
    {
        using var emitted = new EmittedModel("int8-dynamic", "int8-weight");
        (LayerSite, NumberFormat)[] plan = [emitted.Plan[0], (emitted.Plan[1].Site, NumberFormats.Get("int4-weight"))];
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Conformance.Check(emitted.Model, emitted.Mixed, plan, emitted.Weight)).Diagnostic;
        Assert.Equal((emitted.Plan[1].Site.Layer.Name, "model.mixed.onnx"), (diagnostic.Place.Node, diagnostic.Place.File));
        Assert.Contains($"{FormatTexts.Int4Weight} was planned, and {FormatTexts.Int8Weight} was found", diagnostic.Message);
    }

    [Fact]
    public void ALayerLeftInFloatIsFound()
    {
        using var emitted = new EmittedModel("fp32", "int8-dynamic");
        (LayerSite, NumberFormat)[] plan = [(emitted.Plan[0].Site, NumberFormats.Get("int8-dynamic")), emitted.Plan[1]];
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Conformance.Check(emitted.Model, emitted.Mixed, plan, emitted.Weight)).Diagnostic;
        Assert.Equal(emitted.Plan[0].Site.Layer.Name, diagnostic.Place.Node);
        Assert.Contains($"{FormatTexts.Int8Dynamic} was planned, and fp32 was found", diagnostic.Message);
    }

    [Fact]
    public void ALayerQuantizedAgainstThePlanIsFound()
    {
        using var emitted = new EmittedModel("int8-weight", "fp32");
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(
            () => Conformance.Check(emitted.Model, emitted.Mixed, [(emitted.Plan[0].Site, NumberFormats.Baseline), emitted.Plan[1]], emitted.Weight)).Diagnostic;
        Assert.Equal(emitted.Plan[0].Site.Layer.Name, diagnostic.Place.Node);
        Assert.Contains($"fp32 was planned, and {FormatTexts.Int8Weight} was found", diagnostic.Message);
    }

    [Fact]
    public void AChangedScaleIsFound() => Differs("int8-dynamic", m => Change(m.Graph.Initializer.First(t => t.DataType == ElementType.Float && t.Name.Contains("int8-dynamic"))), layer: 0);

    [Fact]
    public void AChangedWeightIsFound() => Differs("int8-weight", m => Change(m.Graph.Initializer.First(t => t.DataType == ElementType.UInt8)), layer: 0, "MatMulNBits with another input 2");

    [Fact]
    public void AChangedInitializerOfTheOriginalIsFound() =>
        Differs("int8-dynamic", m => Change(m.Graph.Initializer.First(t => t.DataType == ElementType.Float && t.Dims.Count == 1 && !t.Name.Contains("int8-dynamic"))));

    [Fact]
    public void ASwappedOperandIsFound() => Differs("int8-dynamic", m =>
    {
        NodeProto add = m.Graph.Node.Single(n => n.OpType == "Add");
        (add.Input[0], add.Input[1]) = (add.Input[1], add.Input[0]);
    });

    [Fact]
    public void AChangedAttributeIsFound() =>
        Differs("int8-weight", m => m.Graph.Node.First(n => n.OpType == "MatMulNBits").Attribute("accuracy_level")!.I = 0, layer: 0, "another attribute 'accuracy_level'");

    [Fact]
    public void AnotherOperatorIsFound() => Differs("int8-dynamic", m => m.Graph.Node.Single(n => n.OpType == "Relu").OpType = "Tanh", found: "Tanh was found");

    [Fact]
    public void AnAddedNodeIsFound() => Differs("int8-dynamic", m =>
    {
        var node = new NodeProto { OpType = "Neg", Name = "added" };
        node.Input.Add("x");
        node.Output.Add("nowhere");
        m.Graph.Node.Add(node);
    }, found: "Neg was found");

    [Fact]
    public void ARenamedOutputIsFound() => Differs("int8-dynamic", m =>
    {
        m.Graph.Node.Last().Output[0] = m.Graph.Output[0].Name = "scores";
    }, found: "'scores', float [batch, 32] was found");

    [Fact]
    public void AnOutputOfAnotherShapeIsFound() => Differs("int8-dynamic", m => m.Graph.Output[0].Type.TensorType.Shape.Dim[0].DimParam = "rows", found: "float [rows, 32]");

    [Fact]
    public void AnInputOfAnotherTypeIsFound() => Differs("int8-dynamic", m => m.Graph.Input[0].Type.TensorType.ElemType = ElementType.Double, found: "double");

    [Fact]
    public void AnAddedInitializerIsFound() =>
        Differs("int8-dynamic", m => m.Graph.Initializer.Add(Tensor.Of<float>([1, 2, 3], 3).ToProto("idle")), found: "one that nothing reads");

    [Fact]
    public void AnotherOperatorSetIsFound() => Differs("int8-dynamic", m => m.OpsetImport[0].Version = 18, found: "ai.onnx 18");

    [Fact]
    public void NamesOfInnerValuesAndTheOrderOfNodesDoNotCount()
    {
        using var emitted = new EmittedModel("int8-dynamic", "int8-weight");
        emitted.Edit(model =>
        {
            HashSet<string> kept = ["x", "logits"];
            string Name(string name) => kept.Contains(name) || name.Length == 0 ? name : "renamed " + name;
            foreach (NodeProto node in model.Graph.Node)
            {
                (string[] inputs, string[] outputs) = ([.. node.Input.Select(Name)], [.. node.Output.Select(Name)]);
                node.Input.Clear();
                node.Input.AddRange(inputs);
                node.Output.Clear();
                node.Output.AddRange(outputs);
                node.Name = "";
            }

            foreach (TensorProto tensor in model.Graph.Initializer)
            {
                tensor.Name = Name(tensor.Name);
            }

            NodeProto[] reversed = [.. model.Graph.Node.Reverse()];
            model.Graph.Node.Clear();
            model.Graph.Node.AddRange(reversed);
        });
        emitted.Check();
    }

    /// <summary>Where a constant lies, in which field, and whether a node or an initializer holds it, is no difference.</summary>
    [Fact]
    public void MovingTensorsIsNoDifference()
    {
        using var emitted = new EmittedModel("int8-dynamic", "int8-weight");
        emitted.Edit(model =>
        {
            using FileStream data = File.Create(Path.Combine(Path.GetDirectoryName(emitted.Mixed)!, "elsewhere.bin"));
            TensorProto[] tensors = [.. model.Graph.Initializer];
            foreach (TensorProto tensor in tensors.Skip(1))
            {
                tensor.DataLocation = 1;
                tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = "elsewhere.bin" });
                tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = $"{data.Position}" });
                data.Write(tensor.RawData.Span);
                tensor.ClearRawData();
            }

            model.Graph.Initializer.RemoveAt(0);
            var node = new NodeProto { OpType = "Constant" };
            node.Output.Add(tensors[0].Name);
            node.Attribute.Add(Attributes.Of("value", tensors[0]));
            model.Graph.Node.Insert(0, node);
        });
        emitted.Check();
    }

    [Fact]
    public void ABranchCountsWithItsConstants()
    {
        using var emitted = new EmittedModel(Branching(), "int8-dynamic");
        emitted.Check();
        emitted.Edit(m => Change(m.Graph.Node.Single(n => n.OpType == "If").Graphs().First().Initializer[0]));
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => emitted.Check()).Diagnostic;
        Assert.Contains("If of the original was planned, and If with another attribute 'then_branch' was found", diagnostic.Message);
    }

    [Fact]
    public void AFunctionCountsWithItsBody()
    {
        using var emitted = new EmittedModel(WithFunction(), "int8-dynamic");
        emitted.Check();
        emitted.Edit(m => m.Functions[0].Node[0].OpType = "Sin");
        Assert.Contains("function own.Half", Assert.Throws<MixedPrecisionException>(() => emitted.Check()).Diagnostic.Message);
    }

    /// <summary>Equal nodes that draw random numbers are not the same value.</summary>
    [Fact]
    public void TheOtherOfTwoRandomValuesIsADifference()
    {
        using var emitted = new EmittedModel(TwoNoises(), "int8-dynamic");
        emitted.Check();
        emitted.Edit(m =>
        {
            string[] noises = [.. m.Graph.Node.Where(n => n.OpType == "RandomNormalLike").Select(n => n.Output[0])];
            NodeProto reader = m.Graph.Node.Single(n => n.OpType == "Sub");
            reader.Input[1] = noises[0];
        });
        Assert.Equal(Codes.EmittedModelDiffersFromPlan, Assert.Throws<MixedPrecisionException>(() => emitted.Check()).Diagnostic.Code);
    }

    private static void Differs(string format, Action<ModelProto> edit, int? layer = null, string found = "was found")
    {
        using var emitted = new EmittedModel(format, "fp32");
        emitted.Edit(edit);
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => emitted.Check()).Diagnostic;
        Assert.Equal(Codes.EmittedModelDiffersFromPlan, diagnostic.Code);
        Assert.Contains(found, diagnostic.Message);
        if (layer is int index)
        {
            Assert.Equal(emitted.Plan[index].Site.Layer.Name, diagnostic.Place.Node);
            Assert.Contains($"{FormatTexts.Of(format)} was planned", diagnostic.Message);
        }
    }

    private static void Change(TensorProto tensor)
    {
        byte[] bytes = tensor.RawData.ToByteArray();
        bytes[3] ^= 1;
        tensor.RawData = ByteString.CopyFrom(bytes);
    }

    private static ModelProto Branching()
    {
        GraphProto Branch(string name, float factor)
        {
            var graph = new GraphProto { Name = name };
            graph.Initializer.Add(Tensor.Of<float>([factor, factor], 2).ToProto(name + "_table"));
            var node = new NodeProto { OpType = "Identity" };
            node.Input.Add(name + "_table");
            node.Output.Add(name + "_out");
            graph.Node.Add(node);
            graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(2)]).ToProto(name + "_out"));
            return graph;
        }

        return LayerModels.Model(
            [("x", [4, 32])],
            b =>
            {
                string first = b.Node("ReduceMax", ["x"], Attributes.Of("keepdims", 0));
                string table = b.Node("If", [b.Node("Greater", [first, b.Scalar(0)])], Attributes.Of("then_branch", Branch("big", 2)), Attributes.Of("else_branch", Branch("small", 1)));
                b.NodeTo(["y"], "Mul", "", [b.MatMul("x", "w"), table]);
            },
            ("w", LayerModels.Random(3, 32, 2)));
    }

    private static ModelProto WithFunction()
    {
        ModelProto model = LayerModels.Model([("x", [4, 32])], b => b.NodeTo(["y"], "Half", "own", [b.MatMul("x", "w")]), ("w", LayerModels.Random(3, 32, 16)));
        var function = new FunctionProto { Name = "Half", Domain = "own" };
        function.Input.Add("a");
        function.Output.Add("b");
        function.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        var node = new NodeProto { OpType = "Cos" };
        node.Input.Add("a");
        node.Output.Add("b");
        function.Node.Add(node);
        model.Functions.Add(function);
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        return model;
    }

    private static ModelProto TwoNoises() => LayerModels.Model(
        [("x", [4, 32])],
        b =>
        {
            string product = b.MatMul("x", "w");
            b.NodeTo(["y"], "Sub", "", [b.Add(product, b.Node("RandomNormalLike", [product])), b.Node("RandomNormalLike", [product])]);
        },
        ("w", LayerModels.Random(3, 32, 16)));
}
