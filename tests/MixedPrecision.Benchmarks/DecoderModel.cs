using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks;

/// <summary>Sizes of a Llama-style decoder.</summary>
/// <param name="Tied">Whether the output layer uses the embedding's weights.</param>
public sealed record DecoderShape(int Blocks, int Width, int Heads, int KeyHeads, int HeadSize, int FeedForward, int Vocabulary, bool Tied)
{
    /// <summary>Shapes by name: those of Llama-3.2-1B and Llama-3.1-8B, and one for a test.</summary>
    public static readonly IReadOnlyDictionary<string, DecoderShape> Known = new Dictionary<string, DecoderShape>
    {
        ["1b"] = new(16, 2048, 32, 8, 64, 8192, 128256, Tied: true),
        ["8b"] = new(32, 4096, 32, 8, 128, 14336, 128256, Tied: false),
    };
}

/// <summary>
/// Writes a decoder of any size with random weights in a file of external data: token ids [batch, sequence] → logits [batch, sequence, vocabulary].
/// RMS norm, rotary positions, grouped-query attention under a causal mask, and a SiLU-gated feed-forward, all in operators of opset 17.
/// </summary>
public sealed class DecoderModel
{
    private const float Epsilon = 1e-5f;
    private readonly DecoderShape shape;
    private readonly GraphProto graph = new() { Name = "decoder" };
    private readonly GraphBuilder b;
    private readonly Stream data;
    private ulong state = 1;

    private DecoderModel(DecoderShape shape, Stream data)
    {
        this.shape = shape;
        this.data = data;
        b = new GraphBuilder(["input_ids", "logits"]);
    }

