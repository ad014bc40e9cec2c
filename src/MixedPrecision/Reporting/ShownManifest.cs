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

    internal static string Text(Benchmarking.Machine machine) =>
        $"{machine.Processor}, {ReportText.Count(machine.Cores, "core")}, {machine.OperatingSystem} {machine.Architecture}, ONNX Runtime {machine.Runtime}, {machine.Provider}, {(machine.Threads == 0 ? "a thread for each core" : ReportText.Count(machine.Threads, "thread"))}";

    private IEnumerable<string> Lines() =>
    [
        .. Manifest.ToLines(),
        .. LayerGroup.Lines(Manifest.Subgraphs, Manifest.Tried, PlanText.Allowed(Manifest.Budget.SolvedTau, Manifest.Predicted)),
        $"made by {Manifest.Engine} from {Manifest.Model.File}{(Manifest.Policy.Length > 0 ? $" and {Manifest.Policy}" : "")}: budget {Manifest.Budget.Text}, loss {Manifest.Loss ?? "none"}, objective {Manifest.Objective}, "
            + $"{ReportText.Count(Manifest.Samples.Calibration, "sample")} to calibrate and {ReportText.Count(Manifest.Samples.Evaluation)} to verify",
        $"on {Text(Manifest.Machine)}",
    ];
}
