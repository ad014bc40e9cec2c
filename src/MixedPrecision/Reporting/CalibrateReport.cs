namespace MixedPrecision.Reporting;

/// <summary>What <c>calibrate</c> measured: the sensitivity of every layer in every format.</summary>
/// <param name="Model">The file.</param>
/// <param name="Loss">Name of the loss.</param>
/// <param name="Samples">Calibration samples used.</param>
/// <param name="MeanSquareLoss">E[g²] over them; the budget is a fraction of its root.</param>
/// <param name="Layers">The layers, in the model's order.</param>
/// <param name="Warnings">What the reader should know.</param>
public sealed record CalibrateReport(
    ModelSummary Model,
    string Loss,
    int Samples,
    double MeanSquareLoss,
    IReadOnlyList<CalibratedLayer> Layers,
    IReadOnlyList<string> Warnings)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>
    /// A summary for people: per layer and format the relative loss error that it alone would cause. More layers than a screen has rows are put together by the numbers in their names, those of another
    /// order of magnitude apart: what matters stays in sight.
    /// </summary>
    public IEnumerable<string> ToLines()
    {
        string[] formats = [.. Layers.SelectMany(l => l.Formats.Keys).Distinct()];
        IReadOnlyDictionary<string, string> shown = FormatNames.Short(formats);
        yield return $"{Model.File}: {Loss} over {ReportText.Count(Samples, "sample")}, root mean square {ReportText.Number(Math.Sqrt(MeanSquareLoss))}";
        yield return "relative loss error of each layer in each format alone:";
        string[][] rows =
        [
            [.. formats.Select(f => shown[f]), "layer"],
            .. Grouped.Of(Layers, l => l.Name, l => (NamePatterns.Open(l.Name), Magnitude(l)), l => Magnitude(l))
                .Select(group => formats.Select(f => Cell(group, f)).Append($"{(group.Count > 1 ? $"{ReportText.Count(group.Count, "layer")}: " : "")}{NamePatterns.Text(group.Select(l => l.Name))}").ToArray()),
        ];
        foreach (string line in ReportText.Table(rows).Concat(ReportText.Warnings(Warnings)))
        {
            yield return line;
        }
    }

    private string Cell(IReadOnlyList<CalibratedLayer> layers, string format)
    {
        double[] errors = [.. layers.SelectMany(l => Error(l, format) is { } error ? new[] { error } : [])];
        string least = errors.Length > 0 ? ReportText.Percent(errors.Min()) : "–", greatest = errors.Length > 0 ? ReportText.Percent(errors.Max()) : "–";
        return least == greatest ? least : $"{least[..^2]}–{greatest}";
    }

    private double? Error(CalibratedLayer layer, string format) =>
        layer.Formats.TryGetValue(format, out CalibratedFormat? sensitivity) && MeanSquareLoss > 0 ? Math.Sqrt(sensitivity.Measured / MeanSquareLoss) : null;

    /// <summary>Power of ten of the greatest error.</summary>
    private int Magnitude(CalibratedLayer layer) =>
        layer.Formats.Keys.Select(f => Error(layer, f)).Max() is > 0 and var error ? (int)Math.Floor(Math.Log10(error)) : int.MinValue;
}

/// <summary>The sensitivities of one layer.</summary>
/// <param name="Name">Name of its node.</param>
/// <param name="Taylor">The terms of the taylor estimate.</param>
/// <param name="Formats">Predicted loss MSE per format that applies.</param>
/// <param name="NotApplicable">Formats that the layer cannot have, and why.</param>
public sealed record CalibratedLayer(
    string Name,
    TaylorTerms Taylor,
    IReadOnlyDictionary<string, CalibratedFormat> Formats,
    IReadOnlyDictionary<string, string> NotApplicable);

/// <summary>What the taylor estimate of a floating format is made of.</summary>
/// <param name="Activation">E‖x ⊙ ẋ‖² over the layer's input.</param>
/// <param name="Weight">E‖w ⊙ ẇ‖² over the weight, or over the second activation of a product of two.</param>
public sealed record TaylorTerms(double Activation, double Weight);

/// <summary>The loss MSE that one layer in one format is predicted to add.</summary>
/// <param name="Taylor">By the noise model of the format.</param>
/// <param name="Measured">By running the layer in the format on calibration inputs, to first order.</param>
/// <param name="Rise">The mean second-order rise of the loss; 0 for losses without curvature.</param>
public sealed record CalibratedFormat(double Taylor, double Measured, double Rise);
