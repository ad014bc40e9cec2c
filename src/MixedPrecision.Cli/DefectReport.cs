using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Cli;

/// <summary>What becomes of an exception that nothing expected: one line for the user, and its trace in a file for a report.</summary>
public static class DefectReport
{
    private const string RuntimeIsOutOfMemory = "allocate memory";

    /// <summary>Reports, and gives the exit code.</summary>
    public static int Tell(Exception exception, Reporter reporter)
    {
        Exception cause = exception;
        while (cause is AggregateException or TypeInitializationException or System.Reflection.TargetInvocationException && cause.InnerException is { } inner)
        {
            cause = inner;
        }

        string what = $"{cause.GetType().Name}: {VerbRunner.OneLine(cause.Message)}";
        if (cause is OutOfMemoryException || (cause is OnnxRuntimeException && cause.Message.Contains(RuntimeIsOutOfMemory, StringComparison.OrdinalIgnoreCase)))
        {
            reporter.Diagnose(Errors.MemoryExhausted(what).Diagnostic);
            return VerbRunner.UserError;
        }

        reporter.Diagnose(Errors.Defect(what, Keep(exception, [Path.GetTempPath, ContentStore.DefaultFolder])).Diagnostic);
        return VerbRunner.Defect;
    }

    /// <summary>Writes the trace into the first folder that takes it.</summary>
    /// <returns>The file, or null.</returns>
    internal static string? Keep(Exception exception, IEnumerable<Func<string>> folders)
    {
        string text = $"""
            mixed-precision {typeof(DefectReport).Assembly.GetName().Version?.ToString(3)}, ONNX Runtime {typeof(InferenceSession).Assembly.GetName().Version?.ToString(3)}
            {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}

            {exception}

            """;
        foreach (Func<string> folder in folders)
        {
            try
            {
                string file = Path.Combine(Directory.CreateDirectory(folder()).FullName, $"mixed-precision-report-{Guid.NewGuid():N}.txt");
                File.WriteAllText(file, text);
                return file;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or MixedPrecisionException)
            {
                // The next folder may take it, and without any the message says so.
            }
        }

        return null;
    }
}
