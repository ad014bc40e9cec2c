using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>
/// Convolutional networks with the shapes of published ones, normalizations folded into the convolutions as exporters do, opset 17. Weights are normal, of a deviation that keeps the size of activations (He), with a
/// residual branch's last one smaller.
/// </summary>
internal static class ConvolutionalNetworks
{
    private const int Classes = 1000;

    /// <summary>Factor of a residual branch's last weight.</summary>
    private const double Branch = 0.3;

    /// <summary>ResNet-18: blocks of two convolutions of 3×3.</summary>
    public static void ResNet18(string path) => ResNet(path, [2, 2, 2, 2], isDeep: false);

    /// <summary>ResNet-50: blocks of 1×1, 3×3, and 1×1 to four times the channels.</summary>
    public static void ResNet50(string path) => ResNet(path, [3, 4, 6, 3], isDeep: true);

    /// <summary>MobileNetV2: 1×1 to six times the channels, 3×3 of each channel by itself, and back.</summary>
    public static void MobileNetV2(string path)
    {
        TracedGraph graph = Start(seed: 13, out string x);
        TracedModule features = graph.Root["features"];
        x = Convolution(features["0"], x, 3, 32, 3, stride: 2, limit: 6);
        int channels = 32, number = 1;
        foreach ((int expansion, int outputs, int count, int stride) in new[] { (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1) })
        {
            for (int i = 0; i < count; i++)
            {
                TracedModule block = features[$"{number++}"];
                int hidden = channels * expansion;
                bool isResidual = i > 0;
                string y = expansion == 1 ? x : Convolution(block["expand"], x, channels, hidden, 1, limit: 6);
                y = Convolution(block["depth"], y, hidden, hidden, 3, stride: i == 0 ? stride : 1, group: hidden, limit: 6);
                y = Convolution(block["project"], y, hidden, outputs, 1, isActive: false, scale: isResidual ? Branch : 1);
                (x, channels) = (isResidual ? block.Add(x, y) : y, outputs);
            }
        }

        x = Convolution(features["18"], x, 320, 1280, 1, limit: 6);
        Classify(graph, x, 1280);
        graph.Write(path);
    }

    /// <summary>
    /// A network for faces of 112×112 with the blocks of MobileFaceNet, of channels that fill no block of 16: 1×1 to twice the channels, 3×3 of each channel by itself, each with PRelu, and back without; an embedding of 128 numbers.
    /// </summary>
    public static void FaceNetwork(string path)
    {
        TracedGraph graph = Start(seed: 15, out string x, size: 112);
        x = Sloped(graph.Root["stem"], x, 3, 24, 3, stride: 2);
        int channels = 24, number = 0;
        foreach ((int outputs, int count) in new[] { (24, 2), (40, 3), (72, 3), (144, 2) })
        {
            for (int i = 0; i < count; i++)
            {
                TracedModule block = graph.Root["blocks"][$"{number++}"];
                int hidden = channels * 2, stride = i == 0 && outputs > 24 ? 2 : 1;
                bool isResidual = stride == 1 && channels == outputs;
                string y = Sloped(block["expand"], x, channels, hidden, 1);
                y = Sloped(block["depth"], y, hidden, hidden, 3, stride, group: hidden);
                y = Convolution(block["project"], y, hidden, outputs, 1, isActive: false, scale: isResidual ? Branch : 1);
                (x, channels) = (isResidual ? block.Add(x, y) : y, outputs);
            }
        }

        TracedModule embedding = graph.Root["embedding"];
        string pooled = graph.Root.Node("Flatten", [graph.Root["pool"].Node("GlobalAveragePool", [x])], Attributes.Of("axis", 1));
        string[] inputs = [pooled, embedding.Parameter("weight", 2 / Math.Sqrt(channels), 128, channels), embedding.Parameter("bias", 0.02, 128)];
        embedding.NodeTo("embedding", "Gemm", inputs, Attributes.Of("alpha", 1f), Attributes.Of("beta", 1f), Attributes.Of("transB", 1));
        graph.Output("embedding", new(null, "batch_size"), Dimension.Of(128));
        graph.Write(path);
    }

    /// <summary>A U-Net of four levels of 32 to 256 channels on images of 224×224: two convolutions of 3×3 at each, nearest neighbours on the way up.</summary>
    public static void UNet(string path)
    {
        TracedGraph graph = Start(seed: 14, out string x);
        TracedModule root = graph.Root;
        int channels = 3;
        var skipped = new List<(string Value, int Channels)>();
        for (int level = 0; level < 4; level++)
        {
            x = Twice(root[$"down.{level}"], x, channels, channels = 32 << level);
            if (level < 3)
            {
                skipped.Add((x, channels));
                x = root[$"down.{level}"].Node("MaxPool", [x], Attributes.Of("kernel_shape", [2L, 2]), Attributes.Of("strides", [2L, 2]));
            }
        }

        for (int level = 2; level >= 0; level--)
        {
            TracedModule up = root[$"up.{level}"];
            string scales = up.Constant(Tensor.Of<float>([1, 1, 2, 2], 4));
            string wide = up.Node("Resize", [x, "", scales], Attributes.Of("mode", "nearest"), Attributes.Of("coordinate_transformation_mode", "asymmetric"), Attributes.Of("nearest_mode", "floor"));
            x = Twice(up, up.Concat(1, wide, skipped[level].Value), channels + skipped[level].Channels, channels = 32 << level);
        }

        TracedModule last = root["last"];
        last.NodeTo("masks", "Conv", [x, last.Parameter("weight", 1 / Math.Sqrt(channels), 4, channels, 1, 1), last.Parameter("bias", 0.02, 4)], Attributes.Of("kernel_shape", [1L, 1]));
        graph.Output("masks", new(null, "batch_size"), Dimension.Of(4), Dimension.Of(224), Dimension.Of(224));
        graph.Write(path);
    }

