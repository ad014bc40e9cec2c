using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Cli;

/// <summary>The verbs, as calls of the pipeline.</summary>
internal static class Engine
{
    /// <summary>The lines of the result: a summary for people, or with <c>--json</c> the document.</summary>
    public static IReadOnlyList<string> Execute(Invocation invocation, Reporter reporter, CancellationToken cancel)
    {
        if (FileVerbs.Execute(invocation, reporter, cancel) is { } told)
        {
            return told;
        }

        bool hasPolicy = invocation.Verb is not (Verb.Inspect or Verb.Gradient or Verb.Report);
        string? cache = hasPolicy ? Path.GetFullPath(invocation.CacheFolder ?? ContentStore.DefaultFolder()) : null;
        var options = new RunOptions(cache, invocation.Budget, reporter.Progress, reporter.Diagnose, cancel) { ShowKeys = invocation.ShowKeys, IsLocked = invocation.IsLocked, RuntimeWarning = invocation.Runtime?.Bind(), AppRuntime = invocation.Runtime?.Version, RuntimeIdentifier = invocation.RuntimeIdentifier };
        if (hasPolicy)
        {
            Verbs.MakeReady(cancel);
        }

        string? output = invocation.Output is null ? null : Path.GetFullPath(invocation.Output);
        WritableFolders.Check(
            cache, invocation.Export is { } export ? Path.GetDirectoryName(Path.GetFullPath(export)) : invocation.Verb is Verb.Gradient or Verb.Report ? Path.GetDirectoryName(output ?? Path.GetFullPath(invocation.File)) : output);
        OutputGuard.Check(new[] { invocation.InputsFile }.OfType<string>(), [invocation.File]);
        using MachineLock? alone = hasPolicy && File.Exists(invocation.File) ? MachineLock.OfPolicy(invocation.File, cache!, cancel, text => reporter.Progress(new ProgressUpdate(
            invocation.Verb.ToString().ToLowerInvariant(), text))) : null;
        return invocation.Verb switch
        {
            Verb.Inspect => Verbs.Inspect(invocation.File, options) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()],
            Verb.Calibrate => Verbs.Calibrate(invocation.File, options) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()],
            Verb.Benchmark => Verbs.Benchmark(invocation.File, options, invocation.Export, invocation.Emitted) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()],
            Verb.Solve => EachPlan(invocation, options, own => Verbs.Solve(invocation.File, own) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()]),
            Verb.Frontier => EachPlan(invocation, options, own => Verbs.Frontier(invocation.File, own) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()]),
            Verb.Explain => EachPlan(invocation, options, own => Verbs.Explain(invocation.File, invocation.Layer, own) is var report && invocation.Json ? [report.ToJson()] : [.. report.ToLines()]),
            Verb.Validate => Verbs.Validate(invocation.File, invocation.Output!, options, invocation.Samples) is var result && invocation.Json ? [result.ToJson()] : [.. result.ToLines()],
            Verb.Lock => Verbs.Lock(invocation.File, options) is var made && invocation.Json ? [made.ToJson()] : [.. made.ToLines()],
            Verb.Gradient => Verbs.Gradient(invocation.File, invocation.Output!, invocation.Loss, invocation.WithRespectTo, options) is var gradient && invocation.Json ? [gradient.ToJson()] : [.. gradient.ToLines()],
            Verb.Report => Verbs.Report(invocation.File, invocation.Output, options) is var page && invocation.Json ? [page.ToJson()] : [.. page.ToLines()],
            _ => Quantize(invocation, options, reporter),
        };
    }

    /// <summary>What a verb tells of each plan of the policy: of several under the name of its scenario, or as a list of documents.</summary>
    private static IReadOnlyList<string> EachPlan(Invocation invocation, RunOptions options, Func<RunOptions, IReadOnlyList<string>> tell)
    {
        IReadOnlyList<ScenarioPlan> plans = Verbs.PlansOf(invocation.File);
        if (plans.Count == 0)
        {
            return tell(options);
        }

        IEnumerable<(string Label, IReadOnlyList<string> Lines)> told = plans.Select(p => (p.Label, tell(options with { Scenario = p.Key })));
        return invocation.Json
            ? [ReportDocuments.Together([.. told.SelectMany(t => t.Lines)])]
            : [.. told.SelectMany(t => t.Lines.Prepend($"for the scenario {Wording.Quote(t.Label)} alone"))];
    }

    private static IReadOnlyList<string> Quantize(Invocation invocation, RunOptions options, Reporter reporter)
    {
        QuantizeResult result = Verbs.Quantize(invocation.File, invocation.Output!, options);
        if (invocation.InputsFile is not null)
        {
            OutputGuard.Check([invocation.InputsFile], result.InputFiles);
            File.WriteAllLines(invocation.InputsFile, result.InputFiles);
        }

        if (reporter is MSBuildReporter build)
        {
            BuildResult.Tell(result, invocation.File, Path.GetFullPath(invocation.Output!), build);
            return [];
        }

        return invocation.Json ? [result.ToJson()] : [.. result.ToLines()];
    }
}
