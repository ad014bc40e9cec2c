using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Training.Search;

/// <summary>
/// An encoder of sentences: words and places, two blocks of attention and feed-forward, a mean over the words, and a projection to a vector of length 1. It is written in two ways: for training, with parameters as inputs and the loss of
/// pairs of queries and documents that belong together; and as exporters write one for use.
/// </summary>
internal static class EncoderNetwork
{
    public const string Loss = "loss", Tokens = "input_ids", Mask = "attention_mask", Embedding = "embedding", Query = "query.", Document = "document.";

    public const int MaxTokens = 48;

    private const int Vocabulary = 8192, Width = 192, Heads = 6, Blocks = 2, Inner = 4 * Width;

    /// <summary>Factor of cosines in the loss: the inverse of its temperature.</summary>
    private const double Sharpness = 20;

    private const string WeightName = ".weight", BiasName = ".bias", WordName = "word", PlaceName = "position", NormName = "norm", ProjectionName = "projection";

    public static IReadOnlyList<Parameter> Parameters { get; } =
    [
        new(WordName + WeightName, [Vocabulary, Width], 0, 0.05),
        new(PlaceName + WeightName, [MaxTokens, Width], 0, 0.01),
        .. Enumerable.Range(0, Blocks).SelectMany(i => new[]
        {
            Norm(Block(i, "norm1")), Linear(Block(i, "query"), Width, Width), Linear(Block(i, "key"), Width, Width), Linear(Block(i, "value"), Width, Width), Linear(Block(i, "output"), Width, Width, 0.3),
            Norm(Block(i, "norm2")), Linear(Block(i, "intermediate"), Width, Inner), Linear(Block(i, "dense"), Inner, Width, 0.3),
        }.SelectMany(p => p)),
        .. Norm(NormName),
        Linear(ProjectionName, Width, Width)[0],
    ];

    /// <summary>
    /// Inputs: tokens and masks of queries and of documents, [batch, length of the longest], and the parameters. Output: the mean cross-entropy of finding each query's document among those of the batch, and each document's query.
    /// </summary>
    public static ModelProto ForTraining(int batch)
    {
        string[] texts = [Query + Tokens, Query + Mask, Document + Tokens, Document + Mask];
        var builder = new GraphBuilder([Loss, Query + Embedding, Document + Embedding, .. texts, .. Parameters.Select(p => p.Name)]);
        string queries = Encode(builder, texts[0], texts[1], name => name, Query + Embedding), documents = Encode(builder, texts[2], texts[3], name => name, Document + Embedding);
        string scores = builder.Mul(builder.MatMul(queries, builder.Transpose(documents, [1, 0])), builder.Scalar(Sharpness));
        string own = builder.Constant(Tensor.Of<long>([.. Enumerable.Range(0, batch).Select(i => (long)i)], batch), "own");
        string Entropy(string of) => builder.Node("SoftmaxCrossEntropyLoss", [of, own]);
        builder.NodeTo([Loss], "Mul", "", [builder.Add(Entropy(scores), Entropy(builder.Transpose(scores, [1, 0]))), builder.Scalar(0.5)]);
        var graph = new GraphProto { Name = "training" };
        graph.Input.AddRange(texts.Select((t, i) => new TensorType(ElementType.Int64, [Dimension.Of(batch), new(null, i < 2 ? "query_length" : "document_length")]).ToProto(t)));
        graph.Input.AddRange(Parameters.Select(p => new TensorType(ElementType.Float, [.. p.Shape.Select(Dimension.Of)]).ToProto(p.Name)));
        graph.Output.Add(new TensorType(ElementType.Float, []).ToProto(Loss));
        return TrainedModel.Of(builder, graph, opset: 17);
    }

