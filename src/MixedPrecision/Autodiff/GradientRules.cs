using MixedPrecision.Autodiff.Rules;
using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff;

/// <summary>A row of the table of gradients.</summary>
/// <param name="Rule">How the gradient passes; null when it is zero by the nature of the operator.</param>
/// <param name="Broadcasts">Whether inputs are broadcast against each other, so that the walker sums the gradients to their shapes.</param>
/// <param name="Covers">Whether the rule knows the form that a node has; null when it knows all.</param>
public sealed record GradientRow(GradientRule? Rule, bool Broadcasts = false, Func<NodeProto, bool>? Covers = null);

/// <summary>
/// The table of gradients: one row per operator, in its form of opset 21 or later, to which <see cref="Onnx.Lowering.GraphLowering"/> brings a model.
/// Operators without a row cannot be passed by a gradient.
/// </summary>
public static class GradientRules
{
    public static readonly IReadOnlyDictionary<string, GradientRow> Table = Rows();

    /// <summary>Whether no gradient passes this operator by its nature, so that a path to the loss ends there without an error.</summary>
    public static bool IsZero(NodeProto node) => Of(node) is { Rule: null };

    /// <summary>The row of a node's operator, or null when there is none for it or for the form that the node has.</summary>
    public static GradientRow? Of(NodeProto node) =>
        Table.TryGetValue(node.Operator(), out GradientRow? row) && row.Covers?.Invoke(node) != false ? row : null;

