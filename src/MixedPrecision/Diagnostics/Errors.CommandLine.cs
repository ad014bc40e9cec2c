namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    /// <param name="problem">What the parser says is wrong, as a sentence.</param>
    /// <param name="command">The command as one would type it, for its help.</param>
    public static MixedPrecisionException InvalidCommandLine(string problem, string command) => new(
        Codes.InvalidCommandLine,
        Place.None,
        $"{problem} '{command} --help' lists what can be given.");

    /// <param name="what">The exception, as one line.</param>
    /// <param name="report">The file that holds its trace, or null: no folder could be written.</param>
    public static MixedPrecisionException Defect(string what, string? report) => new(
        Codes.Defect,
        report is null ? Place.None : new Place(report),
        $"The tool failed in a way that it should not: {what.TrimEnd('.')}. Please report this to the authors of MixedPrecision.Build, with the command and "
        + (report is null ? "this line; its trace could not be kept, since neither the temporary nor the cache folder can be written." : $"the file '{report}', which holds the trace."));

    /// <param name="model">The file.</param>
    /// <param name="layer">What was asked for.</param>
    /// <param name="layers">Names of all layers.</param>
    public static MixedPrecisionException LayerUnknown(string model, string layer, IReadOnlyList<string> layers) => new(
        Codes.LayerUnknown,
        new Place(model, Node: layer),
        $"The model has no layer {Wording.Quote(layer)}{Wording.DidYouMean(layer, layers)} It has {Wording.List(layers)}; 'mixed-precision inspect MODEL --json' has them all.");

    public static MixedPrecisionException MemoryExhausted(string what) => new(
        Codes.MemoryExhausted,
        Place.None,
        $"Memory was exhausted: {what.TrimEnd('.')}. Give the process more memory (a container's limit counts), fewer or smaller samples, or smaller scenarios.");

    /// <param name="file">The app's native library.</param>
    /// <param name="app">Version of the app's ONNX Runtime.</param>
    /// <param name="reason">Why the tool cannot run it, as a clause.</param>
    /// <param name="own">Version of the tool's own.</param>
    /// <param name="needed">The oldest version that it can run.</param>
    public static Diagnostic OtherRuntime(string file, string app, string reason, string own, string needed) => new(
        Codes.OtherRuntime,
        Severity.Warning,
        new Place(file),
        $"The app runs ONNX Runtime {app}, which the tool cannot: {reason}. Loss, kernels and times are those of {own}, the tool's own. Reference Microsoft.ML.OnnxRuntime {own}, or {needed} or newer, in the app.");

    /// <param name="path">The lock.</param>
    /// <param name="app">Version of the app's ONNX Runtime.</param>
    /// <param name="locked">Version that the lock was made with.</param>
    public static Diagnostic OtherRuntimeThanLocked(string path, string app, string locked) => new(
        Codes.OtherRuntime,
        Severity.Warning,
        new Place(path),
        $"The app runs ONNX Runtime {app}, and the lock was made with {Wording.Escape(locked)}: loss, kernels and times are those of the latter. Reference Microsoft.ML.OnnxRuntime {Wording.Escape(locked)} in the app, or lock again with a version of the tool that has the app's.");
}
