using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Cli;

/// <summary>Where progress, diagnostics and results of a run go. Calls may come from several threads.</summary>
public abstract class Reporter
{
    public abstract void Progress(ProgressUpdate update);

    public abstract void Diagnose(Diagnostic diagnostic);

    /// <summary>The result for people, or for <c>--json</c> the document.</summary>
    public abstract void Result(IEnumerable<string> lines);

    /// <summary>Runs the work; what is shown only meanwhile (bars) ends with it.</summary>
    public virtual void During(Action work) => work();

    /// <summary>Leaves the terminal as it was, where the process ends and the work does not.</summary>
    public virtual void Abandon()
    {
    }

    /// <summary>The page about a code, beside the tool, as a link; null where the code has none.</summary>
    public static string HelpLink(ErrorCode code)
    {
        string anchor = $"{code.Id} {code.Title}".ToLowerInvariant().Replace(' ', '-');
        string kept = string.Concat(anchor.Where(character => char.IsAsciiLetterOrDigit(character) || character == '-'));
        return new Uri(Path.Combine(AppContext.BaseDirectory, "errors.md")).AbsoluteUri + "#" + kept;
    }
}
