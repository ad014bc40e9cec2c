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
}
