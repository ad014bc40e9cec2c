namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    public static MixedPrecisionException EmittedModelDoesNotRun(string file, string reason) => new(
        Codes.EmittedModelDoesNotRun,
        new Place(file),
        $"ONNX Runtime does not run the emitted model: {reason.TrimEnd('.')}. The original runs, so a rewritten layer is at fault. Pin the layer that the "
        + "reason names to fp32 in the policy, and report this.");

    public static MixedPrecisionException EmittedModelDiffersFromPlan(Place place, string planned, string found) => new(
        Codes.EmittedModelDiffersFromPlan,
        place,
        $"The emitted file does not carry the plan: {planned} was planned, and {found} was found. The file was changed after it was written, "
        + "or the engine is at fault: build again, and report this if it stays.");

    public static MixedPrecisionException KernelNotAsPromised(string file, string layer, string format, string expected, string found) => new(
        Codes.KernelNotAsPromised,
        new Place(file, Node: layer),
        $"ONNX Runtime does not run the layer in the kernel that {format} rests on: expected is {expected}, found in the optimized graph is {found}. "
        + "Pin the layer to fp32 or another format in the policy, and report this with the operators around the layer.");

    public static Diagnostic OutputsDisagree(string file, string output, double difference, double tolerance) => new(
        Codes.OutputsDisagree,
        Severity.Error,
        new Place(file, Tensor: output),
        $"with ONNX Runtime's optimizations and without them the emitted model gives different results: output '{output}' differs by {difference:P3} (relative root mean square), and rounding explains "
        + $"{tolerance:P3}. An optimization goes wrong on a rewritten layer: the plan does not ship. Pin layers to fp32 in the policy to find out which, and report this.");

    public static Diagnostic NotRepeatable(string file, bool isRead, string output, double difference, IReadOnlyList<string> nodes, bool isSeeded) => new(
        Codes.NotRepeatable,
        isRead && !isSeeded ? Severity.Error : Severity.Warning,
        new Place(file, Node: nodes.Count > 0 ? nodes[0] : null, Tensor: nodes.Count > 0 ? null : output),
        $"the original model gives other results each time on the same inputs: output '{output}' differs by {difference:P3} (relative root mean square) between two runs, "
        + (nodes.Count == 0 ? "and no operator that draws random numbers leads to it. " : $"and depends on {Wording.List(nodes)}, where random numbers are drawn. ")
        + (!isRead ? "The loss does not read this output; what is measured of it says nothing."
            : isSeeded ? "They have seeds, so that original and quantized model are compared on the same numbers; what calibration predicts may be off. Data in which the noise is switched off is better."
            : "No error of quantization can be told from that. Give data in which the noise is switched off (many models scale it by an input), export the model without it, or name another output as calibration.output."));

    public static MixedPrecisionException LossOutputChangesSize(Place sample, string output, string original, string other) => new(
        Codes.LossOutputChangesSize,
        sample with { Tensor = output },
        $"the loss reads output '{output}', whose size changes with rounding: {original} from the original and {other} from the quantized model, so that the two cannot be compared. "
        + "Name an output of fixed size as calibration.output, such as the scores or boxes before NonMaxSuppression, NonZero, Compress or TopK; add it to the model's outputs if it is none.");
}
