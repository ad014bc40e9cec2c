using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>A form in which exporters write a part of a model between two layers: x [batch, rows, 48] → layer → the form → layer.</summary>
/// <param name="Opset">Version of ONNX's operators.</param>
/// <param name="Write">Writes the form.</param>
/// <param name="Sizes">Batch and rows where they are fixed.</param>
internal sealed record RewriteForm(int Opset, Func<RewriteModel, string, string> Write, (int Batch, int Rows)? Sizes = null);

/// <summary>A small model around a form.</summary>
internal sealed class RewriteModel
{
    public const int Width = 48;

    private readonly Random random = new(5);

    private RewriteModel(int opset) => Opset = opset;

    public int Opset { get; }

    public GraphBuilder B { get; } = new(["x", "y"]);

    public static OnnxModel Make(RewriteForm form)
    {
        var model = new RewriteModel(form.Opset);
        GraphBuilder b = model.B;
        var graph = new GraphProto { Name = "main_graph" };
        (Dimension batch, Dimension rows) = form.Sizes is var (fixedBatch, fixedRows) ? (Dimension.Of(fixedBatch), Dimension.Of(fixedRows)) : (new Dimension(null, "batch"), new Dimension(null, "rows"));
        graph.Input.Add(new TensorType(ElementType.Float, [batch, rows, Dimension.Of(Width)]).ToProto("x"));
        string result = form.Write(model, b.MatMul("x", model.Weight(Width, Width)));
        b.NodeTo(["y"], "MatMul", "", [result, model.Weight(Width, 8)]);
        graph.Output.Add(new TensorType(ElementType.Float, [batch, rows, Dimension.Of(8)]).ToProto("y"));
        b.AppendTo(graph);
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = form.Opset });
        return new OnnxModel(proto, "", "model.onnx");
    }

    public static Dictionary<string, Tensor> Inputs(int batch, int rows)
    {
        var draw = new Random((batch * 100) + rows);
        return new() { ["x"] = Tensor.Of<float>([.. Enumerable.Range(0, batch * rows * Width).Select(_ => (float)((4 * draw.NextDouble()) - 2))], batch, rows, Width) };
    }

    public string Weight(params long[] shape)
    {
        double scale = shape.Length > 1 ? 1 / Math.Sqrt(shape[0]) : 1;
        return B.Constant(Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)(((2 * random.NextDouble()) - 1) * 1.7 * scale))], shape), "weight");
    }

    public string Mean(string x) => Reduced("ReduceMean", x, 18);

    /// <summary>A reduction over the last axis, which is an attribute before some version.</summary>
    public string Reduced(string operatorType, string x, int axesAsInput) =>
        Opset < axesAsInput ? B.Node(operatorType, [x], Attributes.Of("axes", new long[] { -1 })) : B.Node(operatorType, [x, B.Integers(-1)]);
}
