using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Quantization;

/// <summary>Ifs whose condition is the same in every run are replaced by the branch that they take: the same bits, and what stands inside of the branch may be a layer.</summary>
public sealed class DecidedBranchTests : IDisposable
{
    private static readonly NodeProto[] Sizes =
    [
        Node("Shape", ["x"], ["shape"]), Node("Gather", ["shape", "zero"], ["first"], Attributes.Of("axis", 0)), Node("Gather", ["shape", "one"], ["second"], Attributes.Of("axis", 0)),
        Node("Shape", ["w"], ["other"]), Node("Gather", ["other", "zero"], ["same"], Attributes.Of("axis", 0)),
    ];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AConstantDecides(bool holds)
    {
        using OnnxModel model = Model([], Tensor.Scalar(holds).ToProto("c"));
        ExactRewrites exact = AssertSame(model, 1);
        Assert.Equal(0, exact.Gaining);
        Assert.Equal("one If, decided by constants or fixed sizes, is replaced by the branch that it takes", exact.Note);
        Assert.Equal(["Relu", holds ? "Mul" : "Neg", "Add"], exact.Model.Graph.Node.Select(n => n.OpType));
        Assert.Equal([holds ? "first/node" : "second/node"], exact.Model.Graph.Node.Select(n => n.Name).Where(n => n.Length > 0));

        // What only the condition and the other branch read is gone.
        Assert.Equal(holds ? ["scale"] : [], exact.Model.Graph.Initializer.Select(i => i.Name));
    }

    /// <summary>Such Ifs the runtime does away with by itself: they are no gain of the rewritten model.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TheRuntimeTakesBranchesOfConstantsAlone(bool isConstant)
    {
        using OnnxModel model = isConstant ? Model([], Tensor.Scalar(true).ToProto("c")) : Model([.. Sizes, Node("Equal", ["first", "two"], ["c"])]);
        string path = folder.Combine("model.onnx");
        File.WriteAllBytes(path, model.Proto.ToByteArray());
        bool isLeft = OptimizedModel.Read(path, SessionSettings.Default with { Threads = 1 }, m => m.Graph.Node.Any(n => n.OpType == "If"));
        Assert.Equal(isLeft ? 1 : 0, Of(model)!.Gaining);
        Assert.Equal(!isConstant, isLeft);
    }

    public static TheoryData<string, bool> Forms => new() { { "cast", true }, { "equal", false }, { "not", true }, { "greater", true }, { "or", true }, { "and", false }, { "less", false } };

    [Theory]
    [MemberData(nameof(Forms))]
    public void AFixedSizeDecides(string form, bool holds)
    {
        NodeProto[] nodes = form switch
        {
            "cast" => [Node("Squeeze", ["first", "axes"], ["number"]), Node("Cast", ["number"], ["c"], Attributes.Of("to", ElementType.Bool))],
            "equal" => [Node("Equal", ["first", "three"], ["c"])],
            "not" => [Node("Equal", ["first", "three"], ["e"]), Node("Not", ["e"], ["c"])],
            "greater" => [Node("Greater", ["three", "first"], ["c"])],
            "or" => [Node("Equal", ["first", "three"], ["e"]), Node("LessOrEqual", ["first", "two"], ["l"]), Node("Or", ["e", "l"], ["c"])],
            "and" => [Node("Equal", ["first", "three"], ["e"]), Node("GreaterOrEqual", ["first", "two"], ["l"]), Node("And", ["e", "l"], ["c"])],
            _ => [Node("Less", ["three", "first"], ["c"])],
        };
        using OnnxModel model = Model([.. Sizes, .. nodes]);
        ExactRewrites exact = AssertSame(model, 1);
        Assert.Equal(1, exact.Gaining);
        Assert.Contains(exact.Model.Graph.Node, n => n.OpType == (holds ? "Mul" : "Neg"));
        Assert.DoesNotContain(exact.Model.Graph.Node, n => n.OpType == "If" || n.Output[0] == "c");
    }

