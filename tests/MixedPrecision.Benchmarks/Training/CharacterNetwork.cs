using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Training;

/// <summary>A convolution without a bias and the normalization of its channels.</summary>
/// <param name="Name">Of its parameters.</param>
/// <param name="Inputs">Channels read.</param>
/// <param name="Outputs">Channels given.</param>
internal sealed record NormalizedConvolution(string Name, int Inputs, int Outputs, int Kernel, int Stride);

/// <summary>
/// A residual network for pictures of characters: a stem, and five blocks of two convolutions of 3×3, of 64 channels on 16×16 places, then of 128 on 8×8, a mean over space and a layer of scores. It is written in two ways: for training, with parameters as inputs and
/// normalizations by the batch, and as exporters write one for use, with normalizations folded into the convolutions.
/// </summary>
internal static class CharacterNetwork
{
    public const string Image = "image", Label = "label", Scores = "logits", Loss = "loss";

    private const int Narrow = 64, Wide = 128;

    private const float Epsilon = 1e-5f;

    private const string WeightName = ".weight", ScaleName = ".scale", ShiftName = ".shift", MeanName = ".mean", VarianceName = ".variance", Classifier = "classifier";

    private static readonly NormalizedConvolution Stem = new("stem", 1, Narrow, 3, 2);

    /// <summary>First and second convolution of each block, and that of its shortcut, or null.</summary>
    private static readonly (NormalizedConvolution First, NormalizedConvolution Second, NormalizedConvolution? Shortcut)[] Blocks =
        [Block(1, Narrow, Narrow), Block(2, Narrow, Narrow), Block(3, Narrow, Wide), Block(4, Wide, Wide), Block(5, Wide, Wide)];

    public static IReadOnlyList<NormalizedConvolution> Convolutions { get; } =
        [Stem, .. Blocks.SelectMany(b => new[] { b.First, b.Second, b.Shortcut }).OfType<NormalizedConvolution>()];

    public static IReadOnlyList<Parameter> Parameters { get; } =
    [
        .. Convolutions.SelectMany(c => new[]
        {
            new Parameter(c.Name + WeightName, [c.Outputs, c.Inputs, c.Kernel, c.Kernel], 0, Math.Sqrt(2.0 / (c.Inputs * c.Kernel * c.Kernel))),

            // A block begins as its shortcut.
            new Parameter(c.Name + ScaleName, [c.Outputs, 1, 1], Blocks.Any(b => b.Second == c) ? 0 : 1, 0),
            new Parameter(c.Name + ShiftName, [c.Outputs, 1, 1], 0, 0),
        }),
        new(Classifier + WeightName, [Glyphs.Characters.Length, Wide], 0, 1 / Math.Sqrt(Wide)),
        new(Classifier + ShiftName, [Glyphs.Characters.Length], 0, 0),
    ];

    /// <summary>Means and variances of the channels over the batch, which the model for training computes.</summary>
    public static IReadOnlyList<string> Statistics { get; } = [.. Convolutions.SelectMany(c => new[] { c.Name + MeanName, c.Name + VarianceName })];

    /// <summary>Inputs: images [batch, 1, 32, 32], labels [batch], and the parameters. Outputs: the mean cross-entropy, and <see cref="Statistics"/>.</summary>
    public static ModelProto ForTraining(int batch)
    {
        var builder = new GraphBuilder([Image, Label, Loss, .. Parameters.Select(p => p.Name), .. Statistics]);
        string scores = Body(builder, (c, x) =>
        {
            string sums = builder.Node("Conv", [x, c.Name + WeightName], ConvolutionAttributes(c));
            string mean = builder.NodeTo([c.Name + MeanName], "ReduceMean", "", [sums, builder.Integers(0, 2, 3)], Attributes.Of("keepdims", 1))[0];
            string centred = builder.Sub(sums, mean);
            string variance = builder.NodeTo([c.Name + VarianceName], "ReduceMean", "", [builder.Square(centred), builder.Integers(0, 2, 3)], Attributes.Of("keepdims", 1))[0];
            string factor = builder.Div(c.Name + ScaleName, builder.Sqrt(builder.Add(variance, builder.Scalar(Epsilon))));
            return builder.Add(builder.Mul(centred, factor), c.Name + ShiftName);
        });
        builder.NodeTo([Loss], "SoftmaxCrossEntropyLoss", "", [Classify(builder, scores, null), Label]);
        var graph = new GraphProto { Name = "training" };
        graph.Input.Add(Type(ElementType.Float, batch, 1, CharacterPictures.Size, CharacterPictures.Size).ToProto(Image));
        graph.Input.Add(Type(ElementType.Int64, batch).ToProto(Label));
        graph.Input.AddRange(Parameters.Select(p => Type(ElementType.Float, p.Shape).ToProto(p.Name)));
        graph.Output.Add(Type(ElementType.Float).ToProto(Loss));
        graph.Output.AddRange(Convolutions.SelectMany(c => new[] { c.Name + MeanName, c.Name + VarianceName }.Select(s => Type(ElementType.Float, 1, c.Outputs, 1, 1).ToProto(s))));
        return TrainedModel.Of(builder, graph, opset: 18);
    }

