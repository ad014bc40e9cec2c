namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    /// <param name="place">The policy, or where it names the output.</param>
    /// <param name="problem">What is wrong, without a full stop.</param>
    /// <param name="outputs">Every output of the model with its type in words, and whether a loss can read it.</param>
    /// <param name="inner">Floating values inside of the model that its outputs are made from: name, type, and the operator that makes something else of it.</param>
    public static MixedPrecisionException LossOutputUnusable(
        Place place, string problem, IReadOnlyList<(string Name, string Type, bool IsFloating)> outputs, IReadOnlyList<(string Name, string Type, string Operator)> inner)
    {
        string there = string.Join(", ", outputs.Select(o => $"{Wording.Quote(o.Name)} ({o.Type})"));
        string[] floating = [.. outputs.Where(o => o.IsFloating).Select(o => o.Name)];
        string remedy = floating.Length > 0 ? $"Name an output of floating type: {Wording.List(floating)}."
            : inner.Count == 0 ? "Export the model with the scores that its outputs are made from as a further output."
            : $"Export the model with the scores that {inner[0].Operator} makes them from as a further output: {string.Join(", ", inner.Take(3).Select(i => $"{Wording.Quote(i.Name)} ({i.Type})"))}.";
        return new(Codes.LossOutputUnusable, place, $"{problem}; the model's outputs are {there}. {remedy}");
    }

    public static MixedPrecisionException LossNeedsTokens(string policy) => new(
        Codes.LossNeedsTokens, new Place(policy),
        "the loss next-token needs an integer model input of [batch, sequence] that holds the tokens, and the model has none. Use cross-entropy with labels, or output-mse.");

    public static MixedPrecisionException LabelsDoNotFit(Place sample, string found, string expected) => new(
        Codes.LabelsDoNotFit, sample, $"found {found}, expected {expected}. Correct the sample, or choose the loss that fits the model's output.");

    public static MixedPrecisionException NoLayerReached(string model, IReadOnlyList<(string Operator, string Node)> operators) => new(
        Codes.NoLayerReached, new Place(model),
        $"no layer can be calibrated: every one lies behind an operator without a gradient rule: {string.Join(", ", operators.Select(o => $"{o.Operator} ('{o.Node}')"))}. Export the model with these operators decomposed, name another output as calibration.output, or say `calibration: {{ unreached: forward }}` to judge layers by running the model with each of them.");

    /// <summary>MPB4010: samples that do not count, since the loss is no number on them.</summary>
    public static Diagnostic LossNotFinite(Place sample, int count, int of) => new(
        Codes.LossNotFinite, Severity.Warning, sample,
        $"the loss, or its gradient, is NaN or infinite on {count} of {of} samples, first on this one; they are left out. Look at the values and labels of these samples, and at what the original model makes of them.");

    /// <summary>MPB4010: no sample counts.</summary>
    public static MixedPrecisionException LossNeverFinite(Place sample, int count) => new(
        Codes.LossNotFinite, sample,
        $"the loss, or its gradient, of the original model is NaN or infinite on {(count == 1 ? "the only sample" : $"all {count} samples")}, of which this is the first, so that nothing can be calibrated or compared. Run the original model on it: either the model gives no numbers, or the data is not what it takes.");

    /// <summary>MPB4006: labels that only tell accuracy do not fit.</summary>
    public static Diagnostic AccuracyNotTold(Diagnostic first, int count, int of) => new(
        Codes.LabelsDoNotFit, Severity.Warning, first.Place,
        $"labels do not fit the output on {count} of {of} samples, so that no accuracy is told; the loss does not read them. On this sample: {first.Message}");

    public static MixedPrecisionException LossGraphUnusable(string file, string reason) => new(
        Codes.LossGraphUnusable, new Place(file),
        $"this file cannot be a loss graph: {reason}. Its inputs are outputs of the model, inputs of the model or keys of the data, by their names; its only output is one floating number.");

    public static MixedPrecisionException LossOutputNotScalar(Place place, string output, string type) => new(
        Codes.LossOutputUnusable, place, $"the loss scalar-output needs an output of one number, and '{output}' is {type}. Name another output, or use output-mse.");
}
