namespace MixedPrecision.Onnx;

/// <summary>Element by element operators of ONNX (opset 21) as methods of the builder.</summary>
public static class GraphBuilderArithmetic
{
    public static string Abs(this GraphBuilder b, string x) => b.Node("Abs", [x]);

    public static string And(this GraphBuilder b, string x, string y) => b.Node("And", [x, y]);

    public static string Ceil(this GraphBuilder b, string x) => b.Node("Ceil", [x]);

    public static string Cos(this GraphBuilder b, string x) => b.Node("Cos", [x]);

    public static string Equal(this GraphBuilder b, string x, string y) => b.Node("Equal", [x, y]);

    public static string Erf(this GraphBuilder b, string x) => b.Node("Erf", [x]);

    public static string Exp(this GraphBuilder b, string x) => b.Node("Exp", [x]);

    public static string Floor(this GraphBuilder b, string x) => b.Node("Floor", [x]);

    public static string Greater(this GraphBuilder b, string x, string y) => b.Node("Greater", [x, y]);

    public static string GreaterOrEqual(this GraphBuilder b, string x, string y) => b.Node("GreaterOrEqual", [x, y]);

    public static string Less(this GraphBuilder b, string x, string y) => b.Node("Less", [x, y]);

    public static string LessOrEqual(this GraphBuilder b, string x, string y) => b.Node("LessOrEqual", [x, y]);

    public static string Log(this GraphBuilder b, string x) => b.Node("Log", [x]);

    /// <summary>Along the last axis.</summary>
    public static string LogSoftmax(this GraphBuilder b, string x) => b.Node("LogSoftmax", [x], Attributes.Of("axis", -1));

    public static string Max(this GraphBuilder b, string x, string y) => b.Node("Max", [x, y]);

    public static string Min(this GraphBuilder b, string x, string y) => b.Node("Min", [x, y]);

    public static string Not(this GraphBuilder b, string x) => b.Node("Not", [x]);

    public static string Pow(this GraphBuilder b, string x, string y) => b.Node("Pow", [x, y]);

    public static string Reciprocal(this GraphBuilder b, string x) => b.Node("Reciprocal", [x]);

    /// <summary>1 / (1 + e⁻ˣ).</summary>
    public static string Sigmoid(this GraphBuilder b, string x) => b.Node("Sigmoid", [x]);

    public static string Sign(this GraphBuilder b, string x) => b.Node("Sign", [x]);

    public static string Sin(this GraphBuilder b, string x) => b.Node("Sin", [x]);

    public static string Sqrt(this GraphBuilder b, string x) => b.Node("Sqrt", [x]);

    public static string Square(this GraphBuilder b, string x) => b.Mul(x, x);

    /// <summary>The sum of one or more values of one shape.</summary>
    public static string Sum(this GraphBuilder b, IReadOnlyList<string> parts) => parts.Count switch
    {
        1 => parts[0],
        2 => b.Add(parts[0], parts[1]),
        _ => b.Node("Sum", parts),
    };

    public static string Tanh(this GraphBuilder b, string x) => b.Node("Tanh", [x]);
}
