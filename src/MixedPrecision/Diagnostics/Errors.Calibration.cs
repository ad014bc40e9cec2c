namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    public static MixedPrecisionException NoGradientRule(string operatorType, string node, string reason) => new(
        Codes.NoGradientRule, new Place(Node: node), $"there is no gradient rule for {operatorType}, but {reason}. Export the model with {operatorType} decomposed, or keep the layers before it at the baseline.");

    public static MixedPrecisionException RankUnknown(string operatorType, string node, string value) => new(
        Codes.RankUnknown, new Place(Node: node, Tensor: value), $"the gradient of {operatorType} needs the rank of this value, which is not known. Declare the shapes of the model's inputs and outputs; sizes may stay symbolic.");

    public static MixedPrecisionException GradientRequest(string value, string reason) => new(
        Codes.GradientRequest, new Place(Tensor: value), reason);
}
