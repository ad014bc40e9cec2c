using MixedPrecision.Caching;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Cli;

/// <summary>The verbs that measure nothing, as calls of the pipeline.</summary>
internal static class FileVerbs
{
    /// <summary>The lines of the result, or null: it is another verb.</summary>
    public static IReadOnlyList<string>? Execute(Invocation invocation, Reporter reporter, CancellationToken cancel)
    {
        switch (invocation.Verb)
        {
            case Verb.Show:
                return Verbs.Show(invocation.File) is var shown && invocation.Json ? [shown.ToJson()] : [.. shown.ToLines()];
            case Verb.Diff:
                return Verbs.Diff(invocation.File, invocation.Other!) is var diff && invocation.Json ? [diff.ToJson()] : [.. diff.ToLines()];
            case Verb.Init:
                var options = new RunOptions(null, null, reporter.Progress, reporter.Diagnose, cancel);
                return Verbs.Init(invocation.File, invocation.Output, options) is var draft && invocation.Json ? [draft.ToJson()] : [.. draft.ToLines()];
            case Verb.Data:
                var request = new DataRequest(invocation.File, invocation.From, invocation.Output!)
                {
                    Evaluation = invocation.Evaluation,
                    Labels = invocation.Labels,
                    Tokenizer = invocation.Tokenizer,
                    Images = invocation.Images,
                };
                request = invocation.Samples is { } samples ? request with { Samples = samples } : request;
                return Verbs.Data(request, new RunOptions(null, null, reporter.Progress, reporter.Diagnose, cancel)) is var data && invocation.Json ? [data.ToJson()] : [.. data.ToLines()];
            case Verb.Completion:
                return invocation.Json ? [CompletionScript.Json(invocation.File)] : CompletionScript.Lines(invocation.File);
            case Verb.CacheInfo:
                return Verbs.CacheInfo(Folder(invocation)) is var contents && invocation.Json ? [contents.ToJson()] : [.. contents.ToLines()];
            case Verb.CachePrune or Verb.CacheClear or Verb.CacheExport or Verb.CacheImport:
                string folder = Folder(invocation);
                Reporting.CacheChange change = invocation.Verb switch
                {
                    Verb.CachePrune => Verbs.CachePrune(folder, invocation.OlderThan, invocation.Keep, DateTime.UtcNow),
                    Verb.CacheClear => Verbs.CacheClear(folder),
                    Verb.CacheExport => Verbs.CacheExport(folder, invocation.File, cancel),
                    _ => Verbs.CacheImport(folder, invocation.File, cancel),
                };
                return invocation.Json ? [change.ToJson()] : [.. change.ToLines()];
            default:
                return null;
        }
    }

    private static string Folder(Invocation invocation) => Path.GetFullPath(invocation.CacheFolder ?? ContentStore.DefaultFolder());
}