    public static TheoryData<string> OpenForms => ["input", "open size", "two sizes of one symbol", "difference of sizes", "chance", "default", "size against a default"];

    [Theory]
    [MemberData(nameof(OpenForms))]
    public void OtherConditionsStay(string form)
    {
        (NodeProto[] nodes, string? unset) = form switch
        {
            "input" => ([Node("Identity", ["flag"], ["c"])], null),
            "open size" => ([.. Sizes, Node("Equal", ["second", "three"], ["c"])], null),
            "two sizes of one symbol" => ([.. Sizes, Node("Equal", ["second", "same"], ["c"])], null),
            "difference of sizes" => ([.. Sizes, Node("Sub", ["second", "same"], ["d"]), Node("Cast", ["d"], ["c"], Attributes.Of("to", ElementType.Bool))], null),
            "chance" => ([Node("RandomUniform", [], ["u"], Attributes.Of("shape", [1L])), Node("Less", ["u", "half"], ["c"])], null),
            "default" => ([Node("Not", ["set"], ["c"])], "set"),
            _ => ((NodeProto[])[.. Sizes, Node("Equal", ["first", "three"], ["c"])], "three"),
        };
        using OnnxModel made = Model(nodes, Tensor.Scalar(false).ToProto("set"));
        ModelProto proto = made.Proto.Clone();
        if (unset is not null)
        {
            proto.Graph.Input.Add(new TensorType(proto.Graph.Initializer.Single(i => i.Name == unset).DataType, []).ToProto(unset));
        }

        using var model = new OnnxModel(proto, "", "model.onnx");
        Assert.Null(Of(model));
    }

