using System.CommandLine;
using Run = System.Func<MixedPrecision.Cli.Invocation, System.Threading.CancellationToken, System.Threading.Tasks.Task<int>>;

namespace MixedPrecision.Cli;

/// <summary>The verb that makes calibration data.</summary>
public sealed partial class CommandLine
{
    private readonly Argument<string[]> from = new("FROM") { Description = "Where samples come from: folders of images, and files (.csv, .txt, .tsv, .npz, .npy, .jsonl).", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string> calibrationData = new("--output", "-o") { Description = "The file that the samples to calibrate with go to, as JSON lines.", HelpName = "FILE", Required = true };
    private readonly Option<string> evaluationData = new("--evaluation") { Description = "The file that other samples go to, to verify on: 2,000 at most.", HelpName = "FILE" };
    private readonly Option<int?> count = new("--samples") { Description = "Samples at most to calibrate with, chosen by chance, the same ones each time; 256 by default.", HelpName = "N" };
    private readonly Option<string[]> labels = new("--labels") { Description = "The column or key of the label; 'label' by default, where there is one. May be given several times.", HelpName = "NAME" };
    private readonly Option<string> tokenizer = new("--tokenizer") { Description = "The model's tokenizer.json, vocab.txt or tokenizer.model, for text; the one beside the model by default.", HelpName = "FILE" };
    private readonly Option<string> images = new("--images") { Description = "How images become values, as in a policy, such as \"resize: 256, crop: 224, mean: 0.5, deviation: 0.5\".", HelpName = "SETTINGS" };

    private Command Data(Run run)
    {
        var command = new Command("data", "Make calibration data for a model from images, texts, tables, arrays or recorded inputs.") { model, from, calibrationData, evaluationData, count, labels, tokenizer, images, json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(count) < 1)
            {
                result.AddError("--samples has to be at least 1.");
            }

            if (result.GetValue(evaluationData) is { } evaluation && result.GetValue(calibrationData) is { } calibration && Path.GetFullPath(evaluation) == Path.GetFullPath(calibration))
            {
                result.AddError("--output and --evaluation name one file.");
            }
        });
        command.SetAction((parsed, cancel) => run(
            new Invocation(Verb.Data, parsed.GetRequiredValue(model), parsed.GetRequiredValue(calibrationData), null, null, parsed.GetValue(json), LogFormat.Text, null)
            {
                From = parsed.GetRequiredValue(from),
                Evaluation = parsed.GetValue(evaluationData),
                Samples = parsed.GetValue(count),
                Labels = parsed.GetValue(labels) ?? [],
                Tokenizer = parsed.GetValue(tokenizer),
                Images = parsed.GetValue(images),
            },
            cancel));
        return command;
    }
}
