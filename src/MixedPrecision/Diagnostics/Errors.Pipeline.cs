namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    public static Diagnostic CalibrationDataNotNamed(string policy, string sizes) => new(
        Codes.CalibrationDataNotNamed, Severity.Warning, new Place(policy),
        $"the policy names no calibration data: taken are synthetic inputs ({sizes}). What is predicted and verified holds for such inputs only. Add `calibration: {{ data: FILE }}` with a few hundred samples that resemble what the app sees.");

    public static MixedPrecisionException BudgetDoesNotSuit(string policy, string budget, string reason) => new(
        Codes.BudgetDoesNotSuit, new Place(policy),
        $"the budget {budget} cannot be measured: {reason}. Name labels and a loss with them, or state the budget as {{ lossError: 1% }}.");

    public static MixedPrecisionException PolicyPinnedFormatDoesNotApply(Place place, string layer, string format, string reason) => new(
        Codes.PolicyPinnedFormatDoesNotApply, place,
        $"the rule pins layer '{layer}' to {format}, which cannot run it: {reason}. Pin another format, or narrow the pattern.");

    public static Diagnostic CacheEntryDamaged(string stage, string damage) => new(
        Codes.CacheEntryDamaged, Severity.Warning, Place.None,
        $"a cached result of stage '{stage}' is damaged ({damage}) and is computed anew. If this repeats, look after the disk that holds the cache folder.");

    public static MixedPrecisionException OutputNotWritable(string folder, string reason) => new(
        Codes.OutputNotWritable, new Place(folder), $"the output folder cannot be written: {reason} Give another folder, or make room and rights in this one.");

    public static Diagnostic NothingGained(string model, string reason) => new(
        Codes.NothingGained, Severity.Warning, new Place(model),
        $"the original model is kept: {reason}. A larger budget, other formats or other scenarios may gain something.");

    /// <summary>MPB7003 where experiments are asked for.</summary>
    public static MixedPrecisionException NothingToValidate(string model, string reason) => new(
        Codes.NothingGained, new Place(model), $"there is nothing to validate: {reason}. Name other formats, or fewer rules.");

    /// <summary>MPB7003 where rules pin layers, which then are all that differs from the original.</summary>
    public static Diagnostic NothingGainedButRules(string model, string reason) => new(
        Codes.NothingGained, Severity.Warning, new Place(model),
        $"nothing is gained, and what ships is the original with the layers that rules pin in their formats: {reason}. A larger budget, other formats or fewer rules may gain something.");

    public static Diagnostic LayersNotReached(string model, IReadOnlyList<string> layers, IReadOnlyList<string> operators) => new(
        Codes.LayersNotReached, Severity.Warning, new Place(model),
        $"no full gradient of the loss reaches {layers.Count} layers ({string.Join(", ", layers.Take(3).Select(l => $"'{l}'"))}{(layers.Count > 3 ? ", …" : "")}), which stay as they are. "
        + (operators.Count > 0
            ? $"Gradients end at {string.Join(", and at ", operators)}. To judge these layers by running the model with each of them, say `calibration: {{ unreached: forward }}`."
            : "They lead to an output that the loss does not read: name it as calibration.output to quantize them."));
}
