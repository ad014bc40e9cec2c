namespace MixedPrecision.Losses;

/// <summary>Mean negative log-likelihood of labels 0 and 1 that are independent of each other, one an element: binary cross-entropy.</summary>
internal static class Independent
{
    /// <summary>The mean over elements whose label is not below 0; adds factor times its gradient.</summary>
    /// <param name="scores">Logits or probabilities.</param>
    /// <param name="labels">0, 1, or below 0 for an element that does not count.</param>
    /// <param name="gradient">Of the output's size, or empty: none is wanted.</param>
    public static double Accumulate(ReadOnlySpan<float> scores, bool areProbabilities, ReadOnlySpan<long> labels, double factor, Span<float> gradient)
    {
        double each = factor / Labels.Counted(labels), sum = 0;
        int terms = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] < 0)
            {
                continue;
            }

            terms++;
            double score = scores[i], slope;
            if (areProbabilities)
            {
                double likelihood = (labels[i] == 1 ? score : 1 - score) + Categorical.Epsilon;
                sum -= Math.Log(likelihood);
                slope = (labels[i] == 1 ? -1 : 1) / likelihood;
            }
            else
            {
                sum += Math.Max(score, 0) - (score * labels[i]) + Math.Log(1 + Math.Exp(-Math.Abs(score)));
                slope = Sigmoid(score) - labels[i];
            }

            if (gradient.Length > 0)
            {
                gradient[i] += (float)(each * slope);
            }
        }

        return sum / terms;
    }

    /// <summary>A label for every element that counts, drawn from the model's own distribution.</summary>
    public static long[] Draw(ReadOnlySpan<float> scores, bool areProbabilities, ReadOnlySpan<long> labels, Random random)
    {
        long[] drawn = labels.ToArray();
        for (int i = 0; i < drawn.Length; i++)
        {
            if (drawn[i] >= 0)
            {
                drawn[i] = random.NextDouble() < (areProbabilities ? scores[i] : Sigmoid(scores[i])) ? 1 : 0;
            }
        }

        return drawn;
    }

    /// <summary>The likelier label of each element.</summary>
    public static long[] Predict(ReadOnlySpan<float> scores, bool areProbabilities)
    {
        var predicted = new long[scores.Length];
        for (int i = 0; i < predicted.Length; i++)
        {
            predicted[i] = scores[i] > (areProbabilities ? 0.5f : 0) ? 1 : 0;
        }

        return predicted;
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
