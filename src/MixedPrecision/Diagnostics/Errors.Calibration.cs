namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    public static MixedPrecisionException NoGradientRule(string operatorType, string node, string reason) => new(
        Codes.NoGradientRule, new Place(Node: node), $"there is no gradient rule for {operatorType}, but {reason}. Export the model with {operatorType} decomposed, or keep the layers before it at the baseline.");

    public static MixedPrecisionException RankUnknown(string operatorType, string node, string value) => new(
        Codes.RankUnknown, new Place(Node: node, Tensor: value), $"the gradient of {operatorType} needs the rank of this value, which is not known. Declare the shapes of the model's inputs and outputs; sizes may stay symbolic.");

    /// <summary>MPB4011: layers that keep the baseline for values that are no numbers.</summary>
    public static Diagnostic LayersNotFinite(string model, IReadOnlyList<(string Layer, string Reason)> layers) => new(
        Codes.LayersNotFinite, Severity.Warning, new Place(model),
        $"{Count(layers.Count)} NaN or infinite values, and {(layers.Count == 1 ? "keeps" : "keep")} the baseline: {Reasons(layers)}. Mend the weight, or the samples that lead to such values, to have them quantized.");

    /// <summary>MPB4012: layers of which the samples show nothing.</summary>
    public static Diagnostic LayersNotSeen(string model, IReadOnlyList<(string Layer, string Reason)> layers) => new(
        Codes.LayersNotSeen, Severity.Warning, new Place(model),
        $"the calibration samples do not show what a format does to {layers.Count} {(layers.Count == 1 ? "layer, which keeps" : "layers, which keep")} the baseline: {Reasons(layers)}. Add samples on which they do something; a layer that never does can be removed from the model.");

    private static string Count(int layers) => layers == 1 ? "one layer has to do with" : $"{layers} layers have to do with";

    /// <summary>The first few layers by name, each reason once for those that share it.</summary>
    private static string Reasons(IReadOnlyList<(string Layer, string Reason)> layers)
    {
        const int Most = 3;
        var groups = layers.GroupBy(l => l.Reason).ToList();
        return string.Join("; ", groups.Take(Most).Select(g =>
            $"{Wording.List([.. g.Take(Most).Select(l => l.Layer)])}{(g.Count() > Most ? $" and {g.Count() - Most} more" : "")}: {g.Key}"))
            + (groups.Count > Most ? $"; and {groups.Skip(Most).Sum(g => g.Count())} more" : "");
    }

    public static MixedPrecisionException GradientRequest(string value, string reason) => new(
        Codes.GradientRequest, new Place(Tensor: value), reason);
}
