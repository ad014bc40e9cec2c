using MixedPrecision.Benchmarking;
using static MixedPrecision.Reporting.Page.Markup;

namespace MixedPrecision.Reporting.Page;

/// <summary>What the numbers stand on.</summary>
internal static class ProvenanceSection
{
    public static Section Of(PageData data)
    {
        Manifest manifest = data.Manifest;
        Machine machine = manifest.Machine;
        return new Section(
            "provenance",
            "What this stands on",
            Tag(
                "dl",
                [("class", "facts")],
                [
                    .. Fact("Original", All(Name(manifest.Model.File), Details(manifest.Model))),
                    .. Fact("Emitted", All(Name(manifest.Output.File), Details(manifest.Output))),
                    .. manifest.Scenario is { } scenario ? Fact("Scenario", scenario) : [],
                    .. manifest.Shared is { } shared ? Fact("Weights", All($"{ReportText.Bytes(shared.Bytes)} in ", Name(shared.File), $", shared by {string.Join(", ", shared.Models)}{(shared.Same.Count > 0 ? $"; the same plan as {string.Join(", ", shared.Same)}" : "")}")) : [],
                    .. Fact("Policy", Name(manifest.Policy)),
                    .. Fact("Budget", manifest.Budget.Text),
                    .. Fact("Objective", manifest.Objective),
                    .. manifest.Loss is { } loss ? Fact("Loss", loss) : [],
                    .. Fact("Samples", $"{ReportText.Count(manifest.Samples.Calibration)} to calibrate, {ReportText.Count(manifest.Samples.Evaluation)} to evaluate"),
                    .. Fact("Machine", $"{machine.Processor}, {ReportText.Count(machine.Cores, "logical processor")}, {machine.OperatingSystem} {machine.Architecture}"),
                    .. Fact("Instruction sets", string.Join(", ", machine.InstructionSets)),
                    .. Fact("Runtime", $"ONNX Runtime {machine.Runtime}, provider {machine.Provider}, {(machine.Threads == 0 ? "threads as the runtime chooses" : ReportText.Count(machine.Threads, "thread"))}"),
                    .. machine.Options is { Count: > 0 } options ? Fact("Session options", Tag("code", string.Join(' ', options.Select(o => o.ToCode())))) : [],
                    .. manifest.Profile is { } profile
                        ? Fact("Times", $"of {profile.Machine.Processor}, ONNX Runtime {profile.Machine.Runtime}, from the profile {profile.File}; end-to-end time was not measured there") : [],
                    .. Fact("Engine", manifest.Engine),
                ]));
    }

    private static Markup[] Fact(string name, Markup value) => [Tag("dt", name), Tag("dd", value)];

    private static Markup Details(ModelSummary model) => Tag(
        "span",
        [("class", "note")],
        $" {ReportText.Bytes(model.Bytes)}, opset {model.Opset}, {ReportText.Count(model.Nodes, "node")}, SHA-256 ",
        Tag("code", [("class", "hash")], model.Sha256));
}
