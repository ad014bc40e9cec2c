using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>
/// A decoder with the shapes of Llama-3.2-1B, of which it has two of sixteen blocks and an eighth of the vocabulary, as optimum writes one: keys and values of earlier tokens come in and those
/// of all go out, rotation is computed from the position of each token, the causal mask from the lengths, attention is torch's own function; opset 14, weights in a file of their own.
/// </summary>
internal static class CachedDecoder
{
    public const int Blocks = 2, KeyHeads = 8, HeadSize = 64, Vocabulary = 16032;

    private const int Width = 2048, Heads = 32, FeedForward = 8192;

    private const float Epsilon = 1e-5f;

    private const double RotaryBase = 500000;

    /// <summary>Factor of a residual branch's last weight, as models of sixteen blocks are initialized: 1/√32.</summary>
    private const double Branch = 0.18;

    /// <summary>Deviation of the scores: such that the most likely token takes some nats, and int8 stays within 1 % of them.</summary>
    private const double Scores = 1.5;

    public static void Write(string path)
    {
        using FileStream weights = File.Create(Path.Combine(Path.GetDirectoryName(path)!, TracedGraph.ExternalName));
        var graph = new TracedGraph(opset: 14, seed: 4, weights);
        TracedModule root = graph.Root, model = root["model"];
        Dimension batch = new(null, "batch_size"), sequence = new(null, "sequence_length"), past = new(null, "past_sequence_length");
        Dimension all = new(null, "past_sequence_length + sequence_length");
        string ids = graph.Input("input_ids", ElementType.Int64, batch, sequence);
        string mask = graph.Input("attention_mask", ElementType.Int64, batch, all);
        string positions = graph.Input("position_ids", ElementType.Int64, batch, sequence);
        (string Keys, string Values)[] caches = [.. Enumerable.Range(0, Blocks).Select(b => (Cache(b, "key"), Cache(b, "value")))];
        string Cache(int block, string kind) =>
            graph.Input($"past_key_values.{block}.{kind}", ElementType.Float, batch, Dimension.Of(KeyHeads), past, Dimension.Of(HeadSize));

        TracedModule table = model["embed_tokens"];
        string x = table.Node("Gather", [table.Parameter("weight", 1, Vocabulary, Width), ids]);
        string causal = CausalMask.Of(model, x, mask, caches[0].Keys);
        (string Cosine, string Sine) rotation = Rotation(model["rotary_emb"], graph, positions);
        for (int b = 0; b < Blocks; b++)
        {
            TracedModule block = model[$"layers.{b}"];
            string attended = Attend(block["self_attn"], b, Norm(block["input_layernorm"], x), caches[b], rotation, causal);
            x = block.Add(x, attended);
            x = block.Add(x, Gated(block["mlp"], Norm(block["post_attention_layernorm"], x)));
        }

        TracedModule head = root["lm_head"];
        head.NodeTo("logits", "MatMul", [Norm(model["norm"], x), graph.FoldedWeight(Scores / Math.Sqrt(Width), Width, Vocabulary)]);
        graph.Output("logits", batch, sequence, Dimension.Of(Vocabulary));
        for (int b = 0; b < Blocks; b++)
        {
            graph.Output($"present.{b}.key", batch, Dimension.Of(KeyHeads), all, Dimension.Of(HeadSize));
            graph.Output($"present.{b}.value", batch, Dimension.Of(KeyHeads), all, Dimension.Of(HeadSize));
        }

        graph.Write(path);
    }

    /// <summary>Cosine and sine of position · frequency, each [batch, sequence, head size], of which the halves are equal.</summary>
    private static (string Cosine, string Sine) Rotation(TracedModule rotary, TracedGraph graph, string positions)
    {
        float[] frequencies = [.. Enumerable.Range(0, HeadSize / 2).Select(i => (float)Math.Pow(RotaryBase, -2.0 * i / HeadSize))];
        string column = graph.Initializer("onnx::Expand_frequencies", Tensor.Of<float>(frequencies, 1, HeadSize / 2, 1));
        string wide = rotary.Expand(column, rotary.SizeOf(positions, 0), -1, 1);
        string angles = rotary.Transpose(rotary.MatMul(wide, rotary.Cast(rotary.Unsqueeze(positions, 1), ElementType.Float)), 0, 2, 1);
        string both = rotary.Concat(-1, angles, angles);
        return (rotary.Mul(rotary.Node("Cos", [both]), rotary.Number(1)), rotary.Mul(rotary.Node("Sin", [both]), rotary.Number(1)));
    }

