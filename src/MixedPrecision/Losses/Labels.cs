using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>Labels of one sample against an output.</summary>
/// <param name="Values">One a row of scores (a class) or, when independent, one an element (0 or 1); below 0: does not count.</param>
/// <param name="Axis">The axis of the output that the classes lie along; without meaning when independent.</param>
/// <param name="AreIndependent">Whether each element has a label of its own.</param>
/// <param name="AreGiven">Whether the data gave them, so that hits among them are accuracy.</param>
internal sealed record LabelTarget(long[] Values, int Axis, bool AreIndependent, bool AreGiven) : TermTarget;

/// <summary>Makes labels fit an output, and leaves out what does not count.</summary>
internal static class Labels
{
    /// <summary>How many labels count.</summary>
    public static int Counted(ReadOnlySpan<long> labels)
    {
        int counted = 0;
        foreach (long label in labels)
        {
            counted += label >= 0 ? 1 : 0;
        }

        return counted;
    }

    /// <summary>
    /// Which axis of an output the labels of a shape leave out: the last, or for outputs such as [batch, classes, height, width] the second;
    /// null when there is a label for each element.
    /// </summary>
    public static int? AxisOf(Tensor labels, Tensor output, Scores scores, Place sample)
    {
        long[] shape = output.Shape;
        bool Fits(int axis) => shape[axis] != 0 && labels.Count == output.Count / shape[axis];
        bool IsExact(int axis) => labels.Shape.AsSpan().SequenceEqual(ScoreRows.LabelShape(shape, axis));
        int last = shape.Length - 1;
        if (labels.Count == output.Count && (scores.Kind == ScoreKind.Sigmoids || last < 0 || shape[last] == 1 || !Fits(last)))
        {
            return null;
        }

        if (scores.Kind != ScoreKind.Sigmoids && last >= 0)
        {
            int[] known = scores.Axis is int told && told < shape.Length ? [told] : [];
            int[] candidates = [.. known.Concat(shape.Length > 2 ? [last, 1] : [last]).Distinct()];
            if (candidates.Where(IsExact).Concat(candidates.Where(Fits)).Select(a => (int?)a).FirstOrDefault() is int axis)
            {
                return axis;
            }
        }

        string expected = scores.Kind == ScoreKind.Sigmoids || last < 0
            ? $"{output.Count} labels of 0 or 1, one for each element"
            : $"{(shape[last] == 0 ? 0 : output.Count / shape[last])}, one for each row of scores";
        throw Errors.LabelsDoNotFit(sample, $"{labels.Count} labels", $"{expected} (the output has shape [{string.Join(", ", shape)}])");
    }

    /// <summary>Given labels; those below 0 and the one to be ignored become −1.</summary>
    public static long[] Given(Tensor labels, long? ignored, int classes, Place sample)
    {
        long[] values = labels.Values<long>().ToArray();
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] < 0 || values[i] == ignored)
            {
                values[i] = -1;
            }
            else if (values[i] >= classes)
            {
                throw Errors.LabelsDoNotFit(sample, $"label {values[i]}", $"0 to {classes - 1}, or below 0 for what does not count");
            }
        }

        return values;
    }

    /// <summary>Each position's label becomes that of the next position; the last of each sequence has none.</summary>
    /// <param name="tokens">[batch, sequence], integers.</param>
    public static Tensor Next(Tensor tokens)
    {
        int sequence = (int)tokens.Shape[1];
        var next = new long[tokens.Count];
        for (int i = 0; i < next.Length; i++)
        {
            next[i] = (i + 1) % sequence == 0 ? -1
                : tokens.ElementType == ElementType.Int64 ? tokens.Values<long>()[i + 1] : tokens.Values<int>()[i + 1];
        }

        return Tensor.Of<long>(next, tokens.Shape);
    }

    /// <summary>Leaves out the rows that a mask has 0 for.</summary>
    /// <param name="labels">One a position, [batch, sequence] laid out in a row, or several a position.</param>
    /// <param name="mask">One a position. A longer sequence, as caches of keys and values have it, counts by its end.</param>
    /// <param name="positions">The shape of the positions.</param>
    /// <returns>False when the mask has another shape.</returns>
    public static bool TryMask(long[] labels, Tensor mask, ReadOnlySpan<long> positions, bool isShifted)
    {
        long count = Tensor.ElementCount(positions);
        bool isLonger = positions.Length == 2 && mask.Rank == 2 && mask.Shape[0] == positions[0] && mask.Shape[1] > positions[1];
        if ((mask.Count != count && !isLonger) || count == 0 || labels.Length % count != 0)
        {
            return false;
        }

        int length = positions.Length == 0 ? 1 : (int)positions[^1], stride = isLonger ? (int)mask.Shape[1] : length, each = (int)(labels.Length / count);
        for (int i = 0; i < labels.Length; i++)
        {
            int position = i / each, at = (position / length * stride) + (stride - length) + (position % length);
            bool isLast = position % length == length - 1;
            if (IsZero(mask, at) || (isShifted && !isLast && IsZero(mask, at + 1)))
            {
                labels[i] = -1;
            }
        }

        return true;
    }

    private static bool IsZero(Tensor tensor, int index)
    {
        int size = ElementType.BitsOf(tensor.ElementType) / 8;
        return tensor.Bytes.Span.Slice(index * size, size).IndexOfAnyExcept((byte)0) < 0;
    }
}
