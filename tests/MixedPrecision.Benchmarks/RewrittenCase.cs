using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks;

/// <summary>A made model with one thing to write in another way.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Structure">What it is written in.</param>
/// <param name="Make">Makes it.</param>
/// <param name="Inputs">Values to run it with, and what they are called.</param>
internal sealed record RewrittenCase(string Name, string Structure, Func<ModelProto> Make, IReadOnlyList<(string Sizes, IReadOnlyDictionary<string, Tensor> Inputs)> Inputs)
{
    private const int Blocks = 4, Width = 512, Heads = 8, KeyHeads = 4, HeadSize = 64, Hidden = 1408;

    private static readonly Dimension Batch = new(null, "batch"), Rows = new(null, "rows"), Past = new(null, "past"), Total = new(null, "total");

    public static IReadOnlyList<RewrittenCase> All { get; } =
    [
        .. from structure in new[] { StructureNames.GroupQueryAttention, StructureNames.GroupQueryAttentionNaive }
           from isApart in new[] { false, true }
           select new RewrittenCase($"decoder, Attention of opset 23, {(isApart ? "heads apart, mask" : "heads side by side")}", structure, () => Decoder(isApart), Decoding),
        new("encoder, rotation", StructureNames.Fused, () => Encoder(Norm.Layer, hasRotation: true, isPost: false), Encoding),
        new("encoder, rotation, multi-head", StructureNames.MultiHeadAttention, () => Encoder(Norm.Layer, hasRotation: true, isPost: false), Encoding),
        new("encoder, root mean square", StructureNames.Fused, () => Encoder(Norm.RootMeanSquare, hasRotation: false, isPost: false), Encoding),
        new("encoder, normalized behind sums", StructureNames.Fused, () => Encoder(Norm.Layer, hasRotation: false, isPost: true), Encoding),
    ];

    private static (string, IReadOnlyDictionary<string, Tensor>)[] Encoding => [("1 × 1", Embedded(1, 1)), ("1 × 128", Embedded(1, 128)), ("8 × 32", Embedded(8, 32)), ("1 × 512", Embedded(1, 512))];

    private static (string, IReadOnlyDictionary<string, Tensor>)[] Decoding => [("128 tokens", Cached(128, 0)), ("1 token behind 256", Cached(1, 256)), ("1,024 tokens", Cached(1024, 0)), ("1 token behind 2,048", Cached(1, 2048))];

    private static Dictionary<string, Tensor> Embedded(int batch, int rows) => new() { ["x"] = Values(batch, rows, Width) };

    private static Dictionary<string, Tensor> Cached(int rows, int past)
    {
        var inputs = Embedded(1, rows);
        foreach (string name in Enumerable.Range(0, Blocks).SelectMany(n => new[] { $"past.{n}.key", $"past.{n}.value" }))
        {
            inputs[name] = Values(1, KeyHeads, past, HeadSize);
        }

        return inputs;
    }

