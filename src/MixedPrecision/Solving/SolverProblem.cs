using System.Text.Json.Serialization;
using MixedPrecision.Structures;

namespace MixedPrecision.Solving;

/// <summary>One way to run a layer.</summary>
/// <param name="Format">Name of the format.</param>
/// <param name="Loss">Loss MSE that it adds by itself, at least 0; exactly 0 for a format without error.</param>
/// <param name="Gain">What it gains over the original, in the unit of the objective (milliseconds or bytes); may be negative.</param>
public sealed record FormatChoice(string Format, double Loss, double Gain)
{
    /// <summary>Bytes that the file holds for the layer in this format, besides what consequences count.</summary>
    public long Bytes { get; init; }
}

/// <summary>A layer and the formats it may take: exactly one is chosen. A pin offers one choice only.</summary>
public sealed record LayerChoices(string Name, IReadOnlyList<FormatChoice> Choices);

/// <summary>A configuration of one sub-graph whose gain was measured as a whole.</summary>
/// <param name="Formats">A format per layer, in the sub-graph's order.</param>
/// <param name="Gain">Lower bound of the interval of the gain; stands in place of the sum of the gains of structure and layers.</param>
/// <param name="Structure">The structure.</param>
public sealed record MeasuredConfiguration(IReadOnlyList<string> Formats, double Gain, string Structure = Structure.Exported);

/// <summary>One way to write a sub-graph in float, besides the exported one.</summary>
/// <param name="Name">Name of the structure.</param>
/// <param name="Gain">What it gains, besides the gains of the formats of its layers; may be negative.</param>
/// <param name="Fixed">For each layer of the sub-graph the format that it has to have, or null where it is free.</param>
public sealed record StructureChoice(string Name, double Gain, IReadOnlyList<string?> Fixed);

/// <summary>A sub-graph: its gain is that of the measured configuration it takes, else the sum of the gains of its structure and its layers.</summary>
/// <param name="Measured">No configuration twice; one with a format or structure that is not on offer is left out of account.</param>
public sealed record SubgraphChoices(string Name, IReadOnlyList<LayerChoices> Layers, IReadOnlyList<MeasuredConfiguration> Measured)
{
    /// <summary>Structures besides the exported one. One that fixes a format which a layer does not offer is left out of account.</summary>
    public IReadOnlyList<StructureChoice> Structures { get; init; } = [];

    /// <summary>
    /// All that is decided: the layers, and behind them, where there are structures, which one, the exported one first. A choice among structures adds no loss.
    /// </summary>
    internal IReadOnlyList<LayerChoices> Decisions => Offered is { Count: > 0 } offered
        ? [.. Layers, new LayerChoices(Name, [new FormatChoice(Structure.Exported, 0, 0), .. offered.Select(s => new FormatChoice(s.Name, 0, s.Gain))])]
        : Layers;

    /// <summary>The structures whose formats the layers offer.</summary>
    internal IReadOnlyList<StructureChoice> Offered => [.. Structures.Where(s => s.Fixed.Zip(Layers).All(l => l.First is null || l.Second.Choices.Any(c => c.Format == l.First)))];
}

/// <summary>
/// What the solver is asked: the choice of one format per layer of greatest summed gain whose predicted loss MSE is within the budget.
/// </summary>
/// <param name="LossBudget">Greatest loss MSE, τ² · E[g²]; absolute, at least 0.</param>
/// <param name="Loss">How the loss MSE of a plan follows from its choices.</param>
public sealed record SolverProblem(IReadOnlyList<SubgraphChoices> Subgraphs, double LossBudget, LossModel Loss)
{
    /// <summary>
    /// By how much less than the greatest gain a plan may gain and still count as the optimum: proofs among plans that gain nearly the same take longest. 0: not at all.
    /// </summary>
    public double Tolerance { get; init; }

    /// <summary>What follows from choices of several layers, besides what each sub-graph gains and each choice loses.</summary>
    public IReadOnlyList<Consequence> Consequences { get; init; } = [];

    /// <summary>The most that <see cref="FormatChoice.Bytes"/> and <see cref="Consequence.Bytes"/> of a plan may sum to; null: any number.</summary>
    public long? MostBytes { get; init; }

    /// <summary>Groups of layers, by name, each of which carries one format. No layer is in two of them.</summary>
    public IReadOnlyList<IReadOnlyList<string>> SharedFormats { get; init; } = [];
}

/// <summary>A format of a layer.</summary>
public sealed record LayerChoice(string Layer, string Format);

/// <summary>
/// What follows from whether any of some choices is taken, in whatever sub-graphs their layers lie: bytes of a weight that several layers read are gained when none keeps it, a value that several layers hold in fewer bits is
/// rounded once, and what a change of form between two sub-graphs costs is saved when neither of them is in another form.
/// </summary>
/// <param name="Name">What it is about.</param>
/// <param name="Choices">The choices. One that is not on offer is never taken.</param>
/// <param name="Gain">What is gained when none is taken, in the unit of the objective; may be negative.</param>
public sealed record Consequence(string Name, IReadOnlyList<LayerChoice> Choices, double Gain)
{
    /// <summary>Loss MSE that it adds by itself when any is taken, at least 0.</summary>
    public double Loss { get; init; }

    /// <summary>Signed first-order change of each sample's loss when any is taken, for the quadratic model; empty for none.</summary>
    public double[] Deltas { get; init; } = [];

    /// <summary>Mean rise of the loss when any is taken, likewise; at least 0.</summary>
    public double Rise { get; init; }

    /// <summary>Bytes that the file holds when any is taken.</summary>
    public long Bytes { get; init; }
}

/// <summary>How the predicted loss MSE of a plan follows from its choices. Its JSON names the model and holds all its numbers.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "model")]
[JsonDerivedType(typeof(Diagonal), "diagonal")]
[JsonDerivedType(typeof(Quadratic), "quadratic")]
public abstract record LossModel
{
    private LossModel()
    {
    }

    /// <summary>The sum of <see cref="FormatChoice.Loss"/>: errors of different layers are taken as independent.</summary>
    public sealed record Diagonal : LossModel;

    /// <summary>
    /// P(x) = (1 − s) · E[(Σ δ)²] + s · Σ E[δ²] + (Σ ρ)², sums over the choices that the plan takes, expectations over samples.
    /// Rows and rises stand in the order of sub-graphs, of their layers, and of the layers' choices; structures have none.
    /// </summary>
    /// <param name="Deltas">Signed first-order change δ of each sample's loss: a row per choice, empty for one without error.</param>
    /// <param name="Rises">Mean rise ρ of the loss per choice, at least 0.</param>
    /// <param name="Shrinkage">
    /// Weight s of 0 to 1 by which correlations between layers, noisy when samples are few, are drawn to zero;
    /// see <see cref="Solving.Shrinkage.Estimate"/>.
    /// </param>
    public sealed record Quadratic(IReadOnlyList<double[]> Deltas, IReadOnlyList<double> Rises, double Shrinkage) : LossModel
    {
        /// <summary>What counts on top of P for the choice of samples, or null: P alone.</summary>
        public SampleDoubt? Doubt { get; init; }
    }
}
