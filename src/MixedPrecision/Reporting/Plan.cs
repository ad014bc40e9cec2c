namespace MixedPrecision.Reporting;

/// <summary>The file of a model.</summary>
/// <param name="File">Its path as the user wrote it, or its name; never an absolute path.</param>
/// <param name="Sha256">SHA-256 of its bytes, lower-case hexadecimal.</param>
/// <param name="Bytes">Its size, files of external data included.</param>
/// <param name="Opset">Version of ONNX's own operator set.</param>
/// <param name="Nodes">Nodes of the main graph.</param>
public sealed record ModelSummary(string File, string Sha256, long Bytes, int Opset, int Nodes);

/// <summary>What a choice gains over the original.</summary>
/// <param name="Value">Best estimate.</param>
/// <param name="Interval">Lower and upper end of its confidence interval, of a sum the sums of the ends; equal where the gain is computed.</param>
/// <param name="Unit">"milliseconds" a run, weighted over the scenarios; "bytes"; or "multiply-accumulates" a run, counted in those of fp32.</param>
public sealed record ReportedGain(double Value, IReadOnlyList<double> Interval, string Unit)
{
    /// <summary>Ends of the interval, or twice the value where a manifest has none.</summary>
    internal (double Low, double High) Ends => Interval is [double low, double high] ? (low, high) : (Value, Value);
}

/// <summary>A sub-graph in a configuration.</summary>
/// <param name="Index">Its place, from 0.</param>
/// <param name="Fingerprint">Hash of what was exported.</param>
/// <param name="Structure">How it is written.</param>
/// <param name="Gain">What it is predicted to gain.</param>
/// <param name="Layers">Its layers, in order.</param>
public sealed record PlannedSubgraph(int Index, string Fingerprint, string Structure, ReportedGain Gain, IReadOnlyList<PlannedLayer> Layers);

/// <summary>A layer in the format that was chosen.</summary>
/// <param name="Name">Name of its node in the original model.</param>
/// <param name="Operator">Its operator.</param>
/// <param name="WeightShape">Shape of the constant weight; empty for a product of two activations.</param>
/// <param name="Format">The format chosen.</param>
/// <param name="Pinned">The pattern of the policy's rule that sets the format, or null when it was free.</param>
/// <param name="Sensitivity">Per format that applies, the loss MSE that the layer alone is predicted to add.</param>
/// <param name="NotApplicable">Formats that the layer cannot have, and why.</param>
public sealed record PlannedLayer(
    string Name,
    string Operator,
    IReadOnlyList<long> WeightShape,
    string Format,
    string? Pinned,
    IReadOnlyDictionary<string, double> Sensitivity,
    IReadOnlyDictionary<string, string> NotApplicable);

/// <summary>What is predicted of a plan.</summary>
/// <param name="LossMse">Predicted loss MSE.</param>
/// <param name="RelativeLossError">√(loss MSE / E[g²]), to compare with the budget.</param>
/// <param name="Interval">
/// Ends of the interval of the relative loss error, of 90 %, as far as the choice of calibration samples leaves it in doubt; equal where nothing does; null in manifests that were written without.
/// </param>
/// <param name="Gain">Sum of what the sub-graphs are predicted to gain.</param>
public sealed record Prediction(double LossMse, double RelativeLossError, double[]? Interval, ReportedGain Gain);

/// <summary>How well the plan was proven.</summary>
/// <param name="Status">What the solver says of it, e.g. "optimal".</param>
/// <param name="Objective">Value of the objective at the plan, in the objective's unit (time: milliseconds a run).</param>
/// <param name="Bound">No plan within the budget has a greater objective than this, also with configurations that were not timed.</param>
/// <param name="Timed">Configurations whose gain is known, counting equal sub-graphs once.</param>
/// <param name="Possible">Configurations that there are, counted likewise.</param>
public sealed record SolverSummary(string Status, double Objective, double Bound, int Timed, double Possible);

/// <summary>A simpler way to choose, for comparison, at the budget that the plan was made for.</summary>
/// <param name="Name">"prefix", "random", "per-layer", or "uniform" and the format.</param>
/// <param name="LossMse">Its predicted loss MSE.</param>
/// <param name="Gain">Its predicted gain, counted as the program counts it.</param>
/// <param name="WithinBudget">Whether the loss MSE is within the budget.</param>
public sealed record StrategyPlan(string Name, double LossMse, double Gain, bool WithinBudget);

/// <summary>A plan that was made, emitted and measured on the way to the one that is shipped.</summary>
/// <param name="Tau">τ that it was solved for.</param>
/// <param name="Formats">Layers by format.</param>
/// <param name="PredictedLossMse">Predicted loss MSE.</param>
/// <param name="PredictedRelativeLossError">√(predicted loss MSE / E[g²]).</param>
/// <param name="MeasuredRelativeLossError">The same as measured on the evaluation samples.</param>
/// <param name="Measured">What the budget is about, as measured.</param>
/// <param name="WithinBudget">Whether that is within the budget.</param>
public sealed record PlanAttempt(
    double Tau,
    IReadOnlyDictionary<string, int> Formats,
    double PredictedLossMse,
    double PredictedRelativeLossError,
    double MeasuredRelativeLossError,
    double Measured,
    bool WithinBudget);

/// <summary>A file that might have been shipped.</summary>
/// <param name="Name">"plan", "uniform" and the format, or "exact".</param>
/// <param name="PredictedGain">What it was predicted to gain.</param>
/// <param name="RelativeLossError">As measured on the evaluation samples.</param>
/// <param name="Measured">What the budget is about, as measured.</param>
/// <param name="WithinBudget">Whether that is within the budget; only then it is timed.</param>
/// <param name="Bytes">Size of its files.</param>
/// <param name="MeasuredGain">Milliseconds that a run saves over the original, measured in one run with the others; null where it was not timed: over the budget, or with outputs that depend on optimizations.</param>
/// <param name="Problem">Why it must not be shipped though it is within the budget, or null.</param>
public sealed record ComparedModel(
    string Name,
    ReportedGain PredictedGain,
    double RelativeLossError,
    double Measured,
    bool WithinBudget,
    long Bytes,
    ReportedGain? MeasuredGain,
    string? Problem = null);

/// <summary>What is shipped under the emitted name.</summary>
/// <param name="What">"plan", "uniform" and the format, "exact" (every layer as it is, exact rewrites alone), "original", or "rules" where nothing is left but what rules pin.</param>
/// <param name="Why">The reason.</param>
public sealed record ShippedModel(string What, string Why)
{
    /// <summary>What is shipped where nothing was gained.</summary>
    public const string Original = "original";
}
