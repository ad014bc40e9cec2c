namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    public static MixedPrecisionException LossOutputUnusable(string policy, string output, IReadOnlyList<string> outputs) => new(
        Codes.LossOutputUnusable, new Place(policy),
        (output.Length == 0 ? "the model has no output of floating type for the loss to read" : $"'{output}' is no output of floating type that a loss can read")
        + $"; the model's outputs are {string.Join(", ", outputs.Select(o => $"'{o}'"))}. Name one of them as calibration.output.");

    public static MixedPrecisionException LossNeedsTokens(string policy) => new(
        Codes.LossNeedsTokens, new Place(policy),
        "the loss next-token needs an integer model input of [batch, sequence] that holds the tokens, and the model has none. Use cross-entropy with labels, or output-mse.");

    public static MixedPrecisionException LabelsDoNotFit(Place sample, string found, string expected) => new(
        Codes.LabelsDoNotFit, sample, $"found {found}, expected {expected}. Correct the sample, or choose the loss that fits the model's output.");

    public static MixedPrecisionException NoLayerReached(string model, IReadOnlyList<(string Operator, string Node)> operators) => new(
        Codes.NoLayerReached, new Place(model),
        $"no layer can be calibrated: every one lies behind an operator without a gradient rule: {string.Join(", ", operators.Select(o => $"{o.Operator} ('{o.Node}')"))}. Export the model with these operators decomposed, name another output as calibration.output, or say `calibration: {{ unreached: forward }}` to judge layers by running the model with each of them.");

    public static MixedPrecisionException LossGraphUnusable(string file, string reason) => new(
        Codes.LossGraphUnusable, new Place(file),
        $"this file cannot be a loss graph: {reason}. Its inputs are outputs of the model, inputs of the model or keys of the data, by their names; its only output is one floating number.");

    public static MixedPrecisionException LossOutputNotScalar(Place place, string output, string type) => new(
        Codes.LossOutputUnusable, place, $"the loss scalar-output needs an output of one number, and '{output}' is {type}. Name another output, or use output-mse.");
}
