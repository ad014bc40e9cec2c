using MixedPrecision.Pipeline;

namespace MixedPrecision.Cli;

/// <summary>The verbs, as calls of the pipeline.</summary>
internal static class Engine
{
    /// <summary>The lines of the result: a summary for people, or with <c>--json</c> the document.</summary>
    public static IReadOnlyList<string> Execute(Invocation invocation, Reporter reporter, CancellationToken cancel)
    {
        var options = new RunOptions(invocation.CacheFolder, invocation.Budget, reporter.Progress, reporter.Diagnose, cancel);
        return invocation.Verb switch
        {
            Verb.Inspect => Verbs.Inspect(invocation.File, options) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()],
            Verb.Calibrate => Verbs.Calibrate(invocation.File, options) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()],
            Verb.Benchmark => Verbs.Benchmark(invocation.File, options) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()],
            Verb.Solve => Verbs.Solve(invocation.File, options) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()],
            Verb.Gradient => Verbs.Gradient(invocation.File, invocation.Output!, invocation.Loss, invocation.WithRespectTo, options),
            _ => Quantize(invocation, options),
        };
    }

    private static IReadOnlyList<string> Quantize(Invocation invocation, RunOptions options)
    {
        QuantizeResult result = Verbs.Quantize(invocation.File, invocation.Output!, options);
        if (invocation.InputsFile is not null)
        {
            File.WriteAllLines(invocation.InputsFile, result.InputFiles);
        }

        return invocation.Json ? [result.ToJson()] : [.. result.ToLines()];
    }
}
