using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Tests.Formats;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Verification;

public class RepeatabilityTests
{
    [Fact]
    public void AModelWithoutRandomNumbersIsRepeatable() => Assert.Empty(Check(LayerModels.MatMul(1, 32, 16)));

    [Fact]
    public void TheNodeThatDrawsIsNamedWithTheSizeOfTheDifference()
    {
        Unrepeatable found = Assert.Single(Check(Noisy(b => Named(b, b.Node("RandomNormalLike", ["m"]), "/RandomNormalLike"))));
        Assert.Equal(("y", false), (found.Output, found.IsSeeded));
        Assert.Equal(["/RandomNormalLike"], found.Nodes);
        Assert.InRange(found.Difference, 0.05, 5);
        Diagnostic error = found.Diagnostic("model.onnx", ["y"]);
        Assert.Equal((Codes.NotRepeatable, Severity.Error, "/RandomNormalLike"), (error.Code, error.Severity, error.Place.Node));
        Assert.Contains($"{found.Difference:P3}", error.Message);
        Assert.Contains("calibration.output", error.Message);
        Assert.Equal(Severity.Warning, found.Diagnostic("model.onnx", ["other"]).Severity);
    }

    /// <summary>With a seed the runs of one session differ too; but two sessions can be compared, hence a warning.</summary>
    [Fact]
    public void ASeedMakesItAWarning()
    {
        Unrepeatable found = Assert.Single(Check(Noisy(b => Named(b, b.Node("RandomNormalLike", ["m"], Attributes.Of("seed", 3f)), "seeded"))));
        Assert.True(found.IsSeeded);
        Assert.Equal(["seeded"], found.Nodes);
        Diagnostic warning = found.Diagnostic("model.onnx", ["y"]);
        Assert.Equal(Severity.Warning, warning.Severity);
        Assert.Contains("compared on the same numbers", warning.Message);
    }

    /// <summary>
    /// What that rests on: ONNX Runtime seeds an operator when the session is made, by its attribute, or else by the process and the node's place in the graph, which quantization changes.
    /// So two sessions of one model agree in any case within a process.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void OnlyASeedGivesTheSameNumbersInAnotherGraph(bool isSeeded)
    {
        ModelProto Model(int before) => Noisy(b =>
        {
            string value = "m";
            for (int i = 0; i < before; i++)
            {
                value = b.Node("Sin", [value]);
            }

            return b.Add(b.Node("RandomNormalLike", [value], isSeeded ? [Attributes.Of("seed", 3f)] : []), b.Mul(value, b.Scalar(0)));
        });
        Assert.Equal(isSeeded, First(Model(1)).SequenceEqual(First(Model(2))));
        Assert.Equal(First(Model(1)), First(Model(1)));

        float[] First(ModelProto model)
        {
            using Session session = Session.Create(model, SessionSettings.Default);
            return session.Run(new Dictionary<string, Tensor> { ["x"] = LayerModels.Random(9, 4, 32) })["y"].Values<float>().ToArray();
        }
    }

    [Fact]
    public void NoiseThatAnInputSwitchesOffIsNone()
    {
        ModelProto model = Noisy(b => b.Mul(b.Node("RandomNormalLike", ["m"]), "noise_scale"));
        model.Graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(1)]).ToProto("noise_scale"));
        Assert.Empty(Check(model, ("noise_scale", 0)));
        Assert.Single(Check(model, ("noise_scale", 0.667f)));
    }

    [Fact]
    public void BranchesAreSearched()
    {
        GraphProto Branch(string name, bool isRandom)
        {
            var graph = new GraphProto { Name = name };
            var node = new NodeProto { OpType = isRandom ? "RandomUniformLike" : "Identity", Name = name + " draws" };
            node.Input.Add("m");
            node.Output.Add(name);
            graph.Node.Add(node);
            graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(name));
            return graph;
        }

        Unrepeatable found = Assert.Single(Check(Noisy(b => b.Node(
            "If",
            [b.Node("Greater", [b.Node("ReduceMax", ["m"], Attributes.Of("keepdims", 0)), b.Scalar(-1e9)])],
            Attributes.Of("then_branch", Branch("then", true)),
            Attributes.Of("else_branch", Branch("else", false))))));
        Assert.Equal(["then draws"], found.Nodes);
    }

    [Fact]
    public void FunctionsAreSearched()
    {
        ModelProto model = Noisy(b =>
        {
            b.NodeTo(["noise"], "Noise", "own", ["m"]);
            b.Nodes[^1].Name = "caller";
            return "noise";
        });
        var function = new FunctionProto { Name = "Noise", Domain = "own" };
        function.Input.Add("a");
        function.Output.Add("b");
        function.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        var node = new NodeProto { OpType = "RandomNormalLike" };
        node.Input.Add("a");
        node.Output.Add("b");
        function.Node.Add(node);
        model.Functions.Add(function);
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        Assert.Equal(["caller"], Assert.Single(Check(model)).Nodes);
    }

    /// <summary>The mask is read: ONNX Runtime takes a Dropout out of the graph where only its first output is, in training mode too.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void DropoutDrawsInTrainingOnly(bool isTraining)
    {
        ModelProto model = Noisy(b =>
        {
            string[] outputs = b.NodeWithOutputs("Dropout", 2, ["m", b.Scalar(0.5), b.Constant(Tensor.Scalar(isTraining))]);
            return b.Add(Named(b, outputs[0], "drop"), b.Cast(outputs[1], ElementType.Float));
        });
        IReadOnlyList<Unrepeatable> found = Check(model);
        Assert.Equal(isTraining ? ["drop"] : [], found.SelectMany(f => f.Nodes));
    }

    /// <summary>Nodes that draw but lead elsewhere are not to blame.</summary>
    [Fact]
    public void OnlyNodesThatLeadToTheOutputAreNamed()
    {
        ModelProto model = Noisy(b => Named(b, b.Node("RandomNormalLike", ["m"]), "one"));
        var other = new NodeProto { OpType = "RandomNormalLike", Name = "two" };
        other.Input.Add("m");
        other.Output.Add("z");
        model.Graph.Node.Add(other);
        model.Graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("z"));
        IReadOnlyList<Unrepeatable> found = Check(model);
        Assert.Equal([("y", "one"), ("z", "two")], found.Select(f => (f.Output, Assert.Single(f.Nodes))));
    }

    /// <summary>m = x·w and y = m + what the builder makes of it.</summary>
    private static ModelProto Noisy(Func<GraphBuilder, string> noise) => LayerModels.Model(
        [("x", [4, 32])],
        b =>
        {
            b.NodeTo(["m"], "MatMul", "", ["x", "w"]);
            b.NodeTo(["y"], "Add", "", ["m", noise(b)]);
        },
        ("w", LayerModels.Random(3, 32, 16)));

    private static string Named(GraphBuilder builder, string value, string name)
    {
        builder.Nodes.Single(n => n.Output.Contains(value)).Name = name;
        return value;
    }

    private static IReadOnlyList<Unrepeatable> Check(ModelProto model, params (string Name, float Value)[] inputs)
    {
        using var emitted = new EmittedModel(model, "fp32");
        long rows = TensorType.Read(model.Graph.Input[0].Type).StaticShape()![0];
        var values = inputs.ToDictionary(i => i.Name, i => Tensor.Of<float>([i.Value], 1));
        values.Add("x", LayerModels.Random(9, rows, 32));
        return Repeatability.Check(emitted.Model, emitted.Original, [new Sample("sample", values, null)], SessionSettings.Default, TestContext.Current.CancellationToken);
    }
}