    /// <summary>Input: images [batch, 1, 32, 32]; output: scores [batch, 36].</summary>
    /// <param name="values">Of parameters and statistics, by name.</param>
    public static ModelProto ForUse(IReadOnlyDictionary<string, float[]> values)
    {
        var builder = new GraphBuilder([Image, Scores]);
        string mean = Body(builder, (c, x) =>
        {
            float[] weight = [.. values[c.Name + WeightName]], scale = values[c.Name + ScaleName], shift = values[c.Name + ShiftName];
            float[] means = values[c.Name + MeanName], variances = values[c.Name + VarianceName];
            float[] factors = [.. scale.Zip(variances, (s, v) => s / MathF.Sqrt(v + Epsilon))], bias = [.. shift.Select((b, i) => b - (factors[i] * means[i]))];
            for (int i = 0; i < weight.Length; i++)
            {
                weight[i] *= factors[i / (weight.Length / c.Outputs)];
            }

            string[] inputs = [x, builder.Constant(Tensor.Of<float>(weight, c.Outputs, c.Inputs, c.Kernel, c.Kernel), c.Name + WeightName), builder.Constant(Tensor.Of<float>(bias, c.Outputs), c.Name + ".bias")];
            return builder.Node("Conv", inputs, ConvolutionAttributes(c));
        });
        Classify(builder, mean, values);
        var graph = new GraphProto { Name = "characters" };
        graph.Input.Add(new TensorType(ElementType.Float, [new(null, "batch"), .. new long[] { 1, CharacterPictures.Size, CharacterPictures.Size }.Select(Dimension.Of)]).ToProto(Image));
        graph.Output.Add(new TensorType(ElementType.Float, [new(null, "batch"), Dimension.Of(Glyphs.Characters.Length)]).ToProto(Scores));
        return TrainedModel.Of(builder, graph, opset: 17);
    }

    /// <summary>Up to the mean over space, [batch, 128].</summary>
    private static string Body(GraphBuilder builder, Func<NormalizedConvolution, string, string> convolve)
    {
        string Relu(string x) => builder.Node("Relu", [x]);
        string x = Relu(convolve(Stem, Image));
        foreach ((NormalizedConvolution first, NormalizedConvolution second, NormalizedConvolution? shortcut) in Blocks)
        {
            string y = convolve(second, Relu(convolve(first, x)));
            x = Relu(builder.Add(y, shortcut is null ? x : convolve(shortcut, x)));
        }

        return builder.Flatten(builder.Node("GlobalAveragePool", [x]), 1);
    }

    private static string Classify(GraphBuilder builder, string features, IReadOnlyDictionary<string, float[]>? values)
    {
        string weight = Classifier + WeightName, shift = Classifier + ShiftName;
        if (values is null)
        {
            return builder.Node("Gemm", [features, weight, shift], Attributes.Of("transB", 1));
        }

        weight = builder.Constant(Tensor.Of<float>(values[weight], Glyphs.Characters.Length, Wide), weight);
        shift = builder.Constant(Tensor.Of<float>(values[shift], Glyphs.Characters.Length), Classifier + ".bias");
        return builder.NodeTo([Scores], "Gemm", "", [features, weight, shift], Attributes.Of("transB", 1))[0];
    }

    private static (NormalizedConvolution, NormalizedConvolution, NormalizedConvolution?) Block(int number, int inputs, int outputs)
    {
        int stride = inputs == outputs ? 1 : 2;
        string name = $"block{number}.";
        return (
            new(name + "first", inputs, outputs, 3, stride), new(name + "second", outputs, outputs, 3, 1), inputs == outputs ? null : new(name + "shortcut", inputs, outputs, 1, stride));
    }

    private static AttributeProto[] ConvolutionAttributes(NormalizedConvolution c)
    {
        long pad = c.Kernel / 2;
        return [Attributes.Of("kernel_shape", [c.Kernel, (long)c.Kernel]), Attributes.Of("pads", [pad, pad, pad, pad]), Attributes.Of("strides", [c.Stride, (long)c.Stride])];
    }

    private static TensorType Type(int elementType, params long[] shape) => new(elementType, [.. shape.Select(Dimension.Of)]);
}