    private static Dictionary<string, GradientRow> Rows()
    {
        var rows = new Dictionary<string, GradientRow>();
        void Row(string operators, GradientRule rule)
        {
            foreach (string name in operators.Split(' '))
            {
                rows.Add(name, new GradientRow(rule));
            }
        }

        void Broadcast(string operators, GradientRule rule)
        {
            foreach (string name in operators.Split(' '))
            {
                rows.Add(name, new GradientRow(rule, Broadcasts: true));
            }
        }

        void Partly(string name, GradientRule rule, Func<NodeProto, bool> covers) => rows.Add(name, new GradientRow(rule, Covers: covers));

        void Zero(string operators)
        {
            foreach (string name in operators.Split(' '))
            {
                rows.Add(name, new GradientRow(null));
            }
        }

        Broadcast("Add", Arithmetic.Add);
        Broadcast("Sub", Arithmetic.Sub);
        Broadcast("Mul", Arithmetic.Mul);
        Broadcast("Div", Arithmetic.Div);
        Broadcast("Mod", Arithmetic.Mod);
        Broadcast("Pow", Arithmetic.Pow);
        Broadcast("Sum", Arithmetic.Sum);
        Broadcast("Mean", Arithmetic.Mean);
        Broadcast("Max Min", Arithmetic.Extremum);
        Broadcast("Where", Arithmetic.Where);

        Row("Abs", Elementwise.Abs);
        Row("Neg", Elementwise.Neg);
        Row("Sqrt", Elementwise.Sqrt);
        Row("Reciprocal", Elementwise.Reciprocal);
        Row("Exp", Elementwise.Exp);
        Row("Log", Elementwise.Log);
        Row("Erf", Elementwise.Erf);
        Row("Sin", Elementwise.Sin);
        Row("Cos", Elementwise.Cos);
        Row("Tan", Elementwise.Tan);
        Row("Asin", Elementwise.Asin);
        Row("Acos", Elementwise.Acos);
        Row("Atan", Elementwise.Atan);
        Row("Sinh", Elementwise.Sinh);
        Row("Cosh", Elementwise.Cosh);
        Row("Asinh", Elementwise.Asinh);
        Row("Acosh", Elementwise.Acosh);
        Row("Atanh", Elementwise.Atanh);
        Row("Tanh", Elementwise.Tanh);
        Row("Sigmoid", Elementwise.Sigmoid);
        Row("Identity", Elementwise.Identity);
        Row("Cast", Elementwise.Cast);
        Row("CastLike", Elementwise.CastLike);
        Row("Dropout", Elementwise.Dropout);

        Row("Relu", Activations.Relu);
        Row("LeakyRelu", Activations.LeakyRelu);
        Broadcast("PRelu", Activations.PRelu);
        Row("Elu", Activations.Elu);
        Row("Celu", Activations.Celu);
        Row("Selu", Activations.Selu);
        Row("HardSigmoid", Activations.HardSigmoid);
        Row("HardSwish", Activations.HardSwish);
        Row("Mish", Activations.Mish);
        Row("Softplus", Activations.Softplus);
        Row("Softsign", Activations.Softsign);
        Row("ThresholdedRelu", Activations.ThresholdedRelu);
        Row("Shrink", Activations.Shrink);
        Row("Gelu", Activations.Gelu);
        Row("Clip", Activations.Clip);

        Row("MatMul", MatrixProducts.MatMul);
        Row("Gemm", MatrixProducts.Gemm);
        Row("Einsum", EinsteinSum.Einsum);

        Row("Conv", Convolutions.Conv);
        Row("ConvTranspose", Convolutions.ConvTranspose);
        Row("MaxPool", Pooling.MaxPool);
        Row("AveragePool", Pooling.AveragePool);
        Row("LpPool", Pooling.LpPool);
        Row("GlobalAveragePool", Pooling.GlobalAveragePool);
        Row("GlobalMaxPool", Pooling.GlobalMaxPool);
        Row("GlobalLpPool", Pooling.GlobalLpPool);
        Row("MaxUnpool", Pooling.MaxUnpool);
        Partly("Resize", Resizing.Resize, Resizing.Covers);
        Row("Col2Im", Columns.Col2Im);

        Row("ReduceSum", Reductions.Sum);
        Row("ReduceMean", Reductions.Mean);
        Row("ReduceMax ReduceMin", Reductions.Extremum);
        Row("ReduceProd", Reductions.Product);
        Row("ReduceL1", Reductions.L1);
        Row("ReduceL2", Reductions.L2);
        Row("ReduceLogSum", Reductions.LogSum);
        Row("ReduceLogSumExp", Reductions.LogSumExp);
        Row("ReduceSumSquare", Reductions.SumSquare);

        Row("Reshape Flatten Squeeze Unsqueeze", Shaping.Reshape);
        Row("Transpose", Shaping.Transpose);
        Row("Expand", Shaping.Expand);
        Row("Concat", Shaping.Concat);
        Row("Split", Shaping.Split);
        Row("Tile", Shaping.Tile);
        Row("DepthToSpace", Shaping.DepthToSpace);
        Row("SpaceToDepth", Shaping.SpaceToDepth);
        Row("Pad", Shaping.Pad);
        Row("Trilu", Shaping.Trilu);
        Row("CumSum", Shaping.CumSum);
        Row("ReverseSequence", Shaping.ReverseSequence);

        Row("Gather", Indexing.Gather);
        Row("GatherElements", Indexing.GatherElements);
        Row("GatherND", Indexing.GatherSlices);
        Row("ScatterElements", Indexing.ScatterElements);
        Row("ScatterND", Indexing.ScatterSlices);
        Row("Slice", Indexing.Slice);
        Row("TopK", Indexing.TopK);
        Row("Compress", Indexing.ByGrid);
        Row("Unique", Indexing.Unique);
        Row("OneHot", Indexing.OneHot);
        Row("Range", Indexing.Range);

        Row("Softmax", Normalizations.Softmax);
        Row("LogSoftmax", Normalizations.LogSoftmax);
        Row("LayerNormalization", Normalizations.LayerNormalization);
        Row("BatchNormalization", Normalizations.BatchNormalization);
        Row("RMSNormalization SimplifiedLayerNormalization", Normalizations.RootMeanSquareNormalization);

        Row("DequantizeLinear", Quantized.Dequantize);
        Row("DynamicQuantizeLinear", Quantized.DynamicQuantize);
        Partly("com.microsoft.MatMulNBits", QuantizedProducts.Product, QuantizedProducts.Covers);

        Row("If", ControlFlow.If);
        Row("Scan", ControlFlow.Scan);
        Partly("Loop", Loops.Loop, Loops.Covers);

        Zero("Constant ConstantOfShape Shape Size EyeLike NonZero NonMaxSuppression");
        Zero("Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor Not IsNaN IsInf");
        Zero("BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot");
        Zero("ArgMax ArgMin Hardmax Sign Floor Ceil Round");
        Zero("RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial");
        Zero("QuantizeLinear MatMulInteger ConvInteger QLinearMatMul QLinearConv");
        Zero("StringNormalizer TfIdfVectorizer StringConcat StringSplit RegexFullMatch");
        Zero("HannWindow HammingWindow BlackmanWindow MelWeightMatrix");
        return rows;
    }
}
