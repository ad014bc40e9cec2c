using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Verification;

/// <summary>Change of the loss from the original model (g) to the emitted one (g').</summary>
/// <param name="Samples">Samples that were compared: all on which the original's loss is a number.</param>
/// <param name="LossMse">E[(g' − g)²].</param>
/// <param name="MeanSquareLoss">E[g²].</param>
/// <param name="RelativeLossError">√(<paramref name="LossMse"/> / <paramref name="MeanSquareLoss"/>): what must not pass the budget τ.</param>
/// <param name="MeanLossChange">E[g' − g].</param>
/// <param name="Accuracy">Share of right answers, when every sample has labels.</param>
public sealed record LossChange(
    int Samples,
    double LossMse,
    double MeanSquareLoss,
    double RelativeLossError,
    double MeanLossChange,
    AccuracyChange? Accuracy)
{
    /// <summary>E[g], the mean loss of the original.</summary>
    public double MeanLoss { get; init; }

    /// <summary>Labels that <see cref="Accuracy"/> counts; 0 without it.</summary>
    public long Labels { get; init; }

    /// <summary>Share of answers that are the original's; null where the loss has none.</summary>
    public double? Agreement { get; init; }

    /// <summary>What was left out, and why. Kept with the result: they hold when it is reused.</summary>
    public IReadOnlyList<Diagnostic> Warnings { get; init; } = [];
}

/// <summary>Share of labels that the largest score hits, from 0 to 1.</summary>
/// <param name="Original">With the original model.</param>
/// <param name="Mixed">With the emitted model.</param>
public sealed record AccuracyChange(double Original, double Mixed);

/// <summary>End-to-end time of an emitted model against the original in one scenario.</summary>
/// <param name="Name">The scenario's name.</param>
/// <param name="Inputs">Size of each symbolic dimension.</param>
/// <param name="Weight">The scenario's share; the shares of all scenarios sum to 1.</param>
/// <param name="Timing">What was measured.</param>
public sealed record ScenarioTiming(string Name, IReadOnlyDictionary<string, long> Inputs, double Weight, Timing Timing);
