using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Whether a structure computes what the exported form of its sub-graph does, on what really enters: with the runtime's optimizations and without. What a pattern proves of a graph is thereby
/// held against the kernel that runs.
/// </summary>
internal static class Admission
{
    /// <summary>Root mean square of the difference, relative to that of the values: arithmetic in another order stays below.</summary>
    private const double Arithmetic = 1e-5;

    /// <summary>Two correct ways to round at run time lie √2 of the error of one apart: a last bit takes values to the other side of a step. What scatters comes on top.</summary>
    private const double Rounding = 2;

    /// <param name="original">The sub-graph as the model has it.</param>
    /// <param name="exported">The same in the formats that the structure fixes: where it fixes none but the baseline, the original.</param>
    /// <param name="structure">The structure by itself.</param>
    /// <param name="inputs">What enters.</param>
    /// <param name="outputs">What is compared.</param>
    /// <returns>The reason why it may not stand for the exported form, or null.</returns>
    /// <exception cref="OnnxRuntimeException">One of them does not run.</exception>
    public static string? WhyNot(
        byte[] original, byte[] exported, byte[] structure, IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyList<string> outputs, int threads, string? folder)
    {
        IReadOnlyDictionary<string, Tensor> Run(byte[] model, GraphOptimizationLevel level)
        {
            using Session session = Session.Create(model, SessionSettings.Timing(threads) with { Optimization = level }, folder);
            return session.Run(inputs, outputs);
        }

        IReadOnlyDictionary<string, Tensor> exact = Run(original, GraphOptimizationLevel.ORT_DISABLE_ALL), wanted = Run(exported, GraphOptimizationLevel.ORT_DISABLE_ALL);
        foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_ALL })
        {
            IReadOnlyDictionary<string, Tensor> found = Run(structure, level);
            foreach (string output in outputs)
            {
                double difference = Difference(wanted[output], found[output]);
                double tolerance = Arithmetic + (Rounding * Difference(exact[output], wanted[output]));
                if (!(difference <= tolerance))
                {
                    return $"'{output}' differs by {difference:0.##e+0} from the exported form, {tolerance:0.##e+0} is allowed";
                }
            }
        }

        return null;
    }

    /// <summary>Relative root mean square; infinite where type or shape differ, or values that are no floating numbers.</summary>
    private static double Difference(Tensor wanted, Tensor found)
    {
        if (wanted.ElementType != found.ElementType || !wanted.Shape.SequenceEqual(found.Shape))
        {
            return double.PositiveInfinity;
        }

        if (wanted.Bytes.Span.SequenceEqual(found.Bytes.Span))
        {
            return 0;
        }

        if (wanted.ElementType != ElementType.Float && !HalfPrecision.IsHalf(wanted.ElementType))
        {
            return double.PositiveInfinity;
        }

        float[] from = new float[wanted.Count], to = new float[found.Count];
        HalfPrecision.Widen(wanted, 0, from);
        HalfPrecision.Widen(found, 0, to);
        double squares = 0, difference = 0;
        for (int i = 0; i < from.Length; i++)
        {
            squares += (double)from[i] * from[i];
            difference += ((double)from[i] - to[i]) * ((double)from[i] - to[i]);
        }

        return difference == 0 ? 0 : Math.Sqrt(difference / squares);
    }
}
