using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>
/// An encoder with the shapes of MiniLM-L6 as sentence-transformers has it: BERT's layers, normalized after each residual, then the mean over the tokens that the mask leaves. Attention is
/// written out, with the mask added as float's lowest number; opset 14.
/// </summary>
internal static class SentenceEncoder
{
    private const int Layers = 6, Width = 384, Heads = 12, FeedForward = 1536, Vocabulary = 30522, Positions = 512;

    private const float Epsilon = 1e-12f;

    /// <summary>Factor of a residual branch's last weight: a trained branch changes the stream by a part of it.</summary>
    private const double Branch = 0.5;

    /// <summary>Deviation of the last layer's values, whose mean over the tokens the loss reads as scores.</summary>
    private const double Scores = 0.75;

    public static void Write(string path)
    {
        var graph = new TracedGraph(opset: 14, seed: 1);
        TracedModule root = graph.Root;
        Dimension batch = new(null, "batch_size"), sequence = new(null, "sequence_length");
        string ids = graph.Input("input_ids", ElementType.Int64, batch, sequence);
        string mask = graph.Input("attention_mask", ElementType.Int64, batch, sequence);
        string types = graph.Input("token_type_ids", ElementType.Int64, batch, sequence);

        string wide = root.Cast(root.Unsqueeze(root.Unsqueeze(mask, 1), 2), ElementType.Float);
        string additive = root.Mul(root.Node("Sub", [root.Number(1), wide]), root.Number(float.MinValue));
        string x = Embed(root["embeddings"], ids, types);
        for (int layer = 0; layer < Layers; layer++)
        {
            TracedModule block = root["encoder"][$"layer.{layer}"];
            string attended = Attend(block["attention"]["self"], x, additive);
            TracedModule output = block["attention"]["output"];
            x = output.LayerNorm("LayerNorm", output.Add(output.Linear("dense", attended, Width, Width, Branch), x), Width, Epsilon);
            TracedModule intermediate = block["intermediate"];
            string hidden = intermediate["intermediate_act_fn"].Gelu(intermediate.Linear("dense", x, Width, FeedForward));
            output = block["output"];
            string sum = output.Add(output.Linear("dense", hidden, FeedForward, Width, Branch * Math.Sqrt(2)), x);
            x = output.LayerNorm("LayerNorm", sum, Width, Epsilon, layer == Layers - 1 ? Scores : null);
        }

        Pool(root, x, mask);
        graph.Output("sentence_embedding", batch, Dimension.Of(Width));
        graph.Write(path);
    }

    private static string Embed(TracedModule embeddings, string ids, string types)
    {
        string length = embeddings.SizeOf(ids, 1);
        string places = embeddings.Parameter("position_ids", Tensor.Of<long>([.. Enumerable.Range(0, Positions).Select(p => (long)p)], 1, Positions));
        string positions = embeddings.Slice(places, 1, embeddings.Integers(0), embeddings.Unsqueeze(length, 0));
        string Look(string name, int rows, string index)
        {
            TracedModule table = embeddings[name];
            return table.Node("Gather", [table.Parameter("weight", 0.5, rows, Width), index]);
        }

        string sum = embeddings.Add(Look("word_embeddings", Vocabulary, ids), Look("token_type_embeddings", 2, types));
        return embeddings.LayerNorm("LayerNorm", embeddings.Add(sum, Look("position_embeddings", Positions, positions)), Width, Epsilon);
    }

    private static string Attend(TracedModule self, string x, string mask)
    {
        string Split(string value) => self.View(value, self.SizeOf(value, 0), self.SizeOf(value, 1), Heads, Width / Heads);
        string queries = self.Linear("query", x, Width, Width);
        string keys = self.Transpose(Split(self.Linear("key", x, Width, Width)), 0, 2, 3, 1);
        string values = self.Transpose(Split(self.Linear("value", x, Width, Width)), 0, 2, 1, 3);
        string products = self.MatMul(self.Transpose(Split(queries), 0, 2, 1, 3), keys);
        string scores = self.Add(self.Div(products, self.Number(MathF.Sqrt(Width / Heads))), mask);
        string mixed = self.Transpose(self.MatMul(self.Softmax(scores), values), 0, 2, 1, 3);
        return self.View(mixed, self.SizeOf(mixed, 0), self.SizeOf(mixed, 1), Width);
    }

    /// <summary>Σ mask·x / max(Σ mask, 10⁻⁹) over the tokens.</summary>
    private static void Pool(TracedModule root, string x, string mask)
    {
        string counted = root.Cast(root.ExpandTo(root.Unsqueeze(mask, -1), root.Node("Shape", [x])), ElementType.Float);
        string Sum(string value) => root.Node("ReduceSum", [value, root.Integers(1)], Attributes.Of("keepdims", 0));
        string total = Sum(root.Mul(x, counted));
        root.NodeTo("sentence_embedding", "Div", [total, root.Node("Clip", [Sum(counted), root.Number(1e-9f)])]);
    }
}
