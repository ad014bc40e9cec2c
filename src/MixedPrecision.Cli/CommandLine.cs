using System.CommandLine;
using System.CommandLine.Help;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Cli;

/// <summary>The verbs, arguments and options of <c>mixed-precision</c>, and what they mean as an <see cref="Invocation"/>.</summary>
public sealed partial class CommandLine
{
    private readonly Argument<string> model = new("MODEL") { Description = "The ONNX model." };
    private readonly Argument<string> policy = new("POLICY") { Description = "The policy, a YAML file." };
    private readonly Argument<string?> layer = new("LAYER") { Description = "The layer to tell all of; the whole plan by default.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string> output = new("--output", "-o") { Description = "The folder that the model and its manifest go to.", HelpName = "DIR", Required = true };
    private readonly Option<string> results = new("--output", "-o") { Description = "The folder that tables, pictures and summary go to.", HelpName = "DIR", Required = true };
    private readonly Option<int?> samples = new("--samples") { Description = "Samples at most to measure the loss on that calibration has not seen; 512 by default.", HelpName = "N" };
    private readonly Option<string> cache = new("--cache") { Description = "The folder of calibrations and timings; the user's cache folder by default.", HelpName = "DIR" };
    private readonly Option<string> budget = new("--budget") { Description = "Another budget than the policy's, such as 1%, 0.01 or \"accuracyDrop: 0.5%, size: 40 MB\".", HelpName = "B" };
    private readonly Option<bool> json = new("--json") { Description = "Print the result as one JSON document on standard output, and nothing else there." };
    private readonly Option<string> inputsFile = new("--inputs-file") { Description = "Write the paths of all files that were read, one per line.", HelpName = "FILE" };
    private readonly Option<bool> locked = new("--locked") { Description = "The policy has to have a lock that fits: what 'lock' writes." };
    private readonly Option<bool> showKeys = new("--show-keys") { Description = "Say of each stage what its result depends on: the parts of the key that it is kept by." };
    private readonly Option<string> export = new("--export") { Description = "Write a profile of this machine: all timings that a plan may ask for, to be named by 'runtime.profile' where it is made.", HelpName = "FILE" };
    private readonly Option<string> emitted = new("--emitted") { Description = "Time an emitted model against the original, end to end, in place of sub-graphs.", HelpName = "FILE" };
    private readonly Option<string> file = new("--output", "-o") { Description = "The file that the gradient model goes to.", HelpName = "FILE", Required = true };
    private readonly Argument<string> manifest = new("MANIFEST") { Description = "The precision manifest." };
    private readonly Option<string> page = new("--output", "-o") { Description = "The file that the page goes to; beside the manifest by default.", HelpName = "FILE" };
    private readonly Option<string> loss = new("--loss") { Description = "The output to differentiate, of one element; the model's only output by default.", HelpName = "OUTPUT" };
    private readonly Option<string[]> withRespectTo = new("--with-respect-to")
    {
        Description = "Inputs, initializers or inner values; every floating input by default.",
        HelpName = "NAME",
        AllowMultipleArgumentsPerToken = true,
    };
    private readonly Option<string> log = LogOption();

    /// <summary>Parses; errors are in the result, and <see cref="Problem"/> words them.</summary>
    /// <param name="run">Runs what the command line asks for and returns the exit code.</param>
    public ParseResult Parse(IReadOnlyList<string> arguments, Func<Invocation, CancellationToken, Task<int>> run)
    {
        var root = new RootCommand("Chooses the number format of every layer of an ONNX model: as fast as measured, within a budget of loss.")
        {
            Command(Verb.Inspect, "Show the model's sub-graphs and layers, and what cannot be quantized or differentiated.", run, model, json, cache, log),
            Command(Verb.Calibrate, "Measure how much each layer's formats add to the loss.", run, policy, json, budget, cache, showKeys, log),
            Command(Verb.Benchmark, "Time the sub-graphs in their configurations on this machine.", run, policy, export, emitted, json, budget, cache, showKeys, log),
            Command(Verb.Solve, "Choose the fastest plan within the budget.", run, policy, json, budget, cache, showKeys, log),
            Command(Verb.Frontier, "Show what each budget would buy: all plans that no other beats.", run, policy, json, budget, cache, showKeys, log),
            Explain(run),
            Command(Verb.Quantize, "Emit the quantized model, verify it, and write the precision manifest.", run, policy, output, json, budget, cache, inputsFile, locked, showKeys, log),
            Command(Verb.Lock, "Fix the plan: write all that the model is emitted from beside the policy, to be committed.", run, policy, json, cache, showKeys, log),
            Command(Verb.Validate, "Hold predictions of loss and time against measurements of the model, and the plan against simpler ways to choose.", run, policy, results, samples, json, cache, showKeys, log),
            Command(Verb.Gradient, "Write the model's gradient graph as a model that anyone can run.", run, model, file, loss, withRespectTo, json, log),
            Command(Verb.Report, "Write a manifest as a page to look at.", run, manifest, page, json, log),
            Show(run),
            Diff(run),
            Init(run),
            Data(run),
            Cache(run),
            Completion(run),
        };
        // The parser's slash forms of --help would take paths such as /?:name for it.
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Aliases.Remove("/?");
        help.Aliases.Remove("/h");
        HelpExamples.AddTo(help);
        return root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = ResponseFile.TryRead });
    }

    /// <summary>The error of a command line that cannot be understood.</summary>
    public static MixedPrecisionException Problem(ParseResult parsed)
    {
        // The parser breaks some of its messages over lines; a diagnostic is one line.
        Command command = parsed.CommandResult.Command;
        string problem = Misspelt(parsed)
            ?? string.Join(" ", parsed.Errors.Select(error => string.Join(' ', error.Message.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries)).TrimEnd('.') + "."));
        return Errors.InvalidCommandLine(problem, "mixed-precision" + (command is RootCommand ? "" : " " + HelpExamples.NameOf(command)));
    }

    /// <summary>A word that is near to a verb or an option; all else that the parser says follows from it. Null: there is none.</summary>
    private static string? Misspelt(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string[] names = [.. command.Subcommands.Select(verb => verb.Name), .. command.Options.Where(option => !option.Hidden).Select(option => option.Name)];
        // Behind a verb a word is an argument, which may be anything.
        string? word = parsed.UnmatchedTokens.FirstOrDefault(token => command.Subcommands.Count > 0 || token.StartsWith('-'));
        return word is not null && Wording.Nearest(word, names) is not null ? $"Unrecognized command or argument {Wording.Quote(word)}{Wording.DidYouMean(word, names)}" : null;
    }

    /// <summary>Whether the run was asked for JSON lines, also where the rest of the command line is wrong.</summary>
    public LogFormat LogFormatOf(ParseResult parsed) =>
        parsed.GetResult(log) is { Errors: var errors } && !errors.Any() && parsed.GetValue(log) == "msbuild" ? LogFormat.MSBuild : LogFormat.Text;

    private static Option<string> LogOption()
    {
        var option = new Option<string>("--log-format") { Hidden = true, DefaultValueFactory = _ => "text" };
        option.AcceptOnlyFromAmong("text", "msbuild");
        return option;
    }

    private Command Command(
        Verb verb, string description, Func<Invocation, CancellationToken, Task<int>> run, Argument<string> argument, params Option[] options)
    {
        var command = new Command(verb.ToString().ToLowerInvariant(), description) { argument };
        foreach (Option option in options)
        {
            command.Add(option);
        }
        command.Validators.Add(result =>
        {
            if (options.Contains(samples) && result.GetValue(samples) < 1)
            {
                result.AddError("--samples has to be at least 1.");
            }
            if (options.Contains(export) && result.GetValue(export) is not null && result.GetValue(emitted) is not null)
            {
                result.AddError("--export and --emitted exclude each other: one times parts, the other a whole.");
            }
            if (result.GetValue(json) && result.GetValue(log) == "msbuild")
            {
                result.AddError("--json and --log-format msbuild exclude each other: both take standard output.");
            }
        });
        command.SetAction((parsed, cancel) => run(Read(verb, parsed, argument, options), cancel));
        return command;
    }

    private Command Explain(Func<Invocation, CancellationToken, Task<int>> run)
    {
        Command command = Command(Verb.Explain, "Tell why each layer keeps or changes its format, what rules cost, and what would help.", run, policy, json, budget, cache, showKeys, log);
        command.Add(layer);
        return command;
    }

    private Invocation Read(Verb verb, ParseResult parsed, Argument<string> argument, Option[] options) => new(
        verb,
        parsed.GetRequiredValue(argument),
        new[] { output, results, file }.FirstOrDefault(options.Contains) is { } place ? parsed.GetRequiredValue(place) : options.Contains(page) ? parsed.GetValue(page) : null,
        parsed.GetValue(cache),
        options.Contains(budget) ? parsed.GetValue(budget) : null,
        parsed.GetValue(json),
        LogFormatOf(parsed),
        options.Contains(inputsFile) ? parsed.GetValue(inputsFile) : null,
        options.Contains(loss) ? parsed.GetValue(loss) : null,
        options.Contains(withRespectTo) && parsed.GetValue(withRespectTo) is { Length: > 0 } names ? names : null)
    {
        IsLocked = options.Contains(locked) && parsed.GetValue(locked),
        Export = options.Contains(export) ? parsed.GetValue(export) : null,
        Emitted = options.Contains(emitted) ? parsed.GetValue(emitted) : null,
        Layer = verb == Verb.Explain ? parsed.GetValue(layer) : null,
        Samples = options.Contains(samples) ? parsed.GetValue(samples) : null,
        ShowKeys = options.Contains(showKeys) && parsed.GetValue(showKeys),
    };
}
