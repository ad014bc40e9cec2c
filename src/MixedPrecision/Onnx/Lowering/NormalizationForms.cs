namespace MixedPrecision.Onnx.Lowering;

/// <summary>Normalizations written out. Shapes are taken as [batch, channels, rest], so that no rank has to be known.</summary>
internal static class NormalizationForms
{
    public static void InstanceNormalization(LoweringContext c)
    {
        string rows = c.B.Reshape0(c.X, 0, 0, -1);
        string normal = Normalize(c, rows, [-1], c.Node.Float("epsilon", 1e-5f));
        ScaleAndShift(c, normal);
    }

    /// <summary>Since 21: scale and bias per channel.</summary>
    public static void GroupNormalization(LoweringContext c)
    {
        string groups = c.B.Reshape0(c.X, 0, c.Node.Int("num_groups", 1), -1);
        string normal = Normalize(c, groups, [-1], c.Node.Float("epsilon", 1e-5f));
        string channels = c.B.Reshape(normal, c.B.Concat(0, c.B.Size(c.X, 0), c.B.Size(c.X, 1), c.B.Integers(-1)));
        ScaleAndShift(c, channels);
    }

    /// <summary>18 to 20: scale and bias per group.</summary>
    public static void GroupNormalizationPerGroup(LoweringContext c)
    {
        string groups = c.B.Reshape0(c.X, 0, c.Node.Int("num_groups", 1), -1);
        ScaleAndShift(c, Normalize(c, groups, [-1], c.Node.Float("epsilon", 1e-5f)));
    }

    /// <summary>Only when its mean or its inverse deviation is asked for, which the rule of the operator does not pass gradients through.</summary>
    public static void LayerNormalizationWithStatistics(LoweringContext c)
    {
        if (!c.HasOutput(1) && !c.HasOutput(2))
        {
            c.Keep();
            return;
        }

        long axis = c.Node.Int("axis", -1);
        int rank = c.Rank(c.X) ?? c.Rank(c.Input(1)) ?? 0;
        long[] axes = [.. Enumerable.Range(0, (int)(axis < 0 ? -axis : rank - axis)).Select(i => axis + i)];
        string mean = c.B.ReduceMean(c.X, axes, keepDimensions: true);
        string centred = c.B.Sub(c.X, mean);
        string inverse = InverseDeviation(c, centred, axes, c.Node.Float("epsilon", 1e-5f));
        string scaled = c.B.Mul(c.B.Mul(centred, inverse), c.Input(1));
        c.Return(c.HasInput(2) ? c.B.Add(scaled, c.Input(2)) : scaled);
        c.Return(mean, 1);
        c.Return(inverse, 2);
    }

    /// <summary>In training mode the batch's own statistics are used, and the running ones are moved towards them.</summary>
    public static void BatchNormalizationInTraining(LoweringContext c)
    {
        if (c.Node.Int("training_mode", 0) == 0)
        {
            c.Keep();
            return;
        }

        string rows = c.B.Reshape0(c.X, 0, 0, -1);
        string mean = c.B.ReduceMean(rows, [0, 2], keepDimensions: true);
        string centred = c.B.Sub(rows, mean);
        string variance = c.B.ReduceMean(c.B.Square(centred), [0, 2], keepDimensions: true);
        string inverse = c.B.Reciprocal(c.B.Sqrt(c.B.Add(variance, c.Scalar(c.Node.Float("epsilon", 1e-5f)))));
        ScaleAndShift(c, c.B.Mul(centred, inverse));
        float momentum = c.Node.Float("momentum", 0.9f);
        string Moved(string running, string current) =>
            c.B.Add(c.B.Mul(running, c.Scalar(momentum)), c.B.Mul(c.B.Vector(current), c.Scalar(1 - momentum)));
        c.Return(Moved(c.Input(3), mean), 1);
        c.Return(Moved(c.Input(4), variance), 2);
    }

    /// <summary>(x − mean)/√(var + 1e-9) over the axes given.</summary>
    public static void MeanVarianceNormalization(LoweringContext c) =>
        c.Return(Normalize(c, c.X, c.Node.Ints("axes") ?? [0, 2, 3], 1e-9));

    /// <summary>x/‖x‖ along an axis, p 1 or 2; zero where the norm is.</summary>
    public static void LpNormalization(LoweringContext c)
    {
        string operatorType = c.Node.Int("p", 2) == 1 ? "ReduceL1" : "ReduceL2";
        string norm = c.B.Node(operatorType, [c.X, c.B.Integers(c.Node.Int("axis", -1))], Attributes.Of("keepdims", 1));
        c.ReturnNode("Div", [c.X, c.B.Where(c.B.Equal(norm, c.Scalar(0)), c.Scalar(1), norm)]);
    }

    /// <summary>x/(bias + α/size·Σx²)^β, the sum over a window of neighbouring channels.</summary>
    public static void LocalResponseNormalization(LoweringContext c)
    {
        GraphBuilder b = c.B;
        long size = c.Node.Int("size", 1);
        string pads = b.Integers((size - 1) / 2, size / 2);
        string squares = c.Rank(c.X) is int rank ? b.Pad(b.Square(c.X), b.PadsOfAll(pads, [1], rank)) : b.Pad(b.Square(c.X), pads, b.Integers(1));
        string width = b.Size(c.X, 1);
        string sum = b.Sum([.. Enumerable.Range(0, (int)size).Select(offset =>
            b.Node("Slice", [squares, b.Integers(offset), b.Add(width, b.Integers(offset)), b.Integers(1)]))]);
        double alpha = c.Node.Float("alpha", 1e-4f);
        string scale = b.Add(b.Mul(sum, c.Scalar(alpha / size)), c.Scalar(c.Node.Float("bias", 1)));
        c.ReturnNode("Mul", [c.X, b.Pow(scale, c.Scalar(-c.Node.Float("beta", 0.75f)))]);
    }

    private static string Normalize(LoweringContext c, string x, long[] axes, double epsilon)
    {
        string centred = c.B.Sub(x, c.B.ReduceMean(x, axes, keepDimensions: true));
        return c.B.Mul(centred, InverseDeviation(c, centred, axes, epsilon));
    }

    private static string InverseDeviation(LoweringContext c, string centred, long[] axes, double epsilon) =>
        c.B.Reciprocal(c.B.Sqrt(c.B.Add(c.B.ReduceMean(c.B.Square(centred), axes, keepDimensions: true), c.Scalar(epsilon))));

    /// <summary>Scale and bias along the second axis of three, then back to the input's shape.</summary>
    private static void ScaleAndShift(LoweringContext c, string normal)
    {
        string Column(int input) => c.B.Unsqueeze(c.Input(input), -1);
        string result = c.B.Add(c.B.Mul(normal, Column(1)), Column(2));
        c.ReturnNode("Reshape", [result, c.B.Shape(c.X)]);
    }
}
