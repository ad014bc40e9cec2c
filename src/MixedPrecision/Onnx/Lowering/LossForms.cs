namespace MixedPrecision.Onnx.Lowering;

/// <summary>Losses of ONNX. Classes lie along axis 1; labels have all other axes.</summary>
internal static class LossForms
{
    /// <summary>Inputs: log-probabilities, labels, weights of the classes.</summary>
    public static void NegativeLogLikelihood(LoweringContext c) => Likelihood(c, c.X);

    /// <summary>Inputs: scores, labels, weights of the classes; the second output are the log-probabilities.</summary>
    public static void SoftmaxCrossEntropy(LoweringContext c)
    {
        string logarithms = c.B.Node("LogSoftmax", [c.X], Attributes.Of("axis", 1));
        Likelihood(c, logarithms);
        c.Return(logarithms, 1);
    }

    /// <summary>A label that is ignored has no weight; the mean is that by weights.</summary>
    private static void Likelihood(LoweringContext c, string logarithms)
    {
        GraphBuilder b = c.B;
        string labels = b.Cast(c.Input(1), ElementType.Int64);
        string? counted = null;
        if (c.Node.Attribute("ignore_index") is { } ignored)
        {
            string number = b.Scalar(ignored.I, ElementType.Int64);
            counted = b.Not(b.Equal(labels, number));
            labels = b.Where(counted, labels, b.Scalar(0, ElementType.Int64));
        }

        string losses = b.Neg(b.Squeeze(b.GatherElements(logarithms, b.Unsqueeze(labels, 1), 1), 1));
        string? weights = c.HasInput(2) ? b.Gather(c.Input(2), labels, 0) : null;
        if (counted is not null)
        {
            weights = b.Where(counted, weights ?? c.Scalar(1), c.Scalar(0));
        }

        losses = weights is null ? losses : b.Mul(losses, weights);
        string reduction = c.Node.Text("reduction", "mean");
        c.Return(reduction == "none" ? losses
            : reduction == "sum" ? b.ReduceSum(losses)
            : weights is null ? b.ReduceMean(losses)
            : b.Div(b.ReduceSum(losses), b.ReduceSum(weights)));
    }
}
