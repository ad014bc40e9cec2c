using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>Normalization by the root mean square as exporters write it.</summary>
internal static class RmsForms
{
    private const int Width = RewriteModel.Width;

    /// <summary>Forms that ONNX Runtime leaves as they are.</summary>
    public static readonly IReadOnlyDictionary<string, RewriteForm> Open = new Dictionary<string, RewriteForm>
    {
        ["TorchScript, weight behind"] = new(17, (m, x) => m.B.Mul(m.B.Mul(x, m.B.Reciprocal(Root(m, m.B.Square(x)))), m.Weight(Width))),
        ["dynamo, Llama"] = new(18, Dynamo),
        ["dynamo, Gemma"] = new(18, (m, x) => m.B.Mul(m.B.Mul(x, m.B.Reciprocal(Root(m, m.B.Pow(x, m.B.Scalar(2))))), m.B.Add(m.B.Scalar(1), m.Weight(Width)))),
        ["tf2onnx, T5"] = new(13, (m, x) => m.B.Mul(m.Weight(1, 1, Width), m.B.Mul(x, m.B.Reciprocal(Root(m, m.B.Square(x)))))),
        ["tf2onnx, LayerNormalization"] = new(13, (m, x) => ResidualForms.Written(m, m.B.Add(x, "x"), (centred, _) => m.B.Square(centred))),
        ["keras2onnx, power of -1/2"] = new(15, (m, x) => m.B.Mul(x, m.B.Mul(m.B.Pow(m.B.Add(m.Mean(m.B.Square(x)), m.B.Scalar(1e-6)), m.B.Scalar(-0.5)), m.Weight(Width)))),
        ["square of itself, divided"] = new(17, (m, x) => m.B.Mul(m.B.Div(x, Root(m, m.B.Square(x))), m.Weight(Width))),
        ["sum of squares"] = new(18, (m, x) =>
            m.B.Mul(m.B.Div(x, m.B.Sqrt(m.B.Add(m.B.Scalar(1e-5), m.B.Mul(m.Reduced("ReduceSumSquare", x, 18), m.B.Scalar(1.0 / Width))))), m.Weight(Width))),
        ["norm times root of the size"] = new(17, (m, x) => m.B.Mul(m.B.Mul(m.B.Div(x, Limited(m, x)), m.B.Scalar(Math.Sqrt(Width))), m.Weight(Width))),
        ["without a weight"] = new(18, (m, x) => m.B.Mul(x, m.B.Reciprocal(Root(m, m.B.Square(x))))),
        ["each head before it is brought to the front"] = new(18, (m, x) => m.B.Reshape0(m.B.Transpose(m.B.Transpose(Dynamo(m, m.B.Reshape0(x, 0, 0, 4, Width / 4), Width / 4), [0, 2, 1, 3]), [0, 2, 1, 3]), 0, 0, Width)),
        ["each head"] = new(17, (m, x) =>
        {
            string heads = m.B.Transpose(m.B.Reshape0(x, 0, 0, 4, Width / 4), [0, 2, 1, 3]);
            string normal = m.B.Mul(m.Weight(Width / 4), m.B.Mul(heads, m.B.Div(m.B.Scalar(1), Root(m, m.B.Pow(heads, m.B.Scalar(2))))));
            return m.B.Reshape0(m.B.Transpose(normal, [0, 2, 1, 3]), 0, 0, Width);
        }),
    };

    /// <summary>Forms that ONNX Runtime fuses.</summary>
    public static readonly IReadOnlyDictionary<string, RewriteForm> Fused = new Dictionary<string, RewriteForm>
    {
        ["TorchScript, Llama"] = new(14, (m, x) => m.B.Mul(m.Weight(Width), m.B.Mul(x, m.B.Div(m.B.Scalar(1), Root(m, m.B.Pow(x, m.B.Scalar(2))))))),
        ["power, divided, weight behind"] = new(17, (m, x) => m.B.Mul(m.B.Div(x, Root(m, m.B.Pow(x, m.B.Scalar(2)))), m.Weight(Width))),
        ["power, divided, weight before"] = new(17, (m, x) => m.B.Mul(m.Weight(Width), m.B.Div(x, Root(m, m.B.Pow(x, m.B.Scalar(2)))))),
        ["LayerNormalization of heads"] = new(17, (m, x) => m.B.Reshape0(ResidualForms.Written(m, m.B.Reshape0(x, 0, 0, 4, Width / 4), m.B.Pow, Width / 4), 0, 0, Width)),
        ["the same of opset 18"] = new(18, (m, x) => m.B.Mul(m.B.Div(x, Root(m, m.B.Pow(x, m.B.Scalar(2)))), m.Weight(Width))),
    };

    /// <summary>What is no such normalization, or not in all cases.</summary>
    public static readonly IReadOnlyDictionary<string, RewriteForm> Other = new Dictionary<string, RewriteForm>
    {
        ["epsilon outside of the root"] = new(17, (m, x) => m.B.Mul(m.B.Div(x, m.B.Add(m.B.Sqrt(m.Mean(m.B.Square(x))), m.B.Scalar(1e-5))), m.Weight(Width))),
        ["limit that counts"] = new(17, (m, x) => m.B.Div(x, m.B.Node("Clip", [m.Reduced("ReduceL2", x, 18), m.B.Scalar(0.01)]))),
        ["another value divided"] = new(17, (m, x) => m.B.Div(m.B.Neg(x), Root(m, m.B.Square(x)))),
        ["over the rows"] = new(17, (m, x) => m.B.Div(x, m.B.Sqrt(m.B.Add(m.B.Node("ReduceMean", [m.B.Square(x)], Attributes.Of("axes", [1L])), m.B.Scalar(1e-5))))),
        ["fourth power"] = new(17, (m, x) => m.B.Div(x, Root(m, m.B.Pow(x, m.B.Scalar(4))))),
        ["negative epsilon"] = new(17, (m, x) => m.B.Div(x, m.B.Sqrt(m.B.Add(m.Mean(m.B.Square(x)), m.B.Scalar(-1e-9))))),
    };

    private static string Root(RewriteModel m, string square) => m.B.Sqrt(m.B.Add(m.Mean(square), m.B.Scalar(1e-5)));

    /// <summary>torch's F.normalize.</summary>
    private static string Limited(RewriteModel m, string x) => m.B.Expand(m.B.Node("Clip", [m.Reduced("ReduceL2", x, 18), m.B.Scalar(1e-12)]), m.B.Shape(x));

    private static string Dynamo(RewriteModel m, string x) => Dynamo(m, x, Width);

    private static string Dynamo(RewriteModel m, string x, int width)
    {
        string wide = m.B.Cast(x, ElementType.Float);
        string normal = m.B.Mul(wide, m.B.Reciprocal(Root(m, m.B.Pow(wide, m.B.Scalar(2)))));
        return m.B.Mul(m.Weight(width), m.B.Cast(normal, ElementType.Float));
    }
}
