namespace MixedPrecision.Reporting;

/// <summary>The file of a model.</summary>
/// <param name="File">Its path as the user wrote it, or its name; never an absolute path.</param>
/// <param name="Sha256">SHA-256 of its bytes, lower-case hexadecimal.</param>
/// <param name="Bytes">Its size, files of external data included.</param>
/// <param name="Opset">Version of ONNX's own operator set.</param>
/// <param name="Nodes">Nodes of the main graph.</param>
public sealed record ModelSummary(string File, string Sha256, long Bytes, int Opset, int Nodes);

/// <summary>A sub-graph in the configuration that was chosen.</summary>
/// <param name="Index">Its place, from 0.</param>
/// <param name="Fingerprint">Hash of its structure.</param>
/// <param name="TimeGain">Predicted milliseconds that a run saves in it, weighted over the scenarios.</param>
/// <param name="TimeGainInterval">Lower and upper end of that gain's confidence interval.</param>
/// <param name="Layers">Its layers, in order.</param>
public sealed record PlannedSubgraph(
    int Index,
    string Fingerprint,
    double TimeGain,
    IReadOnlyList<double> TimeGainInterval,
    IReadOnlyList<PlannedLayer> Layers);

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

/// <summary>What the plan promises.</summary>
/// <param name="LossMse">Predicted loss MSE.</param>
/// <param name="RelativeLossError">√(loss MSE / E[g²]), to compare with the budget.</param>
/// <param name="TimeGain">Predicted milliseconds that a run saves, weighted over the scenarios.</param>
/// <param name="TimeGainInterval">Sums of the lower and of the upper ends of the sub-graphs' intervals.</param>
public sealed record Prediction(double LossMse, double RelativeLossError, double TimeGain, IReadOnlyList<double> TimeGainInterval);

/// <summary>How well the plan was proven.</summary>
/// <param name="Status">What the solver says of it, e.g. "optimal".</param>
/// <param name="Objective">Value of the objective at the plan, in the objective's unit (time: milliseconds a run).</param>
/// <param name="Bound">No plan within the budget has a greater objective than this.</param>
public sealed record SolverSummary(string Status, double Objective, double Bound);

/// <summary>A simpler way to choose, for comparison.</summary>
/// <param name="Name">"prefix", "random", "per-layer", or "uniform" and the format.</param>
/// <param name="LossMse">Its predicted loss MSE.</param>
/// <param name="TimeGain">Its predicted gain in milliseconds a run, weighted over the scenarios.</param>
/// <param name="WithinBudget">Whether the loss MSE is within the budget.</param>
public sealed record BaselinePlan(string Name, double LossMse, double TimeGain, bool WithinBudget);
