namespace MixedPrecision.Onnx.Lowering;

/// <summary>Fused operators and functions of ONNX, written out in primitive operators.</summary>
internal static class Expansions
{
    public static readonly IReadOnlyDictionary<string, NodeRewrite> Table = Rows();

    private static Dictionary<string, NodeRewrite> Rows() => new()
    {
        ["Dropout"] = DropoutWithMask,
        ["Unique"] = UniqueWithIndices,
        ["com.microsoft.Gelu"] = MicrosoftForms.Gelu,
        ["com.microsoft.BiasGelu"] = MicrosoftForms.BiasGelu,
        ["com.microsoft.FastGelu"] = MicrosoftForms.FastGelu,
        ["com.microsoft.QuickGelu"] = MicrosoftForms.QuickGelu,
        ["com.microsoft.FusedMatMul"] = MicrosoftForms.FusedMatMul,
        ["com.microsoft.FusedGemm"] = MicrosoftForms.FusedGemm,
        ["com.microsoft.FusedConv"] = MicrosoftForms.FusedConv,
        ["com.microsoft.SkipLayerNormalization"] = MicrosoftForms.SkipLayerNormalization,
        ["com.microsoft.SkipSimplifiedLayerNormalization"] = MicrosoftForms.SkipSimplifiedLayerNormalization,
        ["com.microsoft.EmbedLayerNormalization"] = MicrosoftForms.EmbedLayerNormalization,
        ["com.microsoft.Attention"] = MicrosoftAttention.Attention,
        ["com.microsoft.MultiHeadAttention"] = MicrosoftAttention.MultiHeadAttention,
        ["com.microsoft.GroupQueryAttention"] = GroupQueryAttention.Rewrite,
        ["com.microsoft.RotaryEmbedding"] = RotaryForms.MicrosoftRotaryEmbedding,
        ["Attention"] = AttentionForms.Attention,
        ["RotaryEmbedding"] = RotaryForms.RotaryEmbedding,
        ["Swish"] = MicrosoftForms.Swish,
        ["NegativeLogLikelihoodLoss"] = LossForms.NegativeLogLikelihood,
        ["SoftmaxCrossEntropyLoss"] = LossForms.SoftmaxCrossEntropy,
        ["DFT"] = FourierForms.Transform,
        ["STFT"] = FourierForms.ShortTimeTransform,
        ["GridSample"] = SamplingForms.GridSample,
        ["RoiAlign"] = RegionForms.RoiAlign,
        ["Det"] = GeometryForms.Determinant,
        ["CenterCropPad"] = GeometryForms.CenterCropPad,
        ["AffineGrid"] = GeometryForms.AffineGrid,
        ["Resize"] = ResizeForms.WithoutPolicy,
        ["SequenceAt"] = SequenceForms.At,
        ["ConcatFromSequence"] = SequenceForms.Joined,
        ["Loop"] = LoopUnrolling.Loop,
        ["LSTM"] = Recurrent.LongShortTermMemory,
        ["GRU"] = Recurrent.GatedUnit,
        ["RNN"] = Recurrent.Plain,
        ["Conv"] = ExplicitPads.Convolution,
        ["ConvTranspose"] = ExplicitPads.ConvolutionTransposed,
        ["MaxPool"] = ExplicitPads.MaxPool,
        ["AveragePool"] = ExplicitPads.AveragePool,
        ["LpPool"] = ExplicitPads.LpPool,
        ["InstanceNormalization"] = NormalizationForms.InstanceNormalization,
        ["GroupNormalization"] = NormalizationForms.GroupNormalization,
        ["LayerNormalization"] = NormalizationForms.LayerNormalizationWithStatistics,
        ["BatchNormalization"] = NormalizationForms.BatchNormalizationInTraining,
        ["MeanVarianceNormalization"] = NormalizationForms.MeanVarianceNormalization,
        ["LpNormalization"] = NormalizationForms.LpNormalization,
        ["LRN"] = NormalizationForms.LocalResponseNormalization,
    };

    /// <summary>The gradient of training mode reads the mask: asks for it where the model does not.</summary>
    private static void DropoutWithMask(LoweringContext c)
    {
        if (c.HasInput(2))
        {
            WithSecondOutput(c, "mask");
        }

        c.Keep();
    }

    /// <summary>The gradient goes to where the elements first stood.</summary>
    private static void UniqueWithIndices(LoweringContext c)
    {
        WithSecondOutput(c, "indices");
        c.Keep();
    }

    private static void WithSecondOutput(LoweringContext c, string hint)
    {
        if (!c.HasOutput(1))
        {
            string[] outputs = [.. c.Node.Output];
            c.Node.Output.Clear();
            c.Node.Output.AddRange([outputs[0].Length > 0 ? outputs[0] : c.B.Fresh("values"), c.B.Fresh(hint), .. outputs.Skip(2)]);
        }
    }
}
