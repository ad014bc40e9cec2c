using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>A form of attention, as an exporter writes it.</summary>
/// <param name="Opset">Version of ONNX's operators.</param>
/// <param name="HasMask">Whether it reads an attention_mask.</param>
/// <param name="Attention">Adds the nodes; gives the joined heads.</param>
/// <param name="Batch">A batch that is fixed, or null.</param>
/// <param name="Sequence">A sequence that is fixed, or null.</param>
internal sealed record EncoderForm(int Opset, bool HasMask, Func<EncoderModel, string> Attention, long? Batch = null, long? Sequence = null);

/// <summary>
/// A block of an encoder, y = x + attention(normalized(x))·o, in a form of attention. x is float [batch, sequence, 24], attention_mask is int64 [batch, sequence].
/// </summary>
internal sealed class EncoderModel
{
    public const int Width = 24;
    public const int Heads = 3;
    public const int HeadSize = 8;

    private readonly List<(string Name, Tensor Value)> weights = [];
    private readonly int opset;
    private int seed;

    private EncoderModel(int opset) => this.opset = opset;

    public GraphBuilder B { get; } = new(["x", "attention_mask", "y"]);

    public static OnnxModel Make(EncoderForm form)
    {
        var model = new EncoderModel(form.Opset);
        GraphBuilder b = model.B;
        string projected = b.Add(b.MatMul(form.Attention(model), model.Weight(Width, Width)), model.Weight(Width));
        b.NodeTo(["y"], "Add", "", ["x", projected]);

        Dimension batch = form.Batch is long fixedBatch ? Dimension.Of(fixedBatch) : new(null, "batch");
        Dimension sequence = form.Sequence is long fixedSequence ? Dimension.Of(fixedSequence) : new(null, "sequence");
        var graph = new GraphProto { Name = "encoder" };
        graph.Input.Add(new TensorType(ElementType.Float, [batch, sequence, Dimension.Of(Width)]).ToProto("x"));
        if (form.HasMask)
        {
            graph.Input.Add(new TensorType(ElementType.Int64, [batch, sequence]).ToProto("attention_mask"));
        }

        graph.Output.Add(new TensorType(ElementType.Float, [batch, sequence, Dimension.Of(Width)]).ToProto("y"));
        b.AppendTo(graph);
        graph.Initializer.AddRange(model.weights.Select(w => w.Value.ToProto(w.Name)));
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = form.Opset });
        proto.OpsetImport.AddRange(b.Domains.Select(d => new OperatorSetIdProto { Domain = d.Key, Version = d.Value }));
        return new OnnxModel(proto, "", "encoder");
    }

    /// <summary>Inputs; with padding some places at the end of each sequence are masked, and some in between.</summary>
    public static Dictionary<string, Tensor> Inputs(EncoderForm form, int batch, int sequence, bool isPadded)
    {
        var random = new Random(sequence);
        (batch, sequence) = ((int)(form.Batch ?? batch), (int)(form.Sequence ?? sequence));
        float[] values = [.. Enumerable.Range(0, batch * sequence * Width).Select(_ => (float)((random.NextDouble() * 4) - 2))];
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(values, batch, sequence, Width) };
        if (form.HasMask)
        {
            long[] mask = [.. Enumerable.Range(0, batch).SelectMany(_ =>
            {
                int length = isPadded ? random.Next(1, sequence + 1) : sequence;
                return Enumerable.Range(0, sequence).Select(place => place == 0 || (place < length && !(isPadded && random.Next(6) == 0)) ? 1L : 0);
            })];
            inputs["attention_mask"] = Tensor.Of<long>(mask, batch, sequence);
        }

        return inputs;
    }

    public string Weight(params long[] shape)
    {
        var random = new Random(++seed);
        string name = B.Fresh("weight");
        double width = shape.Length == 1 ? 1 : 0.8;
        weights.Add((name, Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((random.NextDouble() - 0.5) * width))], shape)));
        return name;
    }

    /// <summary>x normalized: one operator from opset 17 on, and as exporters wrote it before.</summary>
    public string Normalized()
    {
        if (opset >= 17)
        {
            return B.Node("LayerNormalization", ["x", Weight(Width), Weight(Width)], Attributes.Of("axis", -1), Attributes.Of("epsilon", 1e-5f));
        }

        string centred = B.Sub("x", B.Node("ReduceMean", ["x"], Attributes.Of("axes", [-1L])));
        string variance = B.Node("ReduceMean", [B.Pow(centred, B.Scalar(2))], Attributes.Of("axes", [-1L]));
        return B.Add(B.Mul(B.Div(centred, B.Sqrt(B.Add(variance, B.Scalar(1e-5)))), Weight(Width)), Weight(Width));
    }

    public string Linear(string x, bool hasBias = true)
    {
        string product = B.MatMul(x, Weight(Width, Width));
        return hasBias ? B.Add(Weight(Width), product) : product;
    }

    public string Unsqueezed(string x, params long[] axes) =>
        opset < 13 ? B.Node("Unsqueeze", [x], Attributes.Of("axes", axes)) : B.Node("Unsqueeze", [x, B.Integers(axes)]);

    public string Softmax(string x) => B.Node("Softmax", [x], Attributes.Of("axis", opset < 13 ? 3 : -1));

    /// <summary>One size of a value, a vector of one element, as TorchScript writes it: gathered from the shape.</summary>
    public string Size(string x, int axis) => Unsqueezed(B.Gather(B.Shape(x), B.Constant(Tensor.Scalar((long)axis)), 0), 0);

    public string Reshaped(string x, params string[] sizes) => B.Node("Reshape", [x, B.Concat(0, sizes)]);

    /// <summary>view(batch, sequence, heads, head size).permute(0, 2, 1, 3), as TorchScript writes it.</summary>
    public string Divided(string x) => B.Transpose(Reshaped(x, Size(x, 0), Size(x, 1), B.Integers(Heads), B.Integers(HeadSize)), [0, 2, 1, 3]);

    /// <summary>permute(0, 2, 1, 3).view(batch, sequence, width), as TorchScript writes it.</summary>
    public string Joined(string context)
    {
        string transposed = B.Transpose(context, [0, 2, 1, 3]);
        return Reshaped(transposed, Size(transposed, 0), Size(transposed, 1), B.Integers(Width));
    }
}
