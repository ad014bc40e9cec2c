using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>A manifest for people: what <c>quantize</c> printed, what it stands on, and the layers, those that are alike together.</summary>
/// <param name="Manifest">The manifest.</param>
public sealed record ShownManifest(Manifest Manifest)
{
    /// <summary>The manifest as this version reads it.</summary>
    public string ToJson() => Manifest.ToJson();

    /// <summary>For people; it may be a stranger's, hence nothing in it reaches the terminal as a control character.</summary>
    public IEnumerable<string> ToLines() => Lines().Select(Wording.EscapeWhole);

    /// <summary>The loss MSE that the plan was allowed, as far as the manifest tells.</summary>
    internal static double? BudgetOf(Manifest manifest) => manifest.Budget.SolvedTau is > 0 and var tau && manifest.Predicted is { RelativeLossError: > 0 and var error, LossMse: var mse }
        ? tau * tau * mse / (error * error) : null;

    internal static string Text(Benchmarking.Machine machine) =>
        $"{machine.Processor}, {ReportText.Count(machine.Cores, "core")}, {machine.OperatingSystem} {machine.Architecture}, ONNX Runtime {machine.Runtime}, {machine.Provider}, {(machine.Threads == 0 ? "a thread for each core" : ReportText.Count(machine.Threads, "thread"))}";

    private IEnumerable<string> Lines()
    {
        double? budget = BudgetOf(Manifest);
        IReadOnlyList<LayerGroup> groups = LayerGroup.Of(Manifest.Subgraphs, Manifest.Tried, budget);
        return
        [
            .. Manifest.ToLines(),
            .. groups.Count == 0 ? [] : new[] { $"layers, {ReportText.Count(groups.Count, "kind")} of them in {ReportText.Count(Manifest.Subgraphs.Count, "sub-graph")}:" },
            .. ReportText.Table([.. groups.Select(g => g.Row(budget))]),
            $"made by {Manifest.Engine} from {Manifest.Model.File}{(Manifest.Policy.Length > 0 ? $" and {Manifest.Policy}" : "")}: budget {Manifest.Budget.Text}, loss {Manifest.Loss ?? "none"}, objective {Manifest.Objective}, "
                + $"{ReportText.Count(Manifest.Samples.Calibration, "sample")} to calibrate and {ReportText.Count(Manifest.Samples.Evaluation)} to verify",
            $"on {Text(Manifest.Machine)}",
        ];
    }
}