    private static string Attend(TracedModule self, int block, string x, (string Keys, string Values) cache, (string Cosine, string Sine) rotation, string causal)
    {
        string batch = self.SizeOf(x, 0), length = self.SizeOf(x, 1);
        string Split(string value, int heads) => self.Transpose(self.View(value, batch, length, heads, HeadSize), 0, 2, 1, 3);
        string queries = Split(self.Linear("q_proj", x, Width, Heads * HeadSize, bias: false), Heads);
        string keys = Split(self.Linear("k_proj", x, Width, KeyHeads * HeadSize, bias: false), KeyHeads);
        string values = Split(self.Linear("v_proj", x, Width, KeyHeads * HeadSize, bias: false), KeyHeads);
        string cosine = self.Unsqueeze(rotation.Cosine, 1), sine = self.Unsqueeze(rotation.Sine, 1);
        string Turn(string value) => self.Add(self.Mul(value, cosine), self.Mul(Rotated(self, value), sine));
        queries = Turn(queries);
        keys = self.NodeTo($"present.{block}.key", "Concat", [cache.Keys, Turn(keys)], Attributes.Of("axis", -2));
        values = self.NodeTo($"present.{block}.value", "Concat", [cache.Values, values], Attributes.Of("axis", -2));

        string added = self.Slice(causal, 3, self.Integers(0), self.Unsqueeze(self.SizeOf(keys, 2), 0));
        string mixed = self.Transpose(self.DotProductAttention(queries, Repeat(self, keys), Repeat(self, values), added), 0, 2, 1, 3);
        return self.Linear("o_proj", self.View(mixed, batch, length, -1), Heads * HeadSize, Width, Branch, bias: false);
    }

    /// <summary>(−x₂, x₁) of the halves x₁ and x₂ of the last axis, whose size is read from the shape.</summary>
    private static string Rotated(TracedModule self, string x)
    {
        string Half() => self.Unsqueeze(self.Cast(self.Cast(self.Div(self.SizeOf(x, 3), self.Index(2)), ElementType.Int64), ElementType.Int64), 0);
        string first = self.Slice(x, 3, self.Integers(0), Half());
        return self.Concat(-1, self.Node("Neg", [self.SliceFrom(x, 3, Half())]), first);
    }

    /// <summary>Each head of keys or values as often as query heads share it.</summary>
    private static string Repeat(TracedModule self, string x)
    {
        const int Times = Heads / KeyHeads;
        string batch = self.SizeOf(x, 0), heads = self.SizeOf(x, 1), length = self.SizeOf(x, 2), size = self.SizeOf(x, 3);
        string wide = self.Expand(self.Unsqueeze(x, 2), batch, heads, Times, length, size);
        return self.View(wide, batch, self.Mul(heads, self.Index(Times)), length, size);
    }

    private static string Gated(TracedModule mlp, string x)
    {
        string gate = mlp.Linear("gate_proj", x, Width, FeedForward, bias: false);
        TracedModule activation = mlp["act_fn"];
        string active = activation.Mul(gate, activation.Node("Sigmoid", [gate]));
        string hidden = mlp.Mul(active, mlp.Linear("up_proj", x, Width, FeedForward, bias: false));

        // The root mean square of silu(a)·b is 0.6 for independent normal a and b.
        return mlp.Linear("down_proj", hidden, FeedForward, Width, Branch / 0.6, bias: false);
    }

    /// <summary>x / √(mean x² + ε), as x · (1/√…), times a weight for each channel.</summary>
    private static string Norm(TracedModule norm, string x)
    {
        string mean = norm.Node("ReduceMean", [norm.Node("Pow", [x, norm.Number(2)])], Attributes.Of("axes", new long[] { -1 }));
        string inverse = norm.Div(norm.Number(1), norm.Node("Sqrt", [norm.Add(mean, norm.Number(Epsilon))]));
        return norm.Mul(norm.Parameter("weight", norm.Graph.Random.Gains(Width)), norm.Mul(x, inverse));
    }
}
