using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>
/// What the numbers of an output are by their values, where the end of the graph does not tell: rows from 0 to 1 that sum to 1 on every sample are probabilities,
/// by whatever operators they were made. Scores are like that on no sample but by chance.
/// </summary>
internal static class ObservedScores
{
    /// <summary>How far a sum may be from 1: far more than rounding to float makes of a softmax over any vocabulary, far less than scores come close by chance.</summary>
    private const double Tolerance = 2e-3;

    /// <summary>The same for half precision, with which models may also compute what they give as float.</summary>
    private const double HalfTolerance = 1e-2;

    /// <summary>The axes that classes may lie along (the last, and the second of more than two) on which every row is a distribution.</summary>
    /// <param name="output">A floating tensor.</param>
    public static IEnumerable<int> Axes(Tensor output)
    {
        double tolerance = HalfPrecision.IsHalf(output.ElementType) ? HalfTolerance : Tolerance;
        int last = output.Rank - 1;
        int[] candidates = last < 0 || output.Count == 0 ? [] : last > 1 ? [last, 1] : [last];
        return candidates.Where(axis => output.Shape[axis] > 1 && AreDistributions(new ScoreRows(output, axis), tolerance));
    }

    /// <summary>
    /// Whether an output is a product with a constant that has a negative value, and what is added to it: such an output is one of scores, which need not be looked at.
    /// </summary>
    public static bool IsLinear(OnnxModel model, string output)
    {
        var makers = model.Graph.Node.SelectMany(n => n.Output.Select(o => (o, n))).Where(p => p.o.Length > 0).DistinctBy(p => p.o).ToDictionary(p => p.o, p => p.n);
        while (makers.TryGetValue(output, out NodeProto? node))
        {
            if (node.OpType is "MatMul" or "Gemm" or "Conv" && node.Input.Count > 1)
            {
                return model.Initializers.TryGetValue(node.Input[1], out TensorProto? weight) && weight.DataType == ElementType.Float
                    && TensorProtos.Read(weight, model.External).Values<float>().ContainsAnyInRange(float.NegativeInfinity, -float.Epsilon);
            }

            string? next = node.OpType is "Add" or "Sub" ? node.Input.FirstOrDefault(i => !model.Initializers.ContainsKey(i)) : Scores.Passes(node) ? node.Input[0] : null;
            if (next is null || (node.OpType is "Add" or "Sub" && node.Input.Count(i => !model.Initializers.ContainsKey(i)) > 1))
            {
                return false;
            }

            output = next;
        }

        return false;
    }

    private static bool AreDistributions(ScoreRows rows, double tolerance)
    {
        var buffer = new float[rows.Classes];
        for (int row = 0; row < rows.Count; row++)
        {
            double sum = 0;
            foreach (float value in rows.Read(row, buffer))
            {
                // Written so that NaN is refused.
                if (!(value >= 0 && value <= 1 + tolerance))
                {
                    return false;
                }

                sum += value;
            }

            if (Math.Abs(sum - 1) > tolerance)
            {
                return false;
            }
        }

        return true;
    }
}
