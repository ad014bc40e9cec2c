using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Execution;

public class SessionOptionTests
{
    [Fact]
    public void AnOptionIsToldAsTheStatementThatSetsIt()
    {
        Assert.Equal("options.AddFreeDimensionOverrideByName(\"past + new\", 8);", SessionOption.FreeDimension("past + new", 8).ToCode());
        Assert.Equal("options.AddSessionConfigEntry(\"session.intra_op.allow_spinning\", \"0\");", SessionOption.NoSpinning.ToCode());
        Assert.Equal("options.AddFreeDimensionOverrideByName(\"a\\\"); Evil(\\n\\\\\", 1);", SessionOption.FreeDimension("a\"); Evil(\n\\", 1).ToCode());
    }

    [Fact]
    public void AFixedDimensionTakesNoOtherSize()
    {
        using Session session = Session.Create(Model(), SessionSettings.Timing(1, [SessionOption.FreeDimension("batch", 2)]));
        Assert.Equal([2, 3], session.Run(Batch(2))["y"].Shape);
        Assert.Throws<OnnxRuntimeException>(() => session.Run(Batch(3)));
    }

    [Fact]
    public void ForInputsOfAnySizeNoDimensionIsFixed()
    {
        SessionSettings settings = SessionSettings.Timing(1, [SessionOption.FreeDimension("batch", 2), SessionOption.NoSpinning]).ForAnySize();
        Assert.Equal([SessionOption.NoSpinning], settings.Options);
        using Session session = Session.Create(Model(), settings);
        Assert.Equal([3, 3], session.Run(Batch(3))["y"].Shape);
    }

    /// <summary>What the option is for: the runtime takes it, and computes Gelu by tanh.</summary>
    [Fact]
    public void GeluIsApproximated()
    {
        float Of(IReadOnlyList<SessionOption> options)
        {
            using Session session = Session.Create(Model(), SessionSettings.Timing(1, options));
            return session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>([1.5f, 1.5f, 1.5f], 1, 3) })["y"].Values<float>()[0];
        }

        float exact = Of([]), approximate = Of([SessionOption.GeluApproximation]);
        Assert.NotEqual(exact, approximate);
        Assert.Equal(exact, approximate, 1e-3);
    }

    /// <summary>x [batch, 3] → Gelu(x), as exporters write it.</summary>
    private static ModelProto Model()
    {
        var graph = new GraphProto { Name = "gelu" };
        graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(3)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(3)]).ToProto("y"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string shifted = b.Add(b.Erf(b.Div("x", b.Scalar(Math.Sqrt(2)))), b.Scalar(1));
        b.NodeTo(["y"], "Mul", "", [b.Mul("x", shifted), b.Scalar(0.5)]);
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        return model;
    }

    private static Dictionary<string, Tensor> Batch(int size) => new() { ["x"] = Tensor.Of<float>(new float[size * 3], size, 3) };
}
