using System.Text.RegularExpressions;
using MixedPrecision.Autodiff;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>Each operator of ONNX has a rule, is written in others that have, has no gradient by nature, or is named in the documentation as one without.</summary>
public partial class OperatorCoverageTests
{
    /// <summary>The operators of ai.onnx, versions 1 to 24.</summary>
    private const string All =
        """
        Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization Bernoulli BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
        BlackmanWindow Cast CastLike Ceil Celu CenterCropPad Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum DFT
        DeformConv DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm
        GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder
        InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool
        MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional
        OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN RandomNormal RandomNormalLike RandomUniform
        RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu
        Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty SequenceErase
        SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split
        SplitToSequence Sqrt Squeeze StringConcat StringNormalizer StringSplit Sub Sum Swish Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu
        Unique Unsqueeze Upsample Where Xor
        """;

    [Fact]
    public void EveryOperatorIsAccountedFor()
    {
        HashSet<string> documented = [.. WithoutRule()];
        string[] all = All.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
        static bool IsKnown(string name) => GradientRules.Table.ContainsKey(name) || Expansions.Table.ContainsKey(name) || Upgrades.Table.ContainsKey(name);

        // These have no rule of their own, and are written out where they can be.
        string[] partly = ["Loop", "SequenceAt", "ConcatFromSequence"];
        string[] unaccounted = [.. all.Where(name => !IsKnown(name) && !documented.Contains(name))];
        string[] wrong = [.. documented.Where(name => !partly.Contains(name) && IsKnown(name)), .. documented.Except(all)];
        Assert.Empty(unaccounted);
        Assert.Empty(wrong);
    }

    private static IEnumerable<string> WithoutRule()
    {
        string page = File.ReadAllText(RepositoryRoot.Path("build/docs/how-it-works.md"));
        string line = page.Split('\n').Single(l => l.StartsWith("Without a rule:", StringComparison.Ordinal));
        return Quoted().Matches(line).Select(m => m.Groups[1].Value);
    }

    [GeneratedRegex("`([A-Za-z0-9]+)`")]
    private static partial Regex Quoted();
}
