using MixedPrecision.Diagnostics;

namespace MixedPrecision.Cli;

/// <summary>Turns what became of a verb into output and exit code.</summary>
public static class VerbRunner
{
    public const int Success = 0;
    public const int UserError = 1;
    public const int Defect = 70;
    public const int Cancelled = 130;

    /// <summary>Runs to an exit code; a failure that the user can mend is reported, any other is thrown.</summary>
    /// <param name="execute">The verb; returns the lines of its result.</param>
    public static int Run(Func<IReadOnlyList<string>> execute, Reporter reporter, CancellationToken cancel)
    {
        try
        {
            IReadOnlyList<string> result = [];
            reporter.During(() => result = execute());
            reporter.Result(result);
            return Success;
        }
        catch (MixedPrecisionException exception)
        {
            reporter.Diagnose(exception.Diagnostic);
            return UserError;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException && !IsOfAnAssembly(exception))
        {
            // Where a stage knows more than the system's own words, it has said so with a code of its own.
            reporter.Diagnose(Errors.FileUnusable(Place.None, OneLine(exception.Message)).Diagnostic);
            return UserError;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return Cancelled;
        }
    }

    /// <summary>Messages of the system and of libraries may be broken over lines; a diagnostic is one line.</summary>
    internal static string OneLine(string message) => string.Join(' ', message.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries));

    /// <summary>A library of the tool's own that is missing or damaged is no file of the user's.</summary>
    private static bool IsOfAnAssembly(Exception exception) =>
        exception is FileLoadException || (exception is FileNotFoundException missing && missing.FileName?.Contains(", Version=", StringComparison.Ordinal) == true);
}
