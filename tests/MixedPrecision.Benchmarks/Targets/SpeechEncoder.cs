using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>
/// The encoder of a speech model with the shapes of Whisper-tiny: two convolutions along 3,000 steps, the second of stride 2, then four layers over 1,500 frames. Queries are scaled before
/// they are split into heads, keys have no bias, opset 14.
/// </summary>
internal static class SpeechEncoder
{
    private const int Layers = 4, Width = 384, Heads = 6, FeedForward = 1536, Bands = 80, Frames = 1500;

    private const float Epsilon = 1e-5f;

    /// <summary>Factor of a residual branch's last weight: a trained branch changes the stream by a part of it.</summary>
    private const double Branch = 0.5;

    /// <summary>Deviation of the last values, which the loss reads as scores.</summary>
    private const double Scores = 1.5;

    public static void Write(string path)
    {
        var graph = new TracedGraph(opset: 14, seed: 3);
        TracedModule root = graph.Root;
        Dimension batch = new(null, "batch_size");
        string features = graph.Input("input_features", ElementType.Float, batch, Dimension.Of(Bands), Dimension.Of(2 * Frames));

        string map = root.Gelu(Convolve(root["conv1"], features, Bands, stride: 1));
        map = root.Gelu(Convolve(root["conv2"], map, Width, stride: 2));
        string x = root.Add(root.Transpose(map, 0, 2, 1), root["embed_positions"].Parameter("weight", 0.5, Frames, Width));
        for (int layer = 0; layer < Layers; layer++)
        {
            TracedModule block = root[$"layers.{layer}"];
            string attended = Attend(block["self_attn"], block.LayerNorm("self_attn_layer_norm", x, Width, Epsilon));
            x = block.Add(x, attended);
            TracedModule activation = block["activation_fn"];
            string hidden = activation.Gelu(block.Linear("fc1", block.LayerNorm("final_layer_norm", x, Width, Epsilon), Width, FeedForward));
            x = block.Add(x, block.Linear("fc2", hidden, FeedForward, Width, Branch));
        }

        root.LayerNorm("layer_norm", x, Width, Epsilon, Scores, "last_hidden_state");
        graph.Output("last_hidden_state", batch, Dimension.Of(Frames), Dimension.Of(Width));
        graph.Write(path);
    }

    private static string Convolve(TracedModule convolution, string x, int channels, long stride)
    {
        string[] inputs = [x, convolution.Parameter("weight", 1 / Math.Sqrt(channels * 3), Width, channels, 3), convolution.Parameter("bias", 0.02, Width)];
        return convolution.Node(
            "Conv", inputs, Attributes.Of("dilations", new long[] { 1 }), Attributes.Of("group", 1), Attributes.Of("kernel_shape", new long[] { 3 }),
            Attributes.Of("pads", new long[] { 1, 1 }), Attributes.Of("strides", new[] { stride }));
    }

    private static string Attend(TracedModule self, string x)
    {
        string batch = self.SizeOf(x, 0), length = self.SizeOf(x, 1);
        string Split(string value, TracedSize size) => self.Transpose(self.View(value, batch, size, Heads, Width / Heads), 0, 2, 1, 3);
        string queries = self.Mul(self.Linear("q_proj", x, Width, Width), self.Number(1 / MathF.Sqrt(Width / Heads)));
        string keys = Split(self.Linear("k_proj", x, Width, Width, bias: false), -1);
        string values = Split(self.Linear("v_proj", x, Width, Width), -1);
        string products = self.MatMul(Split(queries, length), self.Transpose(keys, 0, 1, 3, 2));
        string mixed = self.Transpose(self.MatMul(self.Softmax(products), values), 0, 2, 1, 3);
        return self.Linear("out_proj", self.View(mixed, batch, length, Width), Width, Width, Branch);
    }
}
