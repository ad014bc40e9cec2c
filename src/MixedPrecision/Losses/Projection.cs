using MixedPrecision.Data;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Losses;

/// <summary>What makes the signs of a projection: drawn anew where they are needed, since they are as large as the output.</summary>
internal sealed record SignTarget(int Seed) : TermTarget;

/// <summary>output-mse: vᵀy with random signs v, so that E[(vᵀΔy)²] = ‖Δy‖² (design, section 5).</summary>
internal sealed class Projection(double weight, string output) : LossTerm("output-mse", weight)
{
    public override IReadOnlyList<string> Outputs { get; } = [output];

    public override TermTarget Target(Sample sample, int number, IReadOnlyDictionary<string, Tensor> outputs) => new SignTarget(unchecked((int)0x9E3779B9) + number);

    public override double Value(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target)
    {
        ReadOnlySpan<float> values = Floats.ToFloat(outputs[output]).Values<float>();
        var signs = new Signs((SignTarget)target);
        double sum = 0;
        foreach (float value in values)
        {
            sum += signs.Next() ? value : -value;
        }

        return sum;
    }

    public override double AddGradient(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target, double factor, GradientSums gradients)
    {
        var signs = new Signs((SignTarget)target);
        foreach (ref float sum in gradients.Of(output))
        {
            sum += (float)(signs.Next() ? factor : -factor);
        }

        return Value(outputs, target);
    }

    public override double? ExpectedSquare(IReadOnlyDictionary<string, Tensor> outputs, IReadOnlyDictionary<string, Tensor>? others)
    {
        ReadOnlySpan<float> values = Floats.ToFloat(outputs[output]).Values<float>();
        if (others is null)
        {
            return Floats.SumOfSquares(values);
        }

        var difference = new float[values.Length];
        TensorPrimitives.Subtract(values, Floats.ToFloat(others[output]).Values<float>(), difference);
        return Floats.SumOfSquares(difference);
    }

    /// <summary>Signs in a row, 32 from one draw.</summary>
    private struct Signs(SignTarget target)
    {
        private readonly Random random = new(target.Seed);
        private uint bits;
        private int left;

        public bool Next()
        {
            if (left-- == 0)
            {
                bits = (uint)random.NextInt64(1L << 32);
                left = 31;
            }

            bool sign = (bits & 1) == 0;
            bits >>= 1;
            return sign;
        }
    }
}