    private static Tensor Values(params long[] shape)
    {
        var random = new Random(3);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((2 * random.NextDouble()) - 1))], shape);
    }

    private enum Norm
    {
        Layer,
        RootMeanSquare,
    }

    private static ModelProto Decoder(bool isApart)
    {
        var g = new Blocked(23, [Batch, Rows]);
        string x = "x";
        GraphBuilder b = g.B;
        for (int block = 0; block < Blocks; block++)
        {
            string normal = g.LayerNorm(x);
            string past = $"past.{block}", present = $"present.{block}";
            foreach (string kind in new[] { "key", "value" })
            {
                g.Graph.Input.Add(new TensorType(ElementType.Float, [Batch, Dimension.Of(KeyHeads), Past, Dimension.Of(HeadSize)]).ToProto($"{past}.{kind}"));
                g.Graph.Output.Add(new TensorType(ElementType.Float, [Batch, Dimension.Of(KeyHeads), Total, Dimension.Of(HeadSize)]).ToProto($"{present}.{kind}"));
            }

            string[] parts = [.. new[] { Heads, KeyHeads, KeyHeads }.Select(heads => g.Linear(normal, Width, heads * HeadSize))];
            string mixed;
            if (isApart)
            {
                string Apart(string value, int heads) => b.Transpose(b.Reshape0(value, 0, 0, heads, HeadSize), [0, 2, 1, 3]);
                string Joined(string kind, string part) => b.NodeTo([$"{present}.{kind}"], "Concat", "", [$"{past}.{kind}", Apart(part, KeyHeads)], Attributes.Of("axis", 2))[0];
                string heads = b.Node("Attention", [Apart(parts[0], Heads), Joined("key", parts[1]), Joined("value", parts[2]), g.Mask($"{past}.key")]);
                mixed = b.Reshape0(b.Transpose(heads, [0, 2, 1, 3]), 0, 0, Heads * HeadSize);
            }
            else
            {
                mixed = b.NodeTo(
                    [b.Fresh("attention"), $"{present}.key", $"{present}.value"], "Attention", "", [.. parts, "", $"{past}.key", $"{past}.value"],
                    Attributes.Of("is_causal", 1), Attributes.Of("q_num_heads", Heads), Attributes.Of("kv_num_heads", KeyHeads))[0];
            }

            x = b.Add(x, g.Linear(mixed, Heads * HeadSize, Width));
            x = b.Add(x, g.Linear(b.Node("Relu", [g.Linear(g.LayerNorm(x), Width, Hidden)]), Hidden, Width));
        }

        return g.Ended(g.LayerNorm(x), [Batch, Rows]);
    }

    private static ModelProto Encoder(Norm norm, bool hasRotation, bool isPost)
    {
        Dimension[] sizes = [Batch, Rows];
        var g = new Blocked(17, sizes);
        GraphBuilder b = g.B;
        string x = "x";
        string Normed(string value) => norm == Norm.Layer ? g.LayerNorm(value) : g.RootMeanSquareNorm(value);
        (string cosine, string sine) = hasRotation ? g.Rotation(HeadSize) : ("", "");
        string Apart(string value) => b.Transpose(b.Reshape0(value, 0, 0, Heads, HeadSize), [0, 2, 1, 3]);
        string Turn(string value) => !hasRotation ? value
            : b.Add(b.Mul(value, cosine), b.Mul(b.Concat(-1, b.Neg(b.Slice(value, 3, HeadSize / 2, HeadSize)), b.Slice(value, 3, 0, HeadSize / 2)), sine));
        for (int block = 0; block < Blocks; block++)
        {
            string normal = isPost ? x : Normed(x);
            string[] parts = [.. Enumerable.Range(0, 3).Select(_ => Apart(g.Linear(normal, Width, Width)))];
            string scores = b.MatMul(b.Mul(Turn(parts[0]), b.Scalar(0.125)), b.Transpose(Turn(parts[1]), [0, 1, 3, 2]));
            string mixed = b.MatMul(b.Node("Softmax", [scores], Attributes.Of("axis", -1)), parts[2]);
            x = b.Add(x, g.Linear(b.Reshape0(b.Transpose(mixed, [0, 2, 1, 3]), 0, 0, Width), Width, Width));
            x = isPost ? Normed(x) : x;
            x = b.Add(x, g.Linear(b.Node("Relu", [g.Linear(isPost ? x : Normed(x), Width, Hidden)]), Hidden, Width));
            x = isPost ? Normed(x) : x;
        }

        return g.Ended(isPost ? x : Normed(x), sizes);
    }

    /// <summary>Writes blocks.</summary>
    private sealed class Blocked
    {
        private readonly Random random = new(5);
        private readonly int opset;
        private string? mask;

        public Blocked(int opset, Dimension[] sizes)
        {
            this.opset = opset;
            Graph.Input.Add(new TensorType(ElementType.Float, [.. sizes, Dimension.Of(Width)]).ToProto("x"));
        }

        public GraphProto Graph { get; } = new() { Name = "main_graph" };

        public GraphBuilder B { get; } = new(["x", "y", .. Enumerable.Range(0, Blocks).SelectMany(n => new[] { $"past.{n}.key", $"past.{n}.value", $"present.{n}.key", $"present.{n}.value" })]);

        public string Linear(string x, int inputs, int outputs) => B.MatMul(x, Weight(Math.Sqrt(3.0 / inputs), inputs, outputs));

        public string LayerNorm(string x) => B.Node("LayerNormalization", [x, Weight(1, Width), Weight(1, Width)], Attributes.Of("axis", -1), Attributes.Of("epsilon", 1e-5f));

        public string RootMeanSquareNorm(string x)
        {
            string mean = B.Node("ReduceMean", [B.Pow(x, B.Scalar(2))], Attributes.Of("axes", new long[] { -1 }));
            return B.Mul(Weight(1, Width), B.Mul(x, B.Reciprocal(B.Sqrt(B.Add(mean, B.Scalar(1e-5))))));
        }

        /// <summary>True where a row may see another: [rows, past + rows], made once.</summary>
        public string Mask(string past)
        {
            string Number(string value, int axis) => B.Squeeze(B.Gather(B.Shape(value), B.Integers(axis), 0), 0);
            string before = Number(past, 2), total = B.Add(before, Number("x", 1));
            return mask ??= B.LessOrEqual(B.Unsqueeze(B.Range(total), 0), B.Unsqueeze(B.Add(B.Range(Number("x", 1)), before), 1));
        }

        public (string Cosine, string Sine) Rotation(int size)
        {
            string rows = B.Range(B.Squeeze(B.Gather(B.Shape("x"), B.Integers(1), 0), 0));
            string frequencies = B.Constant(Tensor.Of<float>([.. Enumerable.Range(0, size / 2).Select(i => (float)Math.Pow(10000, -2.0 * i / size))], 1, size / 2), "frequencies");
            string angles = B.Mul(B.Unsqueeze(B.Cast(rows, ElementType.Float), 1), frequencies);
            string both = B.Concat(-1, angles, angles);
            return (B.Cos(both), B.Sin(both));
        }

        public ModelProto Ended(string x, Dimension[] sizes)
        {
            B.NodeTo(["y"], "MatMul", "", [x, Weight(0.1, Width, 8)]);
            Graph.Output.Insert(0, new TensorType(ElementType.Float, [.. sizes, Dimension.Of(8)]).ToProto("y"));
            B.AppendTo(Graph);
            var model = new ModelProto { IrVersion = 8, Graph = Graph };
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = opset });
            return model;
        }

        private string Weight(double range, params long[] shape) =>
            B.Constant(Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)(((2 * random.NextDouble()) - 1) * range))], shape), "weight");
    }
}
