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

    /// <summary>A summary for people: per layer and format the relative loss error that it alone would cause.</summary>
    public IEnumerable<string> ToLines()
    {
        yield return $"{Model.File}: {Loss} over {ReportText.Count(Samples, "sample")}, root mean square {ReportText.Number(Math.Sqrt(MeanSquareLoss))}";
        yield return "relative loss error of each layer in each format alone:";
        string[] formats = [.. Layers.SelectMany(l => l.Formats.Keys).Distinct()];
        string[][] rows = [[.. formats, "layer"], .. Layers.Select(l => formats.Select(f => Cell(l, f)).Append(l.Name).ToArray())];
        foreach (string line in ReportText.Table(rows).Concat(ReportText.Warnings(Warnings)))
        {
            yield return line;
        }
    }

    private string Cell(CalibratedLayer layer, string format) =>
        layer.Formats.TryGetValue(format, out CalibratedFormat? sensitivity) && MeanSquareLoss > 0
            ? ReportText.Percent(Math.Sqrt(sensitivity.Measured / MeanSquareLoss))
            : "–";
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
