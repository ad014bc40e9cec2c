using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>A sum of a branch and what went around it, and its normalization, as exporters write them.</summary>
internal static class ResidualForms
{
    private const int Width = RewriteModel.Width;

    /// <summary>Forms that ONNX Runtime joins to one operator.</summary>
    public static readonly IReadOnlyDictionary<string, RewriteForm> Joined = new Dictionary<string, RewriteForm>
    {
        ["TorchScript, written out, fixed sizes"] = new(14, (m, x) => Written(m, m.B.Add(x, "x"), m.B.Pow), (2, 7)),
        ["TorchScript, opset 17, fixed sizes"] = new(17, (m, x) => Operator(m, m.B.Add("x", x)), (2, 7)),
        ["dynamo, with a bias"] = new(18, (m, x) => Operator(m, m.B.Add(m.B.Add(x, m.Weight(Width)), "x"))),
        ["optimum, written out, named sizes"] = new(13, (m, x) => Written(m, m.B.Add(x, "x"), m.B.Pow)),
    };

    /// <summary>Forms that it leaves.</summary>
    public static readonly IReadOnlyDictionary<string, RewriteForm> Apart = new Dictionary<string, RewriteForm>
    {
        ["normalized before the branch"] = new(17, (m, x) => m.B.Add(x, "x") is var sum ? m.B.Add(m.B.MatMul(Operator(m, sum), m.Weight(Width, Width)), sum) : ""),
        ["sizes that are not known"] = new(17, (m, x) => Operator(m, m.B.Add(m.B.Reshape(x, m.B.Concat(0, m.B.Add(m.B.Size("x", 0), m.B.Integers(0)), m.B.Integers(-1, Width))), "x"))),
        ["a bias alone"] = new(17, (m, x) => Operator(m, m.B.Add(x, m.Weight(Width)))),
        ["heads"] = new(17, (m, x) => m.B.Reshape0(x, 0, 0, 1, Width) is var four ? m.B.Reshape0(Operator(m, m.B.Add(four, m.B.Node("Relu", [four]))), 0, 0, Width) : ""),
    };

    private static string Operator(RewriteModel m, string x) => m.B.Node("LayerNormalization", [x, m.Weight(Width), m.Weight(Width)], Attributes.Of("axis", -1), Attributes.Of("epsilon", 1e-12f));

    public static string Written(RewriteModel m, string x, Func<string, string, string> power, int width = Width)
    {
        string centred = m.B.Sub(x, m.Mean(x));
        string normal = m.B.Div(centred, m.B.Sqrt(m.B.Add(m.Mean(power(centred, m.B.Scalar(2))), m.B.Scalar(1e-12))));
        return m.B.Add(m.B.Mul(normal, m.Weight(width)), m.Weight(width));
    }
}
