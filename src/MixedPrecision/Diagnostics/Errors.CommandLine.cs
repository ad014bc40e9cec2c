namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    /// <param name="problem">What the parser says is wrong, as a sentence.</param>
    /// <param name="command">The command as one would type it, for its help.</param>
    public static MixedPrecisionException InvalidCommandLine(string problem, string command) => new(
        Codes.InvalidCommandLine,
        Place.None,
        $"{problem} '{command} --help' lists what can be given.");
}
