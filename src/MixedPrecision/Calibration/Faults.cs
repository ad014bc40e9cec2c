using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>Says which of the values that a term was computed from is no finite number.</summary>
internal static class Faults
{
    /// <summary>The first such value with its name, as in "its input 'x' holds NaN at [0, 3]"; when all are finite, the term itself overflowed.</summary>
    public static string Of(params ReadOnlySpan<(string Name, Tensor? Value)> values)
    {
        foreach ((string name, Tensor? value) in values)
        {
            if (value is not null && NonFinite.In(value) is { } found)
            {
                return $"{name} holds {found}";
            }
        }

        return "a term of its sensitivity is beyond the range of numbers";
    }
}
