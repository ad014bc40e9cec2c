using CsCheck;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Tests.Autodiff;
using MixedPrecision.Tests.Autodiff.Cases;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Lowering;

/// <summary>A model raised to a newer operator set computes what it did.</summary>
public class OperatorSetsTests
{
    public static TheoryData<string> OldForms() => [.. OldFormCases.Rows.Select(r => r.Name)];

    public static TheoryData<string> Models() => ["docarea", "doclm", "textline-orientation", "yolox-nano", "ppocr-det", "silero-vad", "ppocr-rec", "ultraface"];

    [Theory]
    [MemberData(nameof(OldForms))]
    public void OldFormsComputeTheSame(string name) => OldFormCases.Rows.Single(r => r.Name == name).Row.Generator.Sample(
        test =>
        {
            using OnnxModel model = GradientCheck.Model(test, ElementType.Float, KnownSizes.Symbols);
            Dictionary<string, Tensor> inputs = test.Operands.Select((o, i) => (o, i)).Where(x => x.o is { IsPresent: true, Constant: false }).ToDictionary(x => $"x{x.i}", x => x.o.Value(ElementType.Float));
            ModelProto raised = Raise(model.Proto);
            Compare(Run(model.Proto, "", inputs), Run(raised, "", inputs), 1e-6f);
        },
        iter: 20,
        threads: 1);

    [Theory]
    [MemberData(nameof(Models))]
    public void RealModelsComputeTheSame(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        Dictionary<string, Tensor> inputs = model.Inputs.ToDictionary(i => i.Name, i => GraphLoweringTests.Input(i, new Random(3)));
        ModelProto raised = Raise(model.Proto);
        Assert.Equal(model.Graph.Output, raised.Graph.Output);
        Compare(Run(model.Proto, model.Folder, inputs), Run(raised, model.Folder, inputs), 1e-5f);
    }

    [Fact]
    public void FunctionsAreRaisedToo()
    {
        ModelProto model = LayerModels.Model([("x", [3, 4])], b => b.NodeTo(["y"], "Centred", "own", ["x"]));
        var function = new FunctionProto { Name = "Centred", Domain = "own", Input = { "a" }, Output = { "b" }, OpsetImport = { new OperatorSetIdProto { Version = 17 } } };
        function.Node.Add(new NodeProto { OpType = "ReduceMean", Input = { "a" }, Output = { "mean" }, Attribute = { Attributes.Of("axes", [1L]) } });
        function.Node.Add(new NodeProto { OpType = "Sub", Input = { "a", "mean" }, Output = { "b" } });
        model.Functions.Add(function);
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        var inputs = new Dictionary<string, Tensor> { ["x"] = LayerModels.Random(1, 3, 4) };
        ModelProto raised = Raise(model);
        Assert.Equal(OperatorSets.Newest, raised.Functions[0].OpsetImport[0].Version);
        Compare(Run(model, "", inputs), Run(raised, "", inputs), 1e-6f);
    }

    [Fact]
    public void GraphsInsideOfNodesAreRaisedToo()
    {
        GraphProto Branch(long axis)
        {
            var graph = new GraphProto { Name = "branch" };
            graph.Node.Add(new NodeProto { OpType = "ReduceMax", Input = { "x" }, Output = { $"m{axis}" }, Attribute = { Attributes.Of("axes", [axis]) } });
            graph.Output.Add(new ValueInfoProto { Name = $"m{axis}" });
            return graph;
        }

        ModelProto model = LayerModels.Model([("x", [3, 4])], b => b.NodeTo(
            ["y"], "If", "", [b.Constant(Tensor.Scalar(true))], Attributes.Of("then_branch", Branch(0)), Attributes.Of("else_branch", Branch(1))));
        var inputs = new Dictionary<string, Tensor> { ["x"] = LayerModels.Random(1, 3, 4) };
        Compare(Run(model, "", inputs), Run(Raise(model), "", inputs), 0);
    }

    [Theory]
    [InlineData(17, 13, 17)]
    [InlineData(17, 19, 19)]
    [InlineData(11, 13, 19)]
    [InlineData(21, 19, 21)]
    public void AModelIsRaisedOnlyIfItIsTooOld(int version, int needed, int raised)
    {
        ModelProto model = LayerModels.MatMul(2, 3, 4);
        model.OpsetImport[0].Version = version;
        ModelProto before = model.Clone();
        Assert.Equal(raised, OperatorSets.Raise(model, needed));
        Assert.Equal(raised, model.OpsetImport[0].Version);
        Assert.Equal(raised == version, before.Equals(model));
    }

    private static ModelProto Raise(ModelProto model)
    {
        ModelProto raised = model.Clone();
        OperatorSets.Raise(raised, OperatorSets.Newest);
        return raised;
    }

    private static IReadOnlyDictionary<string, Tensor> Run(ModelProto model, string folder, Dictionary<string, Tensor> inputs)
    {
        using Session session = Session.Create(model, SessionSettings.Plain with { Threads = 1 }, folder.Length == 0 ? null : folder);
        return session.Run(inputs);
    }

    private static void Compare(IReadOnlyDictionary<string, Tensor> expected, IReadOnlyDictionary<string, Tensor> actual, float tolerance)
    {
        Assert.Equal(expected.Keys, actual.Keys);
        foreach ((string output, Tensor value) in expected)
        {
            Assert.Equal(value.ToString(), actual[output].ToString());
            if (value.ElementType != ElementType.Float)
            {
                Assert.Equal(value.Bytes.ToArray(), actual[output].Bytes.ToArray());
                continue;
            }

            float[] reference = value.Values<float>().ToArray();
            float scale = reference.Select(Math.Abs).DefaultIfEmpty(0).Max();
            Assert.All(reference.Zip(actual[output].Values<float>().ToArray()), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= tolerance * scale, $"{output}: {pair}"));
        }
    }
}