    /// <summary>Writes `model.onnx` and `model.onnx.data` into a folder.</summary>
    public static void Write(DecoderShape shape, string folder)
    {
        Directory.CreateDirectory(folder);
        using FileStream data = File.Create(Path.Combine(folder, "model.onnx.data"));
        var decoder = new DecoderModel(shape, data);
        decoder.Build();
        var model = new ModelProto { IrVersion = 8, Graph = decoder.graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        using FileStream file = File.Create(Path.Combine(folder, "model.onnx"));
        model.WriteTo(file);
    }

    private void Build()
    {
        Dimension batch = new(null, "batch"), sequence = new(null, "sequence");
        graph.Input.Add(new TensorType(ElementType.Int64, [batch, sequence]).ToProto("input_ids"));
        string embedding = Weight("embedding", 0.02, shape.Vocabulary, shape.Width);
        string length = b.Gather(b.Shape("input_ids"), b.Integers(1), 0);
        string positions = b.Range(b.Squeeze(length, 0));
        string angles = b.Mul(b.Unsqueeze(b.Cast(positions, ElementType.Float), 1), b.Constant(Frequencies(), "frequencies"));
        string angle = b.Concat(1, angles, angles);
        string cosine = b.Cos(angle), sine = b.Sin(angle);
        string future = b.Greater(b.Unsqueeze(positions, 0), b.Unsqueeze(positions, 1));
        string mask = b.Where(future, b.Scalar(-1e9), b.Scalar(0));

        string x = b.Gather(embedding, "input_ids", 0);
        for (int block = 0; block < shape.Blocks; block++)
        {
            x = b.Add(x, Attention(Norm(x), block, cosine, sine, mask));
            x = b.Add(x, FeedForward(Norm(x), block));
        }

        string rows = b.Node("Reshape", [Norm(x), b.Integers(-1, shape.Width)]);
        string output = shape.Tied ? embedding : Weight("output", 0.02, shape.Vocabulary, shape.Width);
        string scores = b.Node("Gemm", [rows, output], Attributes.Of("transB", 1));
        b.NodeTo(["logits"], "Reshape", "", [scores, b.Concat(0, b.Shape("input_ids"), b.Integers(shape.Vocabulary))]);
        graph.Output.Add(new TensorType(ElementType.Float, [batch, sequence, Dimension.Of(shape.Vocabulary)]).ToProto("logits"));
        b.AppendTo(graph);
    }

    private string Attention(string x, int block, string cosine, string sine, string mask)
    {
        int groups = shape.Heads / shape.KeyHeads;
        string queries = Rotate(HeadsOf(Linear(x, $"{block}/q", shape.Width, shape.Heads * shape.HeadSize), shape.Heads), cosine, sine);
        string keys = Rotate(HeadsOf(Linear(x, $"{block}/k", shape.Width, shape.KeyHeads * shape.HeadSize), shape.KeyHeads), cosine, sine);
        string values = HeadsOf(Linear(x, $"{block}/v", shape.Width, shape.KeyHeads * shape.HeadSize), shape.KeyHeads);
        string Repeat(string heads) => b.Reshape0(b.Expand(b.Unsqueeze(heads, 2), b.Integers(1, 1, groups, 1, 1)), 0, shape.Heads, -1, shape.HeadSize);
        string scores = b.Mul(b.MatMul(queries, b.Transpose(Repeat(keys), [0, 1, 3, 2])), b.Scalar(1 / Math.Sqrt(shape.HeadSize)));
        string probabilities = b.Node("Softmax", [b.Add(scores, mask)], Attributes.Of("axis", -1));
        string mixed = b.Transpose(b.MatMul(probabilities, Repeat(values)), [0, 2, 1, 3]);
        return Linear(b.Reshape0(mixed, 0, -1, shape.Heads * shape.HeadSize), $"{block}/o", shape.Heads * shape.HeadSize, shape.Width);
    }

    private string FeedForward(string x, int block)
    {
        string gate = Linear(x, $"{block}/gate", shape.Width, shape.FeedForward);
        string up = Linear(x, $"{block}/up", shape.Width, shape.FeedForward);
        return Linear(b.Mul(b.Mul(gate, b.Sigmoid(gate)), up), $"{block}/down", shape.FeedForward, shape.Width);
    }

    private string HeadsOf(string x, int heads) => b.Transpose(b.Reshape0(x, 0, -1, heads, shape.HeadSize), [0, 2, 1, 3]);

    private string Rotate(string x, string cosine, string sine)
    {
        int half = shape.HeadSize / 2;
        string turned = b.Concat(-1, b.Neg(b.Slice(x, 3, half, shape.HeadSize)), b.Slice(x, 3, 0, half));
        return b.Add(b.Mul(x, cosine), b.Mul(turned, sine));
    }

    private string Norm(string x)
    {
        string mean = b.Node("ReduceMean", [b.Square(x)], Attributes.Of("axes", new long[] { -1 }), Attributes.Of("keepdims", 1));
        string scale = b.Constant(Tensor.Of<float>([.. Enumerable.Repeat(1f, shape.Width)], shape.Width), "norm");
        return b.Mul(b.Div(x, b.Sqrt(b.Add(mean, b.Scalar(Epsilon)))), scale);
    }

    private string Linear(string x, string name, int inputs, int outputs) => b.MatMul(x, Weight(name, 1 / Math.Sqrt(inputs), inputs, outputs));

    private Tensor Frequencies()
    {
        var frequencies = new float[shape.HeadSize / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = (float)Math.Pow(500000, -2.0 * i / shape.HeadSize);
        }

        return Tensor.Of<float>(frequencies, 1, frequencies.Length);
    }

    /// <summary>An initializer in the file of external data, uniform with the standard deviation given.</summary>
    private string Weight(string name, double deviation, int rows, int columns)
    {
        var tensor = new TensorProto { Name = name, DataType = ElementType.Float, DataLocation = 1 };
        tensor.Dims.Add([rows, columns]);
        long bytes = (long)rows * columns * sizeof(float);
        foreach ((string key, string value) in new[] { ("location", "model.onnx.data"), ("offset", Text(data.Position)), ("length", Text(bytes)) })
        {
            tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        }

        graph.Initializer.Add(tensor);
        var part = new float[1 << 20];
        float scale = (float)(deviation * Math.Sqrt(12) / (1L << 24));
        for (long left = (long)rows * columns; left > 0; left -= part.Length)
        {
            Span<float> values = part.AsSpan(0, (int)Math.Min(left, part.Length));
            for (int i = 0; i < values.Length; i++)
            {
                // xorshift64: fast, and good enough for weights.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                values[i] = ((long)(state >> 40) - (1 << 23)) * scale;
            }

            data.Write(MemoryMarshal.AsBytes(values));
        }

        return name;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
