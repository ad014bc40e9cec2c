using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>Weights drawn from a seed: normal, so that they have the tails of trained ones, and with some channels that stand out, as activations of trained models have.</summary>
internal sealed class RandomWeights(int seed)
{
    /// <summary>One channel in so many stands out.</summary>
    private const int ChannelsToOutlier = 128;

    private const float Outlier = 3;

    private readonly Random random = new(seed);

    /// <summary>Normal values around zero, handed on in pieces.</summary>
    public void Draw(long count, double deviation, Action<ReadOnlySpan<float>> piece)
    {
        var values = new float[Math.Min(count, 1 << 20)];
        for (long left = count; left > 0; left -= values.Length)
        {
            Span<float> part = values.AsSpan(0, (int)Math.Min(left, values.Length));
            foreach (ref float value in part)
            {
                value = (float)(Normal() * deviation);
            }

            piece(part);
        }
    }

    /// <summary>Factors of a norm's channels: around 1, a few of them three times as large.</summary>
    public Tensor Gains(int channels)
    {
        float[] values = [.. Enumerable.Range(0, channels).Select(_ => (float)(1 + (0.2 * Normal())) * (random.Next(ChannelsToOutlier) == 0 ? Outlier : 1))];
        return Tensor.Of<float>(values, channels);
    }

    /// <summary>Factors of a norm's channels around a mean, of which none stands out.</summary>
    public Tensor Even(int channels, double mean)
    {
        float[] values = [.. Enumerable.Range(0, channels).Select(_ => (float)(mean * (1 + (0.2 * Normal()))))];
        return Tensor.Of<float>(values, channels);
    }

    /// <summary>Box and Muller's method.</summary>
    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
