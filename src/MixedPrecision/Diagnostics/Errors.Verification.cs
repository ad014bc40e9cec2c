namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    public static MixedPrecisionException EmittedModelDoesNotRun(string file, string reason) => new(
        Codes.EmittedModelDoesNotRun,
        new Place(file),
        $"ONNX Runtime does not run the emitted model: {reason.TrimEnd('.')}. The original runs, so a rewritten layer is at fault. Pin the layer that the "
        + "reason names to fp32 in the policy, and report this.");

    public static MixedPrecisionException EmittedModelDiffersFromPlan(string file, string layer, string planned, string? found) => new(
        Codes.EmittedModelDiffersFromPlan,
        new Place(file, Node: layer),
        $"The emitted file does not carry the plan: {planned} was planned, and {found ?? "something else"} was found. The file was changed after it was written, "
        + "or the engine is at fault: build again, and report this if it stays.");
}
