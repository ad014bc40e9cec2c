using System.CommandLine;
using System.CommandLine.Parsing;
using Run = System.Func<MixedPrecision.Cli.Invocation, System.Threading.CancellationToken, System.Threading.Tasks.Task<int>>;

namespace MixedPrecision.Cli;

/// <summary>Verbs that measure nothing: of manifests, of the cache, and the one to begin with.</summary>
public sealed partial class CommandLine
{
    private readonly Argument<string> before = new("BEFORE") { Description = "A precision manifest." };
    private readonly Argument<string> after = new("AFTER") { Description = "The precision manifest that is held against it." };
    private readonly Option<string> draft = new("--output", "-o") { Description = "The file that the policy goes to; beside the model by default, as model.policy.yaml. It must not exist.", HelpName = "FILE" };
    private readonly Argument<string> archive = new("FILE") { Description = "The archive, a tar file." };
    private readonly Argument<string> shell = ShellArgument();
    private readonly Option<TimeSpan?> olderThan = new("--older-than")
    {
        Description = "Remove what was not used for as long: minutes, hours, days or weeks, such as 30d.",
        HelpName = "AGE",
        CustomParser = result => Read(result, CacheAmounts.Age, "an age such as 90m, 12h, 30d or 8w"),
    };
    private readonly Option<long?> keep = new("--keep")
    {
        Description = "Remove what was not used for longest, until the rest is as small: kB, MB, GB, TB, such as 2GB.",
        HelpName = "SIZE",
        CustomParser = result => Read(result, CacheAmounts.Size, "a size such as 500MB or 2GB"),
    };

    private Command Show(Run run) => Of(Verb.Show, "show", "Show a manifest: what was shipped and why, what was measured, the layers in groups.", run, [manifest], json);

    private Command Diff(Run run) => Of(Verb.Diff, "diff", "Say what differs between two manifests; one line if nothing does.", run, [before, after], json);

    private Command Init(Run run) => Of(Verb.Init, "init", "Write a commented policy for a model, with loss and scenarios guessed, and show a line of the data that it needs.", run, [model], draft, json);

    private Command Completion(Run run) => Of(Verb.Completion, "completion", "Print a script by which a shell completes verbs and options.", run, [shell], json);

    private Command Cache(Run run)
    {
        Command prune = Of(Verb.CachePrune, "prune", "Remove what was not used for long, or longest. What was used within the last hour stays.", run, [], olderThan, keep, json, cache);
        prune.Validators.Add(result =>
        {
            if (result.GetResult(olderThan) is null && result.GetResult(keep) is null)
            {
                result.AddError("--older-than or --keep has to say what goes.");
            }
        });
        return new Command("cache", "Look after the cache of calibrations and timings.")
        {
            Of(Verb.CacheInfo, "info", "Show the cache's folder, and files and bytes by stage.", run, [], json, cache),
            prune,
            Of(Verb.CacheClear, "clear", "Remove all of it, without a question.", run, [], json, cache),
            Of(Verb.CacheExport, "export", "Write all of it into one file, for another machine.", run, [archive], json, cache),
            Of(Verb.CacheImport, "import", "Take over what an archive holds and the cache does not. Results in it are believed: import only what you made, or trust.", run, [archive], json, cache),
        };
    }

    private Command Of(Verb verb, string name, string description, Run run, Argument<string>[] arguments, params Option[] options)
    {
        var command = new Command(name, description);
        Array.ForEach(arguments, command.Add);
        Array.ForEach(options, command.Add);
        command.SetAction((parsed, cancel) => run(
            new Invocation(
                verb,
                arguments is [var first, ..] ? parsed.GetRequiredValue(first) : "",
                options.Contains(draft) ? parsed.GetValue(draft) : null,
                options.Contains(cache) ? parsed.GetValue(cache) : null,
                null,
                parsed.GetValue(json),
                LogFormat.Text,
                null)
            {
                Other = arguments is [_, var second] ? parsed.GetRequiredValue(second) : null,
                OlderThan = options.Contains(olderThan) ? parsed.GetValue(olderThan) : null,
                Keep = options.Contains(keep) ? parsed.GetValue(keep) : null,
            },
            cancel));
        return command;
    }

    private static Argument<string> ShellArgument()
    {
        var argument = new Argument<string>("SHELL") { Description = "bash, zsh or pwsh." };
        argument.AcceptOnlyFromAmong([.. CompletionScript.Shells]);
        return argument;
    }

    private static T? Read<T>(ArgumentResult result, Func<string, T?> parse, string expected) where T : struct
    {
        string text = result.Tokens.Count > 0 ? result.Tokens[0].Value : "";
        if (parse(text) is { } value)
        {
            return value;
        }

        result.AddError($"'{text}' is not {expected}.");
        return null;
    }
}
