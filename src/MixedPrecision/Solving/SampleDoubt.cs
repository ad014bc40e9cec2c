namespace MixedPrecision.Solving;

/// <summary>
/// What the choice of calibration samples leaves in doubt, as the program counts it. P(x) over E[g²] is a ratio of two means over samples; with n of them, the mean of bₛ(x) = aₛ(x) − B·g²ₛ/E[g²], of which aₛ is what a sample
/// adds to P and B the budget, is known up to its standard error. The program takes z standard errors of it on top:
/// F(x) = P(x) + z·σ(b(x))/√n ≤ B. That is the greatest mean over weights of the samples that lie near to equal ones, Σ(n wₛ − 1)² ≤ z²: of weights that are none below 0 each gives a convex quadratic, so F is convex too, and tangents at the weights of a plan are
/// tangents of F (Duchi and Namkoong 2019, "Variance-based regularization with convex objectives", section 2).
/// </summary>
/// <param name="Deviations">z: standard errors that are added; above 0.</param>
/// <param name="SquareLosses">g² of each sample, at least 0, not all 0.</param>
public sealed record SampleDoubt(double Deviations, double[] SquareLosses)
{
    /// <summary>The weights, times n, under which the mean of the values is greatest.</summary>
    /// <param name="values">One a sample; two or more.</param>
    /// <param name="deviations">z.</param>
    internal static double[] Worst(double[] values, double deviations)
    {
        int count = values.Length;
        double[] weights = new double[count];
        int[] order = [.. Enumerable.Range(0, count).OrderBy(i => values[i])];

        // Those of least value have no weight: as few of them as leave the others above 0. The others share it, the more the greater they are.
        for (int without = 0; without < count; without++)
        {
            int[] rest = order[without..];
            double mean = rest.Average(i => values[i]), spread = rest.Sum(i => (values[i] - mean) * (values[i] - mean)), share = (double)count / rest.Length;
            double left = (deviations * deviations) - without - (rest.Length * (share - 1) * (share - 1));
            double slope = spread > 0 && left > 0 ? Math.Sqrt(left / spread) : 0;
            if (share + (slope * (values[rest[0]] - mean)) < 0)
            {
                continue;
            }

            foreach (int i in rest)
            {
                weights[i] = share + (slope * (values[i] - mean));
            }

            break;
        }

        return weights;
    }

    /// <summary>z of a one-sided level of 0.5 to 1: below it lies that share of a normal distribution. To 0.0005 (Abramowitz and Stegun 1964, formula 26.2.23); 0 at 0.5.</summary>
    public static double DeviationsOf(double level)
    {
        if (level <= 0.5)
        {
            return 0;
        }

        double t = Math.Sqrt(-2 * Math.Log(1 - level));
        return t - ((2.515517 + (t * (0.802853 + (t * 0.010328)))) / (1 + (t * (1.432788 + (t * (0.189269 + (t * 0.001308)))))));
    }
}
