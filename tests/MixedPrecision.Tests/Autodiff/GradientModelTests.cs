using MixedPrecision.Autodiff;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

public class GradientModelTests
{
    private static readonly Tensor X = Tensor.Of<float>([1, 2, 3, 4], 2, 2);

    private static OnnxModel SumOfSquares() => TestModels.Of(["x", "unused"], ["loss"], b =>
    {
        string squares = b.NodeTo(["squares"], "Mul", "", ["x", "x"])[0];
        b.NodeTo(["loss"], "ReduceSum", "", [b.Mul(squares, b.Constant(Tensor.Of<float>([3, 3], 2), "weight"))], Attributes.Of("keepdims", 0));
    });

    [Fact]
    public void OutputsAreTheLossAndAGradientPerFloatInput()
    {
        using OnnxModel model = SumOfSquares();
        ModelProto gradient = GradientModel.Build(model);
        Assert.Equal(["x", "unused"], gradient.Graph.Input.Select(i => i.Name));
        Assert.Equal(["loss", "x.grad", "unused.grad"], gradient.Graph.Output.Select(o => o.Name));
        using Session session = Session.Create(gradient, SessionSettings.Default);
        IReadOnlyDictionary<string, Tensor> results = session.Run(new Dictionary<string, Tensor> { ["x"] = X, ["unused"] = Tensor.Of<float>([0, 0, 0], 1, 3) });
        Assert.Equal([90], results["loss"].Values<float>().ToArray());
        Assert.Equal([6, 12, 18, 24], results["x.grad"].Values<float>().ToArray());
        Assert.Equal([1L, 3], results["unused.grad"].Shape);
        Assert.Equal([0, 0, 0], results["unused.grad"].Values<float>().ToArray());
    }

    [Fact]
    public void InnerValuesAndInitializersCanBeAskedFor()
    {
        using OnnxModel model = SumOfSquares();
        string weight = model.Graph.Initializer[0].Name;
        using Session session = Session.Create(GradientModel.Build(model, "loss", ["squares", weight]), SessionSettings.Default);
        IReadOnlyDictionary<string, Tensor> results = session.Run(new Dictionary<string, Tensor> { ["x"] = X, ["unused"] = X });
        Assert.Equal([3, 3, 3, 3], results["squares.grad"].Values<float>().ToArray());
        Assert.Equal([10, 20], results[weight + ".grad"].Values<float>().ToArray());
    }

    [Theory]
    [InlineData("nothing", null, "no output of this name")]
    [InlineData("squares", null, "no output of this name")]
    [InlineData("loss", "absent", "no input, initializer or inner value of this name")]
    public void ARequestThatDoesNotFitIsAnError(string loss, string? target, string expected)
    {
        using OnnxModel model = SumOfSquares();
        var error = Assert.Throws<MixedPrecisionException>(() => GradientModel.Build(model, loss, target is null ? null : [target]));
        Assert.Equal(Codes.GradientRequest, error.Diagnostic.Code);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALossOfSeveralNumbersIsAnError()
    {
        using OnnxModel model = TestModels.Of(["x"], ["y"], b => b.NodeTo(["y"], "Tanh", "", [b.Slice(b.Concat(0, "x", "x"), 0, 0, 2)]));
        model.Graph.Input[0].Type.TensorType.Shape.Dim[1].DimValue = 3;
        var error = Assert.Throws<MixedPrecisionException>(() => GradientModel.Build(model));
        Assert.Contains("has to be one floating number", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnOperatorWithoutARuleIsNamedWithNodeAndPath()
    {
        using OnnxModel model = TestModels.Of(["x"], ["loss"], b =>
        {
            b.NodeTo(["determinant"], "Det", "", [b.Node("Exp", ["x"])]);
            b.NodeTo(["loss"], "Neg", "", ["determinant"]);
        });
        var error = Assert.Throws<MixedPrecisionException>(() => GradientModel.Build(model));
        Assert.Equal(Codes.NoGradientRule, error.Diagnostic.Code);
        Assert.Equal("node/Det", error.Diagnostic.Place.Node);
        Assert.Contains("no gradient rule for Det", error.Message, StringComparison.Ordinal);
        Assert.Contains("'loss' ← 'determinant'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void InputsOfHalfPrecisionStayWhatTheyAreAndGradientsAreFloat()
    {
        using OnnxModel model = TestModels.Of(["x", "unused"], ["loss"], b => b.NodeTo(["loss"], "ReduceSum", "", [b.Mul("x", b.Scalar(3, ElementType.Float16))], Attributes.Of("keepdims", 0)), elementType: ElementType.Float16);
        using Session session = Session.Create(GradientModel.Build(model), SessionSettings.Default);
        var x = Tensor.Of<Half>([(Half)1, (Half)2, (Half)3, (Half)4], 2, 2);
        IReadOnlyDictionary<string, Tensor> results = session.Run(new Dictionary<string, Tensor> { ["x"] = x, ["unused"] = x });
        Assert.Equal([3, 3, 3, 3], results["x.grad"].Values<float>().ToArray());
        Assert.Equal([0, 0, 0, 0], results["unused.grad"].Values<float>().ToArray());
    }

    [Fact]
    public void GraphsInsideNodesReadInputsOfHalfPrecisionToo()
    {
        using OnnxModel model = TestModels.Of(["x"], ["loss"], b =>
        {
            var inner = new GraphBuilder(["x", "squares"], "branch/");
            inner.NodeTo(["squares"], "Mul", "", ["x", "x"]);
            var branch = new GraphProto { Name = "branch" };
            inner.AppendTo(branch);
            branch.Output.Add(new ValueInfoProto { Name = "squares" });
            string chosen = b.Node("If", [b.Greater(b.ReduceSum("x"), b.Scalar(0, ElementType.Float16))], Attributes.Of("then_branch", branch), Attributes.Of("else_branch", branch.Clone()));
            b.NodeTo(["loss"], "ReduceSum", "", [chosen], Attributes.Of("keepdims", 0));
        }, elementType: ElementType.Float16);
        using Session session = Session.Create(GradientModel.Build(model), SessionSettings.Default);
        Assert.Equal([2, 4, 6, 8], session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Of<Half>([(Half)1, (Half)2, (Half)3, (Half)4], 2, 2) })["x.grad"].Values<float>().ToArray());
    }

    [Fact]
    public void AModelLocalFunctionIsDifferentiatedAsItsBody()
    {
        using OnnxModel model = TestModels.Of(["x"], ["loss"], b => b.NodeTo(["loss"], "ReduceSum", "", [b.NodeTo(["inner"], "Cube", "own", ["x"])[0]], Attributes.Of("keepdims", 0)));
        var function = new FunctionProto { Name = "Cube", Domain = "own" };
        function.Input.Add("a");
        function.Output.Add("c");
        var builder = new GraphBuilder(["a", "c"]);
        builder.NodeTo(["c"], "Mul", "", [builder.Mul("a", "a"), "a"]);
        function.Node.AddRange(builder.Nodes);
        function.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        model.Proto.Functions.Add(function);
        model.Proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        using Session session = Session.Create(GradientModel.Build(model, null, ["x", "inner"]), SessionSettings.Default);
        IReadOnlyDictionary<string, Tensor> results = session.Run(new Dictionary<string, Tensor> { ["x"] = X });
        Assert.Equal([3, 12, 27, 48], results["x.grad"].Values<float>().ToArray());
        Assert.Equal([1, 1, 1, 1], results["inner.grad"].Values<float>().ToArray());
    }
}
