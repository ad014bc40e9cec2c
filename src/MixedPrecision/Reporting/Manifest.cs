using MixedPrecision.Benchmarking;

namespace MixedPrecision.Reporting;

/// <summary>
/// The precision manifest, which is written beside the emitted model: what was chosen, why, and what was measured. It holds no
/// absolute path and no clock time, and equal inputs and timings give equal bytes. build/manifest.schema.json describes it.
/// </summary>
/// <param name="Schema">Version of the manifest's schema: <see cref="CurrentSchema"/>.</param>
/// <param name="Engine">Version of the engine that wrote it.</param>
/// <param name="Model">The original model.</param>
/// <param name="Output">The emitted model.</param>
/// <param name="Budget">τ that the plan was made for, as a fraction.</param>
/// <param name="StatedBudget">The budget as the policy states it.</param>
/// <param name="Loss">Name of the loss.</param>
/// <param name="Objective">"time", "theoretical-time" or "memory".</param>
/// <param name="Samples">How many samples the numbers stand on.</param>
/// <param name="Machine">Where it was measured.</param>
/// <param name="Subgraphs">The plan.</param>
/// <param name="Excluded">Linear operators that are no layers, and why.</param>
/// <param name="Predicted">What the plan promises.</param>
/// <param name="Measured">What was measured on the emitted file.</param>
/// <param name="Bytes">Sizes of the two files.</param>
/// <param name="Solver">How well the plan was proven.</param>
/// <param name="Baselines">Simpler ways to choose.</param>
/// <param name="Warnings">What the reader should know.</param>
public sealed record Manifest(
    int Schema,
    string Engine,
    ModelSummary Model,
    ModelSummary Output,
    double Budget,
    StatedBudget StatedBudget,
    string Loss,
    string Objective,
    SampleCounts Samples,
    Machine Machine,
    IReadOnlyList<PlannedSubgraph> Subgraphs,
    IReadOnlyList<ExcludedNode> Excluded,
    Prediction Predicted,
    Measurement Measured,
    FileSizes Bytes,
    SolverSummary Solver,
    IReadOnlyList<BaselinePlan> Baselines,
    IReadOnlyList<string> Warnings)
{
    public const int CurrentSchema = 1;

    public string ToJson() => ReportJson.Write(this);

    /// <summary>A summary for people: what the build prints.</summary>
    public IEnumerable<string> ToLines() =>
    [
        $"{Output.File}: {PlanText.Formats(Subgraphs)}, {ReportText.Bytes(Bytes.Original)} → {ReportText.Bytes(Bytes.Mixed)}",
        PlanText.Predicted(Predicted, Budget, Objective),
        .. Measured.ToLines(Budget),
        .. StatedBudget.ToLines(),
        PlanText.Solver(Solver),
        .. ReportText.Warnings(Warnings),
    ];
}

/// <summary>The budget in the policy's words, and what was measured of it on the evaluation samples.</summary>
/// <param name="Text">As a policy says it, such as "lossIncrease: 1%".</param>
/// <param name="Allowed">Its value, as a fraction.</param>
/// <param name="Measured">What it is about, as measured; it must not pass what is allowed.</param>
public sealed record StatedBudget(string Text, double Allowed, double Measured)
{
    /// <summary>Nothing for the error of the loss, which other lines say.</summary>
    internal IEnumerable<string> ToLines() => Text.StartsWith("lossError", StringComparison.Ordinal) ? [] : [$"budget {Text}: measured {ReportText.Percent(Measured)}"];
}

/// <summary>How many samples the numbers stand on.</summary>
/// <param name="Calibration">Samples that sensitivities were taken from.</param>
/// <param name="Evaluation">Samples, none of them among those, that the emitted file was verified on.</param>
public sealed record SampleCounts(int Calibration, int Evaluation);

/// <summary>Sizes of the model files in bytes, external data included.</summary>
/// <param name="Original">The original model.</param>
/// <param name="Mixed">The emitted model.</param>
public sealed record FileSizes(long Original, long Mixed);
