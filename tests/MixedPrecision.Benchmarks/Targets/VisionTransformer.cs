using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>
/// A classifier of images with the shapes of ViT-small, patches of 16: 197 tokens of 384, normalized before each branch, attention by torch's own function, opset 17.
/// </summary>
internal static class VisionTransformer
{
    private const int Layers = 12, Width = 384, Heads = 6, FeedForward = 1536, Patch = 16, Tokens = 197, Classes = 1000;

    private const float Epsilon = 1e-12f;

    /// <summary>Factor of a residual branch's last weight: a trained branch changes the stream by a part of it.</summary>
    private const double Branch = 0.3;

    public static void Write(string path)
    {
        var graph = new TracedGraph(opset: 17, seed: 2);
        TracedModule root = graph.Root, vit = root["vit"];
        Dimension batch = new(null, "batch_size");
        string pixels = graph.Input("pixel_values", ElementType.Float, batch, new(null, "num_channels"), new(null, "height"), new(null, "width"));

        string x = Embed(vit["embeddings"], pixels);
        for (int layer = 0; layer < Layers; layer++)
        {
            TracedModule block = vit["encoder"][$"layer.{layer}"];
            string attended = Attend(block["attention"]["attention"], block.LayerNormOperator("layernorm_before", x, Width, Epsilon));
            x = block.Add(block["attention"]["output"].Linear("dense", attended, Width, Width, Branch), x);
            TracedModule intermediate = block["intermediate"];
            string hidden = intermediate.Linear("dense", block.LayerNormOperator("layernorm_after", x, Width, Epsilon), Width, FeedForward);
            string activated = intermediate["intermediate_act_fn"].Gelu(hidden);
            TracedModule output = block["output"];
            x = output.Add(output.Linear("dense", activated, FeedForward, Width, Branch), x);
        }

        string first = root.Node("Gather", [vit.LayerNormOperator("layernorm", x, Width, Epsilon), root.Index(0)], Attributes.Of("axis", 1));
        TracedModule classifier = root["classifier"];
        string[] inputs = [first, classifier.Parameter("weight", 1 / Math.Sqrt(Width), Classes, Width), classifier.Parameter("bias", 0.02, Classes)];
        classifier.NodeTo("logits", "Gemm", inputs, Attributes.Of("alpha", 1f), Attributes.Of("beta", 1f), Attributes.Of("transB", 1));
        graph.Output("logits", batch, Dimension.Of(Classes));
        graph.Write(path);
    }

    private static string Embed(TracedModule embeddings, string pixels)
    {
        string batch = embeddings.SizeOf(pixels, 0);
        TracedModule patches = embeddings["patch_embeddings"], projection = patches["projection"];
        string[] convolved = [pixels, projection.Parameter("weight", 1.0 / Patch, Width, 3, Patch, Patch), projection.Parameter("bias", 0.02, Width)];
        long[] Both(long value) => [value, value];
        string map = projection.Node(
            "Conv", convolved, Attributes.Of("dilations", Both(1)), Attributes.Of("group", 1), Attributes.Of("kernel_shape", Both(Patch)), Attributes.Of("pads", new long[4]),
            Attributes.Of("strides", Both(Patch)));
        string ends = patches.Slice(patches.Node("Shape", [map]), 0, patches.Integers(0), patches.Integers(2));
        string flat = patches.Node("Reshape", [map, patches.Concat(0, ends, patches.Integers(-1))], Attributes.Of("allowzero", 0));
        string token = embeddings.Expand(embeddings.Parameter("cls_token", 1, 1, 1, Width), batch, -1, -1);
        string tokens = embeddings.Concat(1, token, patches.Transpose(flat, 0, 2, 1));
        return embeddings.Add(tokens, embeddings.Parameter("position_embeddings", 0.5, 1, Tokens, Width));
    }

    private static string Attend(TracedModule self, string x)
    {
        string Split(string value) =>
            self.Transpose(self.View(value, self.SizeOf(value, 0), self.SizeOf(value, 1), Heads, Width / Heads), 0, 2, 1, 3);
        string queries = self.Linear("query", x, Width, Width);
        string keys = Split(self.Linear("key", x, Width, Width));
        string values = Split(self.Linear("value", x, Width, Width));
        string mixed = self.Transpose(self.DotProductAttention(Split(queries), keys, values, null), 0, 2, 1, 3);
        return self.View(mixed, self.SizeOf(mixed, 0), self.SizeOf(mixed, 1), Width);
    }
}
