using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>Data and loss that calibration uses.</summary>
/// <param name="Data">Path of the samples as written, or null: inputs are not given.</param>
/// <param name="Loss">The loss in its short form, or null: <see cref="Losses"/> say it, or without them it is guessed from the model and the data.</param>
/// <param name="Labels">Key of the label within a sample, or null: the data holds none.</param>
/// <param name="Samples">At most so many samples are read, from the start of the data; at least 1.</param>
/// <param name="Output">Name of the model output that the loss reads, or null: the first that suits it.</param>
public sealed record CalibrationPolicy(string? Data, LossKind? Loss, string? Labels, int Samples, string? Output)
{
    /// <summary>The losses whose weighted sum counts; empty: the short form, or a guess.</summary>
    public IReadOnlyList<LossPolicy> Losses { get; init; } = [];

    /// <summary>Input of the model or key of the data whose zeros leave positions out, or null: an attention mask of the model.</summary>
    public string? Mask { get; init; }

    /// <summary>A label that does not count, besides all that are below 0; or null.</summary>
    public long? IgnoreLabel { get; init; }

    /// <summary>How a folder of images becomes samples; null: by the defaults.</summary>
    public ImagePolicy? Images { get; init; }

    /// <summary>How lines of text become samples; null: the data is no text.</summary>
    public TextPolicy? Text { get; init; }

    /// <summary>Whether layers that no gradient reaches are judged by running the model forward, instead of keeping the baseline.</summary>
    public bool MeasuresUnreached { get; init; }

    /// <summary>With which probability, as far as the choice of samples goes, the predicted loss error of a plan is within the budget: 0.5, the prediction itself, to 0.999.</summary>
    public double Confidence { get; init; } = 0.5;

    /// <summary>Every loss with what the section says for all of them filled in; empty: to be guessed.</summary>
    public IReadOnlyList<LossPolicy> AllLosses(Place place)
    {
        IEnumerable<LossPolicy> losses = Losses.Count > 0 ? Losses : Loss is { } kind ? [new LossPolicy(kind, place)] : [];
        return [.. losses.Select(Complete)];
    }

    /// <summary>A loss with what the section says for all losses.</summary>
    public LossPolicy Complete(LossPolicy loss) => loss with
    {
        Output = loss.Output ?? Output,
        Labels = loss.Labels ?? Labels,
        Mask = loss.Mask ?? Mask,
        IgnoreLabel = loss.IgnoreLabel ?? IgnoreLabel,
    };
}

/// <summary>One of the losses whose weighted sum counts.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Place">Where it stands in the policy.</param>
/// <param name="Output">Name of the model output that it reads, or null: the first that suits it.</param>
/// <param name="Weight">Its factor in the sum; at least 0.</param>
/// <param name="Labels">Key of the label within a sample, or null.</param>
/// <param name="Mask">Input of the model or key of the data whose zeros leave positions out, or null.</param>
/// <param name="IgnoreLabel">A label that does not count, besides all that are below 0; or null.</param>
/// <param name="File">Path of the ONNX file as written; of <see cref="LossKind.Graph"/> alone.</param>
public sealed record LossPolicy(
    LossKind Kind,
    Place Place,
    string? Output = null,
    double Weight = 1,
    string? Labels = null,
    string? Mask = null,
    long? IgnoreLabel = null,
    string? File = null);

/// <summary>What one sample's loss is.</summary>
public enum LossKind
{
    /// <summary>Cross-entropy of an output's last axis against labels, or against the model's own argmax.</summary>
    CrossEntropy,

    /// <summary>Mean cross-entropy of each position's output against the next position's input token.</summary>
    NextToken,

    /// <summary>Squared error of an output against the original's, by random projections; needs no labels.</summary>
    OutputMse,

    /// <summary>A scalar output of the model is the loss.</summary>
    ScalarOutput,

    /// <summary>A graph of the user's, appended to the model.</summary>
    Graph,
}
