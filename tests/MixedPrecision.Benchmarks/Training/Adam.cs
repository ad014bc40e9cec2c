namespace MixedPrecision.Benchmarks.Training;

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter), a warm-up and a cosine down to 0.</summary>
/// <param name="steps">Steps in all.</param>
/// <param name="rate">The largest step.</param>
internal sealed class Adam(int steps, double rate)
{
    private const float First = 0.9f, Second = 0.99f, Epsilon = 1e-7f, Decay = 0.02f;

    private const double WarmUp = 0.08;

    /// <summary>Changes values, and the running means of their gradients and of the squares of these.</summary>
    /// <param name="step">From 0.</param>
    public void Change(int step, Span<float> values, Span<float> means, Span<float> squares, ReadOnlySpan<float> gradient, bool decays)
    {
        double part = (step + 1.0) / steps;
        float now = (float)(rate * (part < WarmUp ? part / WarmUp : 0.5 * (1 + Math.Cos(Math.PI * (part - WarmUp) / (1 - WarmUp)))));
        float correctFirst = 1 - MathF.Pow(First, step + 1), correctSecond = 1 - MathF.Pow(Second, step + 1);
        for (int i = 0; i < values.Length; i++)
        {
            means[i] += (1 - First) * (gradient[i] - means[i]);
            squares[i] += (1 - Second) * ((gradient[i] * gradient[i]) - squares[i]);
            values[i] -= now * ((means[i] / correctFirst / (MathF.Sqrt(squares[i] / correctSecond) + Epsilon)) + (decays ? Decay * values[i] : 0));
        }
    }
}
