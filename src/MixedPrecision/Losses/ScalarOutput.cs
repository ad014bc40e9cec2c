using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>Nothing: the output is the loss.</summary>
internal sealed record NoTarget : TermTarget;

/// <summary>scalar-output: an output of one element is the loss. Nothing is known of its curvature.</summary>
internal sealed class ScalarOutput(double weight, string output) : LossTerm("scalar-output", weight)
{
    public override IReadOnlyList<string> Outputs { get; } = [output];

    public override IEnumerable<string> Notes => [$"output '{output}' is the loss itself: no second-order rise of the loss is predicted, since its curvature is not known"];

    public override TermTarget Target(Sample sample, int number, IReadOnlyDictionary<string, Tensor> outputs) => outputs[output].Count == 1 ? new NoTarget()
        : throw Errors.LabelsDoNotFit(sample.Place, $"an output '{output}' of shape [{string.Join(", ", outputs[output].Shape)}]", "one number, the loss");

    public override double Value(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target) =>
        outputs[output].ElementType == ElementType.Double ? outputs[output].Values<double>()[0] : Floats.ToFloat(outputs[output]).Values<float>()[0];

    public override double AddGradient(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target, double factor, GradientSums gradients)
    {
        gradients.Of(output)[0] += (float)factor;
        return Value(outputs, target);
    }
}
