using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;

namespace MixedPrecision.Verification;

/// <summary>How far one output lies apart between two ways to run a model, or two models.</summary>
/// <param name="Output">Name of the output.</param>
/// <param name="IsFloating">Whether its elements are floating numbers.</param>
/// <param name="Difference">
/// Over all samples compared: the root mean square of the difference relative to that of the first way; for integers and truth values the root of the share of elements that
/// differ. Infinite where one has a number and the other has none.
/// </param>
/// <param name="Elements">Elements compared.</param>
/// <param name="NotCompared">Why some samples could not be compared, such as a size that changes; null when all could.</param>
public sealed record OutputDifference(string Output, bool IsFloating, double Difference, long Elements, string? NotCompared);

/// <summary>Sums of the differences of outputs over samples. What cannot be compared is said, not thrown.</summary>
public sealed class OutputDifferences
{
    private readonly List<Sums> sums = [];

    /// <summary>By output, in the order in which they came.</summary>
    public IReadOnlyList<OutputDifference> Result => [.. sums.Select(s => s.Result())];

    /// <summary>Runs two models, or one with two settings, on the same samples.</summary>
    /// <param name="first">Path and settings of the one that differences are relative to.</param>
    /// <param name="second">Path and settings of the other.</param>
    /// <exception cref="Microsoft.ML.OnnxRuntime.OnnxRuntimeException">One of them does not load or run.</exception>
    public static IReadOnlyList<OutputDifference> Between(
        (string Path, SessionSettings Settings) first, (string Path, SessionSettings Settings) second, IReadOnlyList<Sample> samples, CancellationToken cancel)
    {
        using Session one = Session.Open(first.Path, first.Settings), other = Session.Open(second.Path, second.Settings);
        return Between(one, other, samples, cancel);
    }

    /// <summary>Runs two sessions on the same samples.</summary>
    /// <param name="one">The one that differences are relative to.</param>
    /// <exception cref="Microsoft.ML.OnnxRuntime.OnnxRuntimeException">One of them does not run.</exception>
    public static IReadOnlyList<OutputDifference> Between(Session one, Session other, IReadOnlyList<Sample> samples, CancellationToken cancel)
    {
        var differences = new OutputDifferences();
        foreach (Sample sample in samples)
        {
            using RunResults from = one.RunInPlace(sample.Inputs, cancel), to = other.RunInPlace(sample.Inputs, cancel);
            differences.Add(sample.Id, from.Tensors, to.Tensors);
        }

        return differences.Result;
    }

    /// <summary>Adds the outputs of one sample.</summary>
    /// <param name="sample">Where it comes from, for what is said.</param>
    public void Add(string sample, IReadOnlyDictionary<string, Tensor> first, IReadOnlyDictionary<string, Tensor> second)
    {
        foreach ((string output, Tensor tensor) in first)
        {
            Sums? known = sums.FirstOrDefault(s => s.Output == output);
            if (known is null)
            {
                sums.Add(known = new Sums(output, ElementType.IsFloating(tensor.ElementType)));
            }

            known.Add(sample, tensor, second[output]);
        }
    }

    private sealed class Sums(string output, bool isFloating)
    {
        private double difference, reference;
        private long elements;
        private string? notCompared;

        public string Output => output;

        public OutputDifference Result() => new(
            output, isFloating, difference == 0 ? 0 : reference == 0 ? double.PositiveInfinity : Math.Sqrt(difference / reference), elements, notCompared);

        public void Add(string sample, Tensor first, Tensor second)
        {
            if (!first.Shape.AsSpan().SequenceEqual(second.Shape) || first.ElementType != second.ElementType)
            {
                notCompared ??= $"{first} against {second} in {sample}";
                return;
            }

            elements += first.Count;
            if (isFloating)
            {
                AddNumbers(Floats.ToFloat(first).Values<float>(), Floats.ToFloat(second).Values<float>());
                return;
            }

            reference += first.Count;
            int size = Math.Max(1, ElementType.BitsOf(first.ElementType) / 8);
            ReadOnlySpan<byte> a = first.Bytes.Span, b = second.Bytes.Span;
            for (int i = 0; i < a.Length; i += size)
            {
                difference += a.Slice(i, size).SequenceEqual(b.Slice(i, size)) ? 0 : 1;
            }
        }

        private void AddNumbers(ReadOnlySpan<float> first, ReadOnlySpan<float> second)
        {
            for (int i = 0; i < first.Length; i++)
            {
                double a = first[i], b = second[i];
                if (a.Equals(b))
                {
                    reference += double.IsFinite(a) ? a * a : 0;
                    continue;
                }

                bool areNumbers = double.IsFinite(a) && double.IsFinite(b);
                reference += areNumbers ? a * a : 0;
                difference += areNumbers ? (a - b) * (a - b) : double.PositiveInfinity;
            }
        }
    }
}
