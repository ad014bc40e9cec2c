using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace MixedPrecision.Cli;

/// <summary>Command lines that do something useful, by verb; build/docs/commands.md has the same.</summary>
public static class HelpExamples
{
    private static readonly Dictionary<string, string[]> Lines = new()
    {
        ["inspect"] = ["mixed-precision inspect model.onnx"],
        ["calibrate"] = ["mixed-precision calibrate model.policy.yaml"],
        ["benchmark"] = ["mixed-precision benchmark model.policy.yaml --export device.profile.json", "mixed-precision benchmark model.policy.yaml --emitted out/model.mixed.onnx"],
        ["solve"] = ["mixed-precision solve model.policy.yaml --budget 0.5%"],
        ["frontier"] = ["mixed-precision frontier model.policy.yaml"],
        ["explain"] = ["mixed-precision explain model.policy.yaml", "mixed-precision explain model.policy.yaml /encoder.0/MatMul"],
        ["quantize"] = ["mixed-precision quantize model.policy.yaml --output out", "mixed-precision quantize model.policy.yaml --output out --budget \"accuracyDrop: 0.5%, size: 40 MB\""],
        ["lock"] = ["mixed-precision lock model.policy.yaml"],
        ["validate"] = ["mixed-precision validate model.policy.yaml --output validation --samples 256"],
        ["gradient"] = ["mixed-precision gradient model.onnx --output gradient.onnx --loss loss"],
        ["report"] = ["mixed-precision report out/model.mixed.precision.json"],
        ["show"] = ["mixed-precision show out/model.mixed.precision.json"],
        ["diff"] = ["mixed-precision diff before/model.mixed.precision.json after/model.mixed.precision.json"],
        ["init"] = ["mixed-precision init model.onnx"],
        ["data"] =
        [
            "mixed-precision data model.onnx images -o calibration.jsonl --images \"resize: 256, crop: 224, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225]\"",
            "mixed-precision data model.onnx sentences.csv -o calibration.jsonl --evaluation evaluation.jsonl --labels category --tokenizer vocab.txt",
        ],
        ["cache"] = ["mixed-precision cache info"],
        ["cache info"] = ["mixed-precision cache info"],
        ["cache prune"] = ["mixed-precision cache prune --older-than 30d --keep 2GB"],
        ["cache clear"] = ["mixed-precision cache clear"],
        ["cache export"] = ["mixed-precision cache export cache.tar"],
        ["cache import"] = ["mixed-precision cache import cache.tar"],
        ["completion"] = ["mixed-precision completion bash"],
    };

    /// <summary>Examples of a command; none of one that is no verb.</summary>
    public static IReadOnlyList<string> Of(Command command) => Lines.GetValueOrDefault(NameOf(command)) ?? [];

    /// <summary>The name of a verb, with that of the verb that it belongs to: <c>cache info</c>.</summary>
    public static string NameOf(Command command) => string.Join(' ', new[] { command.Parents.OfType<Command>().FirstOrDefault(c => c is not RootCommand)?.Name, command.Name }.OfType<string>());

    /// <summary>Lets the help of each verb end with its examples.</summary>
    public static void AddTo(HelpOption help)
    {
        if (help.Action is SynchronousCommandLineAction action)
        {
            help.Action = new WithExamples(action);
        }
    }

    private sealed class WithExamples(SynchronousCommandLineAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => help.ClearsParseErrors;

        public override int Invoke(ParseResult parseResult)
        {
            int code = help.Invoke(parseResult);
            if (Of(parseResult.CommandResult.Command) is [_, ..] lines)
            {
                TextWriter output = parseResult.InvocationConfiguration.Output;
                output.WriteLine(lines.Count == 1 ? "Example:" : "Examples:");
                foreach (string line in lines)
                {
                    output.WriteLine("  " + line);
                }

                output.WriteLine();
            }

            return code;
        }
    }
}
