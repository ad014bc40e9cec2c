using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>A form in which exporters write a part of a convolutional model: x [batch, 16, height, width] → y.</summary>
/// <param name="Opset">Version of ONNX's operators.</param>
/// <param name="Write">Writes the model and gives what it ends with.</param>
/// <param name="Gone">Operators that have to be gone once it is rewritten.</param>
internal sealed record ConvolutionForm(int Opset, Func<ConvolutionModel, string, string> Write, params string[] Gone)
{
    /// <summary>Dimensions of x behind its channels.</summary>
    public int Spatial { get; init; } = 2;
}

/// <summary>A small convolutional model.</summary>
internal sealed class ConvolutionModel
{
    public const int Channels = 16;

    private readonly Random random = new(7);

    private ConvolutionModel(int opset) => Opset = opset;

    public int Opset { get; }

    public GraphBuilder B { get; } = new(["x", "y"]);

    public static OnnxModel Make(ConvolutionForm form)
    {
        var model = new ConvolutionModel(form.Opset);
        var graph = new GraphProto { Name = "main_graph" };
        Dimension[] shape = [new Dimension(null, "batch"), Dimension.Of(Channels), .. Enumerable.Range(0, form.Spatial).Select(i => new Dimension(null, $"size{i}"))];
        graph.Input.Add(new TensorType(ElementType.Float, shape).ToProto("x"));
        model.B.NodeTo(["y"], "Identity", "", [form.Write(model, "x")]);
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("y"));
        model.B.AppendTo(graph);
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = form.Opset });
        return new OnnxModel(proto, "", "model.onnx");
    }

    public static Dictionary<string, Tensor> Inputs(int batch, params long[] sizes)
    {
        long[] shape = [batch, Channels, .. sizes];
        var draw = new Random(batch + (int)sizes[0]);
        return new() { ["x"] = Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((8 * draw.NextDouble()) - 4))], shape) };
    }

    /// <summary>Random numbers from −1 to 1, times a scale, plus a shift.</summary>
    public string Random(double scale, double shift, params long[] shape) =>
        B.Constant(Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((((2 * random.NextDouble()) - 1) * scale) + shift))], shape), "constant");

    public string Number(double value, params long[] shape) => B.Constant(Tensor.Of<float>([(float)value], shape), "number");

    /// <summary>A convolution with kernels of one size in all dimensions.</summary>
    public string Conv(string x, int inputs = Channels, int outputs = Channels, int kernel = 1, long pad = 0, int group = 1, int spatial = 2, bool bias = true, params AttributeProto[] attributes)
    {
        string weight = Random(Math.Sqrt(3.0 * group / inputs / Math.Pow(kernel, spatial)), 0, [outputs, inputs / group, .. Enumerable.Repeat((long)kernel, spatial)]);
        AttributeProto[] own = attributes.Any(a => a.Name == "auto_pad") ? [] : [Attributes.Of("pads", Enumerable.Repeat(pad, 2 * spatial))];
        return B.Node("Conv", bias ? [x, weight, Random(1, 0, outputs)] : [x, weight], [Attributes.Of("group", group), .. own, .. attributes]);
    }

    public string Norm(string x, int channels = Channels) =>
        B.Node("BatchNormalization", [x, Random(0.5, 1, channels), Random(1, 0, channels), Random(1, 0, channels), Random(0.5, 1, channels)], Attributes.Of("epsilon", 1e-3f));

    /// <summary>A Clip, whose limits are inputs from version 11 on.</summary>
    public string Clip(string x, double low, double high) =>
        Opset < 11 ? B.Node("Clip", [x], Attributes.Of("min", (float)low), Attributes.Of("max", (float)high)) : B.Node("Clip", [x, Number(low), Number(high)]);

    public string Mean(string x, params long[] axes) => Opset < 18 ? B.Node("ReduceMean", [x], Attributes.Of("axes", axes)) : B.Node("ReduceMean", [x, B.Integers(axes)]);
}