    /// <summary>A default that only the other branch reads: the app need not feed it afterwards either.</summary>
    [Fact]
    public void DefaultsOfTheOtherBranchStay()
    {
        using OnnxModel made = Model([], Tensor.Scalar(false).ToProto("c"));
        ModelProto proto = made.Proto.Clone();
        proto.Graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(4)]).ToProto("scale"));
        using var model = new OnnxModel(proto, "", "model.onnx");
        Assert.Contains(AssertSame(model, 1).Model.Graph.Initializer, i => i.Name == "scale");
    }

    /// <summary>Beside the branch stand nodes, values and another If's inner values that are called as those of the branch; inside of it an If that data decides reads the branch's values.</summary>
    [Fact]
    public void NamesThatAreTakenAreChanged()
    {
        NodeProto open = Node("If", ["flag"], ["v"],
            Attributes.Of("then_branch", Branch("a", ["u"], [Node("Sub", ["q", "k"], ["p"]), Node("Add", ["p", "t"], ["u"])])), Attributes.Of("else_branch", Branch("b", ["u"], [Node("Sub", ["t", "q"], ["u"])])));
        GraphProto taken = Branch("taken", ["v"], [Node("Mul", ["r", "k"], ["t"]), Node("Tanh", ["t"], ["q"]), open], LayerTensor(1, 4).ToProto("k"));
        using OnnxModel made = Model([Node("Identity", ["yes"], ["c"])], taken, Branch("other", ["t"], [Node("Neg", ["r"], ["t"])]), Tensor.Scalar(true).ToProto("yes"));
        ModelProto proto = made.Proto.Clone();
        proto.Graph.Node[^1].Output[0] = "sum";
        proto.Graph.Node.Add(Node("If", ["flag"], ["y"],
            Attributes.Of("then_branch", Branch("c", ["t"], [Node("Exp", ["sum"], ["p"]), Node("Tanh", ["p"], ["t"])])), Attributes.Of("else_branch", Branch("d", ["t"], [Node("Sin", ["sum"], ["t"])]))));
        foreach (NodeProto node in proto.Graph.Node.First(n => n.OpType == "If").Attribute("then_branch")!.G.Node.Take(1).Append(proto.Graph.Node[0]))
        {
            node.Name = "same";
        }

        using var model = new OnnxModel(proto, "", "model.onnx");
        ExactRewrites exact = AssertSame(model, 1);
        Assert.Equal(["same", "same_1"], exact.Model.Graph.Node.Select(n => n.Name).Where(n => n.Length > 0));
        Assert.Equal(["r", "t_1", "q", "z", "sum", "y"], exact.Model.Graph.Node.Select(n => n.Output[0]));
        Assert.Equal("p_1", exact.Model.Graph.Node[3].Attribute("then_branch")!.G.Node[0].Output[0]);
        Assert.Contains("k", exact.Model.Made);
    }

    /// <summary>What a branch gives may be an initializer, and may be an output of the model.</summary>
    [Fact]
    public void WhatABranchDoesNotComputeIsCopied()
    {
        GraphProto taken = Branch("taken", ["k", "t"], [Node("Neg", ["r"], ["t"])], LayerTensor(1, 2, 1, 4).ToProto("k"));
        GraphProto other = Branch("other", ["a", "b"], [.. new[] { "a", "b" }.Select(o => Node("Identity", ["r"], [o]))]);
        using OnnxModel made = Model([Node("Identity", ["yes"], ["c"])], taken, other, Tensor.Scalar(true).ToProto("yes"));
        ModelProto proto = made.Proto.Clone();
        NodeProto decided = proto.Graph.Node.Single(n => n.OpType == "If");
        string[] further = ["value"];
        decided.Output.AddRange(further);
        proto.Graph.Output.AddRange(further.Select(f => new TensorType(ElementType.Float, null).ToProto(f)));
        using var model = new OnnxModel(proto, "", "model.onnx");
        ExactRewrites exact = AssertSame(model, 1);
        Assert.Equal(["Relu", "Neg", "Identity", "Add"], exact.Model.Graph.Node.Select(n => n.OpType));
        Assert.Equal("value", exact.Model.Graph.Node[1].Output[0]);
        Assert.Equal("k", Assert.Single(exact.Model.Graph.Initializer).Name);
    }

    /// <summary>A decided If inside of a decided one comes into sight; one inside of a branch that data decides does not.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void InnerIfsAreReachedThroughDecidedOnes(bool isDecided)
    {
        GraphProto taken = Branch("taken", ["v"],
            [
                Node("Shape", ["r"], ["s"]), Node("Gather", ["s", "zero"], ["n"], Attributes.Of("axis", 0)), Node("Equal", ["n", "two"], ["e"]),
                Node("If", ["e"], ["v"], Attributes.Of("then_branch", Branch("a", ["u"], [Node("Neg", ["r"], ["u"])])), Attributes.Of("else_branch", Branch("b", ["u"], [Node("Exp", ["r"], ["u"])]))),
            ]);
        GraphProto other = Branch("other", ["o"], [Node("Sin", ["r"], ["o"])]);
        using OnnxModel model = Model([Node("Identity", [isDecided ? "yes" : "flag"], ["c"])], taken, other, Tensor.Scalar(true).ToProto("yes"));
        if (!isDecided)
        {
            Assert.Null(Of(model));
            return;
        }

        ExactRewrites exact = AssertSame(model, 2);
        Assert.Equal(1, exact.Gaining);
        Assert.Equal(["Relu", "Neg", "Add"], exact.Model.Graph.Node.Select(n => n.OpType));
        Assert.StartsWith("2 Ifs, decided by", exact.Note);
    }

    /// <summary>The workspace tells the rewritten model from the original, and goes back to it.</summary>
    [Fact]
    public void TheWorkspaceSaysWhatWasDone()
    {
        using OnnxModel model = Model([.. Sizes, Node("Equal", ["first", "two"], ["c"])]);
        string path = folder.Combine("model.onnx");
        File.WriteAllBytes(path, model.Proto.ToByteArray());
        using Workspace workspace = Workspace.Open(path, "model.onnx"), plain = Workspace.Open(path, "model.onnx", isRewritten: false);
        Assert.Equal("1 decided, 0 folded, version 2", workspace.Rewrites!.Key);
        Assert.NotEqual(Shipment.ModelOf(plain).Key.Hex, Shipment.ModelOf(workspace).Key.Hex);
        Assert.True(workspace.MayGainAsItIs);
        workspace.Restore("outputs differ");
        Assert.Equal(["Ifs that are decided stay as they are: outputs differ"], workspace.Notes);
        Assert.Same(workspace.Original, workspace.Model);
        Assert.Equal(Shipment.ModelOf(plain).Key.Hex, Shipment.ModelOf(workspace).Key.Hex);
    }

    /// <summary>A model that takes its state in two parts or in one has its LSTM in a branch; the state's size decides.</summary>
    [Fact]
    public void TheLstmOfSileroVadIsALayer()
    {
        string path = SharedFolder.Model("silero-vad");
        InspectReport report = Verbs.Inspect(path, new MixedPrecision.Pipeline.RunOptions(null, null, _ => { }, _ => { }, TestContext.Current.CancellationToken));
        InspectedLayer layer = Assert.Single(report.Subgraphs.SelectMany(s => s.Layers), l => l.Operator == "LSTM");
        Assert.Equal("/model/decoder/rnn/LSTM", layer.Name);
        Assert.Contains(layer.Formats, f => f.StartsWith("int8-dynamic", StringComparison.Ordinal));
        Assert.DoesNotContain(report.Excluded, e => e.Operator == "LSTM");

        using Workspace workspace = Workspace.Open(path, "model.onnx");
        var draw = new Random(5);
        Tensor Draw(params long[] shape) => Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((2 * draw.NextDouble()) - 1))], shape);
        var inputs = new Dictionary<string, Tensor> { ["input"] = Draw(1, 576), ["state"] = Draw(2, 1, 128), ["sr"] = Tensor.Scalar(16000L) };
        workspace.Complete(inputs);
        Assert.Equal((5, 5), (workspace.Rewrites!.Decided, workspace.Rewrites.Gaining));
        AssertSameBits(workspace.Original.Proto, workspace.Model.Proto, inputs);

        LayerSite site = workspace.Sites["/model/decoder/rnn/LSTM"];
        NumberFormat format = NumberFormats.Get("int8-dynamic");
        Assert.Null(format.WhyNot(site));
        ModelProto mixed = Quantizer.Emit(workspace.Model, [(site, format)], workspace.Weight).Model;
        Assert.Single(mixed.Graph.Node, n => n.OpType == "DynamicQuantizeLSTM");
        MixedPrecision.Tests.Structures.Rewriting.AssertEqual(Run(workspace.Original.Proto, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL), Run(mixed, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL), 0.1);
    }

    private static ExactRewrites? Of(OnnxModel model) => ExactRewrites.Of(model, TypeInference.Infer(model));

    /// <summary>Holds the rewritten model against the model, which stays as it is.</summary>
    private static ExactRewrites AssertSame(OnnxModel model, int decided)
    {
        byte[] before = model.Proto.ToByteArray();
        ExactRewrites exact = Of(model)!;
        Assert.Equal(before, model.Proto.ToByteArray());
        Assert.Equal((decided, 0), (exact.Decided, exact.Folded));
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(exact.Model);
        Assert.All(exact.Model.Graph.Node.SelectMany(n => n.Output), v => Assert.Equal(types[v].ElementType, exact.Types[v].ElementType));
        foreach ((int rows, bool flag) in new[] { (1, true), (5, false) })
        {
            AssertSameBits(model.Proto, exact.Model.Proto, new Dictionary<string, Tensor> { ["x"] = LayerTensor(rows, 2, rows, 4), ["w"] = LayerTensor(9, 1), ["flag"] = Tensor.Scalar(flag) });
        }

        return exact;
    }

    private static void AssertSameBits(ModelProto original, ModelProto rewritten, IReadOnlyDictionary<string, Tensor> inputs)
    {
        foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_ALL })
        {
            IReadOnlyDictionary<string, Tensor> wanted = Run(original, inputs, level), found = Run(rewritten, inputs, level);
            Assert.Equal(wanted.Keys, found.Keys);
            Assert.All(wanted, w => Assert.Equal(w.Value.Shape, found[w.Key].Shape));
            Assert.All(wanted, w => Assert.Equal(w.Value.Bytes.ToArray(), found[w.Key].Bytes.ToArray()));
        }
    }

    private static IReadOnlyDictionary<string, Tensor> Run(ModelProto model, IReadOnlyDictionary<string, Tensor> inputs, GraphOptimizationLevel level)
    {
        using Session session = Session.Create(model, new SessionSettings(1, level));
        return session.Run(inputs);
    }

    private static Tensor LayerTensor(int seed, params long[] shape)
    {
        var draw = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((2 * draw.NextDouble()) - 1))], shape);
    }

    private static OnnxModel Model(NodeProto[] condition, params TensorProto[] initializers)
    {
        GraphProto first = Branch("first", ["t"], [Node("Mul", ["r", "scale"], ["t"])]), second = Branch("second", ["t"], [Node("Neg", ["r"], ["t"])]);
        (first.Node[0].Name, second.Node[0].Name) = ("first/node", "second/node");
        return Model(condition, first, second, initializers);
    }

    /// <summary>x [2, n, 4], w [n], flag → r = Relu(x), z = If(c, branches), y = z + r.</summary>
    private static OnnxModel Model(NodeProto[] condition, GraphProto then, GraphProto otherwise, params TensorProto[] initializers)
    {
        var graph = new GraphProto { Name = "main_graph" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(2), new Dimension(null, "n"), Dimension.Of(4)]).ToProto("x"));
        graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, "n")]).ToProto("w"));
        graph.Input.Add(new TensorType(ElementType.Bool, []).ToProto("flag"));
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("y"));
        graph.Node.AddRange([
            Node("Relu", ["x"], ["r"]), .. condition.Select(n => n.Clone()),
            Node("If", ["c"], ["z"], Attributes.Of("then_branch", then), Attributes.Of("else_branch", otherwise)), Node("Add", ["z", "r"], ["y"]),
        ]);
        TensorProto[] all =
        [
            .. initializers, LayerTensor(3, 4).ToProto("scale"), Tensor.Scalar(0.5f).ToProto("half"), Tensor.Scalar(0L).ToProto("zero"), Tensor.Scalar(1L).ToProto("one"), Tensor.Scalar(2L).ToProto("two"),
            Tensor.Scalar(3L).ToProto("three"), Tensor.Of<long>([], 0).ToProto("axes"),
        ];
        HashSet<string> read = [.. graph.Node.SelectMany(GraphView.InputsOf)];
        graph.Initializer.AddRange(all.Where(t => read.Contains(t.Name)));
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        return new OnnxModel(proto, "", "model.onnx");
    }

    private static GraphProto Branch(string name, string[] outputs, NodeProto[] nodes, params TensorProto[] initializers)
    {
        var graph = new GraphProto { Name = name };
        graph.Node.AddRange(nodes);
        graph.Initializer.AddRange(initializers);
        graph.Output.AddRange(outputs.Select(o => new TensorType(ElementType.Float, null).ToProto(o)));
        return graph;
    }

    private static NodeProto Node(string operatorType, string[] inputs, string[] outputs, params AttributeProto[] attributes)
    {
        var node = new NodeProto { OpType = operatorType };
        node.Input.AddRange(inputs);
        node.Output.AddRange(outputs);
        node.Attribute.AddRange(attributes);
        return node;
    }
}
