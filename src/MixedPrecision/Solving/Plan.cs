using System.Text.Json.Serialization;
using MixedPrecision.Structures;

namespace MixedPrecision.Solving;

public enum SolverStatus
{
    /// <summary>Proven: no plan within the budget gains more, up to <see cref="Plan.RoundingRelative"/>.</summary>
    Optimal,

    /// <summary>Within the budget; the search ended at its limit before <see cref="Plan.Bound"/> met the gain.</summary>
    Feasible,

    /// <summary>No plan is within the budget and small enough; the plan given is the one of least loss that is small enough, or where none is, the smallest.</summary>
    Infeasible,
}

/// <summary>What the integer program returns.</summary>
/// <param name="Configurations">The chosen configuration of each sub-graph, in the problem's order.</param>
/// <param name="Loss">Predicted loss MSE under the problem's loss model.</param>
/// <param name="Gain">Summed gain, in the unit of the objective.</param>
/// <param name="Bound">No plan gains more than this, up to the rounding.</param>
/// <param name="RoundingRelative">
/// Rounding to integers, to the safe side: losses went up by at most this share of the budget, gains went down by at most this share of
/// the sum of the greatest gains. A plan closer to the budget than that may have been passed over.
/// </param>
/// <param name="Tangents">Tangents of the quadratic loss model that were added until the optimum met it; 0 for the diagonal.</param>
/// <param name="Infeasibility">What stands in the way, when the status is <see cref="SolverStatus.Infeasible"/>.</param>
public sealed record Plan(
    IReadOnlyList<Configuration> Configurations,
    double Loss,
    double Gain,
    SolverStatus Status,
    double Bound,
    double RoundingRelative,
    int Tangents,
    Infeasibility? Infeasibility = null)
{
    /// <summary>The formats per sub-graph and layer.</summary>
    [JsonIgnore]
    public IReadOnlyList<IReadOnlyList<string>> Formats => [.. Configurations.Select(c => c.Formats)];
}

/// <summary>Why no plan is within the budget.</summary>
/// <param name="MinimalLoss">
/// Least loss MSE over the choices that are allowed and small enough, hence the smallest budget that is feasible. Under the quadratic model, where consequences add loss, and where size is limited: the
/// least that was found; a budget of this size is feasible.
/// </param>
/// <param name="Layers">The layers without a choice free of loss, with the least loss that each adds, largest first.</param>
public sealed record Infeasibility(double MinimalLoss, IReadOnlyList<(string Layer, double Loss)> Layers)
{
    /// <summary>Whether no plan is small enough, whatever it loses; then the loss is that of the smallest.</summary>
    public bool IsTooLarge { get; init; }
}
