using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Losses;

/// <summary>Mean negative log-likelihood of one label a row, its gradient, and labels drawn from the model.</summary>
internal static class Categorical
{
    /// <summary>Keeps the logarithm of a probability of 0 finite.</summary>
    public const float Epsilon = 1e-12f;

    /// <summary>The mean over rows whose label is not below 0 of −log p(label); adds factor times its gradient.</summary>
    /// <param name="gradient">Of the output's size, or empty: none is wanted.</param>
    public static double Accumulate(ScoreRows rows, ScoreKind kind, ReadOnlySpan<long> labels, double factor, Span<float> gradient)
    {
        int terms = Labels.Counted(labels);
        float each = (float)(factor / terms);
        float[] buffer = new float[rows.Classes], exponentials = new float[rows.Classes];
        double sum = 0;
        for (int row = 0; row < labels.Length; row++)
        {
            if (labels[row] < 0)
            {
                continue;
            }

            int label = (int)labels[row];
            ReadOnlySpan<float> scores = rows.Read(row, buffer);
            switch (kind)
            {
                case ScoreKind.Probabilities:
                    sum -= Math.Log(scores[label] + Epsilon);
                    if (gradient.Length > 0)
                        rows.Add(row, label, -each / (scores[label] + Epsilon), gradient);
                    break;
                case ScoreKind.LogProbabilities:
                    sum -= scores[label];
                    if (gradient.Length > 0)
                        rows.Add(row, label, -each, gradient);
                    break;
                default:
                    float greatest = TensorPrimitives.Max(scores);
                    double total = Exponentials(scores, greatest, exponentials);
                    sum += Math.Log(total) + greatest - scores[label];
                    if (gradient.Length > 0)
                    {
                        rows.Add(row, exponentials, (float)(each / total), gradient);
                        rows.Add(row, label, -each, gradient);
                    }

                    break;
            }
        }

        return sum / terms;
    }

    /// <summary>A label for every row that counts, drawn from the model's own distribution.</summary>
    public static long[] Draw(ScoreRows rows, ScoreKind kind, ReadOnlySpan<long> labels, Random random)
    {
        float[] buffer = new float[rows.Classes], probabilities = new float[rows.Classes];
        long[] drawn = labels.ToArray();
        for (int row = 0; row < drawn.Length; row++)
        {
            if (drawn[row] < 0)
            {
                continue;
            }

            ReadOnlySpan<float> scores = rows.Read(row, buffer);
            double total;
            if (kind == ScoreKind.Probabilities)
            {
                scores.CopyTo(probabilities);
                total = Floats.Sum(probabilities);
            }
            else
            {
                total = Exponentials(scores, TensorPrimitives.Max(scores), probabilities);
            }

            double left = random.NextDouble() * total;
            int label = 0;
            while (label < rows.Classes - 1 && (left -= probabilities[label]) >= 0)
            {
                label++;
            }

            drawn[row] = label;
        }

        return drawn;
    }

    /// <summary>The class of the largest score of each row.</summary>
    public static long[] Predict(ScoreRows rows)
    {
        var buffer = new float[rows.Classes];
        var predicted = new long[rows.Count];
        for (int row = 0; row < predicted.Length; row++)
        {
            predicted[row] = TensorPrimitives.IndexOfMax(rows.Read(row, buffer));
        }

        return predicted;
    }

    /// <summary>exp(score − greatest) of each score; returns their sum.</summary>
    private static double Exponentials(ReadOnlySpan<float> scores, float greatest, Span<float> exponentials)
    {
        TensorPrimitives.Subtract(scores, greatest, exponentials);
        TensorPrimitives.Exp(exponentials, exponentials);
        return Floats.Sum(exponentials);
    }
}