    /// <summary>Inputs: tokens and mask, [batch, sequence], at most 48 a text; output: embeddings of length 1, [batch, 192].</summary>
    /// <param name="values">Of the parameters, by name.</param>
    public static ModelProto ForUse(IReadOnlyDictionary<string, float[]> values)
    {
        var builder = new GraphBuilder([Tokens, Mask, Embedding]);
        Dictionary<string, string> names = Parameters.ToDictionary(p => p.Name, p => builder.Constant(Tensor.Of<float>(values[p.Name], p.Shape), p.Name));
        Encode(builder, Tokens, Mask, name => names[name], Embedding);
        var graph = new GraphProto { Name = "search" };
        Dimension batch = new(null, "batch");
        graph.Input.AddRange(new[] { Tokens, Mask }.Select(t => new TensorType(ElementType.Int64, [batch, new(null, "sequence")]).ToProto(t)));
        graph.Output.Add(new TensorType(ElementType.Float, [batch, Dimension.Of(Width)]).ToProto(Embedding));
        return TrainedModel.Of(builder, graph, opset: 17);
    }

    private static string Encode(GraphBuilder b, string tokens, string mask, Func<string, string> named, string output)
    {
        string Normalized(string x, string name) => b.Node("LayerNormalization", [x, named(name + WeightName), named(name + BiasName)], Attributes.Of("axis", -1));
        string Mapped(string x, string name) => b.Add(b.MatMul(x, named(name + WeightName)), named(name + BiasName));
        string Split(string x, params long[] order) => b.Transpose(b.Reshape0(x, 0, 0, Heads, Width / Heads), order);

        string places = b.Range(b.Squeeze(b.Size(tokens, 1), 0));
        string x = b.Add(b.Gather(named(WordName + WeightName), tokens, 0), b.Gather(named(PlaceName + WeightName), places, 0));
        string counts = b.Cast(mask, ElementType.Float), one = b.Scalar(1);
        string hidden = b.Unsqueeze(b.Mul(b.Sub(one, counts), b.Scalar(-1e4)), 1, 2);
        for (int i = 0; i < Blocks; i++)
        {
            string y = Normalized(x, Block(i, "norm1"));
            string query = Split(Mapped(y, Block(i, "query")), 0, 2, 1, 3), key = Split(Mapped(y, Block(i, "key")), 0, 2, 3, 1), value = Split(Mapped(y, Block(i, "value")), 0, 2, 1, 3);
            string scores = b.Add(b.Div(b.MatMul(query, key), b.Scalar(Math.Sqrt(Width / Heads))), hidden);
            string mixed = b.MatMul(b.Node("Softmax", [scores], Attributes.Of("axis", -1)), value);
            x = b.Add(x, Mapped(b.Reshape0(b.Transpose(mixed, [0, 2, 1, 3]), 0, 0, Width), Block(i, "output")));
            string inner = Mapped(Normalized(x, Block(i, "norm2")), Block(i, "intermediate"));
            string gelu = b.Mul(b.Mul(inner, b.Add(b.Erf(b.Div(inner, b.Scalar(Math.Sqrt(2)))), one)), b.Scalar(0.5));
            x = b.Add(x, Mapped(gelu, Block(i, "dense")));
        }

        string weights = b.Unsqueeze(counts, 2);
        string mean = b.Div(b.ReduceSum(b.Mul(Normalized(x, NormName), weights), [1]), b.ReduceSum(weights, [1]));
        string vector = b.MatMul(mean, named(ProjectionName + WeightName));
        return b.NodeTo([output], "Div", "", [vector, b.Sqrt(b.Add(b.ReduceSum(b.Square(vector), [1], keepDimensions: true), b.Scalar(1e-12)))])[0];
    }

    private static string Block(int number, string name) => $"encoder.{number}.{name}";

    private static Parameter[] Norm(string name) => [new(name + WeightName, [Width], 1, 0), new(name + BiasName, [Width], 0, 0)];

    private static Parameter[] Linear(string name, int inputs, int outputs, double scale = 1) =>
        [new(name + WeightName, [inputs, outputs], 0, scale / Math.Sqrt(inputs)), new(name + BiasName, [outputs], 0, 0)];
}