    private static void ResNet(string path, int[] blocks, bool isDeep)
    {
        TracedGraph graph = Start(seed: isDeep ? 12 : 11, out string x);
        x = Convolution(graph.Root["stem"], x, 3, 64, 7, stride: 2);
        x = graph.Root["stem"].Node("MaxPool", [x], Attributes.Of("kernel_shape", [3L, 3]), Attributes.Of("strides", [2L, 2]), Attributes.Of("pads", [1L, 1, 1, 1]));
        int channels = 64;
        for (int stage = 0; stage < blocks.Length; stage++)
        {
            int width = 64 << stage, outputs = isDeep ? width * 4 : width;
            for (int i = 0; i < blocks[stage]; i++)
            {
                TracedModule block = graph.Root[$"layer{stage + 1}.{i}"];
                int stride = stage > 0 && i == 0 ? 2 : 1;
                string y = isDeep ? Convolution(block["conv1"], x, channels, width, 1) : x;
                y = Convolution(block["conv2"], y, isDeep ? width : channels, width, 3, stride);
                y = Convolution(block["conv3"], y, width, outputs, isDeep ? 1 : 3, isActive: false, scale: Branch);
                string shortcut = stride == 1 && channels == outputs ? x : Convolution(block["downsample"], x, channels, outputs, 1, stride, isActive: false);
                (x, channels) = (block.Node("Relu", [block.Add(y, shortcut)]), outputs);
            }
        }

        Classify(graph, x, channels);
        graph.Write(path);
    }

    private static TracedGraph Start(int seed, out string input, int size = 224)
    {
        var graph = new TracedGraph(opset: 17, seed);
        input = graph.Input("pixel_values", ElementType.Float, new(null, "batch_size"), Dimension.Of(3), Dimension.Of(size), Dimension.Of(size));
        return graph;
    }

    private static void Classify(TracedGraph graph, string x, int channels)
    {
        string pooled = graph.Root.Node("Flatten", [graph.Root["pool"].Node("GlobalAveragePool", [x])], Attributes.Of("axis", 1));
        TracedModule classifier = graph.Root["classifier"];
        string[] inputs = [pooled, classifier.Parameter("weight", 2 / Math.Sqrt(channels), Classes, channels), classifier.Parameter("bias", 0.02, Classes)];
        classifier.NodeTo("logits", "Gemm", inputs, Attributes.Of("alpha", 1f), Attributes.Of("beta", 1f), Attributes.Of("transB", 1));
        graph.Output("logits", new(null, "batch_size"), Dimension.Of(Classes));
    }

    private static string Twice(TracedModule module, string x, int inputs, int outputs) =>
        Convolution(module["second"], Convolution(module["first"], x, inputs, outputs, 3), outputs, outputs, 3);

    /// <summary>A convolution with PRelu, whose slopes lie around a quarter, as trained ones do.</summary>
    private static string Sloped(TracedModule module, string x, int inputs, int outputs, int kernel, int stride = 1, int group = 1)
    {
        var slopes = new Tensor(ElementType.Float, [outputs, 1, 1], module.Graph.Random.Even(outputs, 0.25).Bytes);
        return module["prelu"].Node("PRelu", [Convolution(module, x, inputs, outputs, kernel, stride, group, isActive: false, scale: 1.4), module["prelu"].Parameter("weight", slopes)]);
    }

    private static string Convolution(
        TracedModule module, string x, int inputs, int outputs, int kernel, int stride = 1, int group = 1, bool isActive = true, double limit = double.PositiveInfinity, double scale = 1)
    {
        double deviation = scale * Math.Sqrt((isActive ? 2.0 : 1.0) / (inputs / group * kernel * kernel));
        long[] Both(long value) => [value, value];
        string y = module.Node(
            "Conv",
            [x, module.Parameter("weight", deviation, outputs, inputs / group, kernel, kernel), module.Parameter("bias", 0.02, outputs)],
            Attributes.Of("dilations", Both(1)), Attributes.Of("group", group), Attributes.Of("kernel_shape", Both(kernel)), Attributes.Of("pads", [kernel / 2, kernel / 2, kernel / 2, (long)(kernel / 2)]), Attributes.Of("strides", Both(stride)));
        return !isActive ? y : double.IsInfinity(limit) ? module.Node("Relu", [y]) : module.Node("Clip", [y, module.Number(0), module.Number((float)limit)]);
    }
}
