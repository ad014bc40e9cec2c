using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>Writes the policy that a person may begin with, by what a model's graph says.</summary>
internal static partial class PolicyDrafting
{
    /// <summary>Key of the label in a sample.</summary>
    public const string Label = "label";

    /// <summary>The file of samples, beside the policy.</summary>
    public const string Data = "calibration.jsonl";

    /// <summary>The schema's file, beside the policy.</summary>
    public const string Schema = "policy.schema.json";

    private const string Logits = "logits";

    /// <summary>What outputs are called that hold scores of classes.</summary>
    private static readonly string[] NamesOfScores = ["logit", "prob", "score", "class"];

    private static readonly JsonSerializerOptions Literal = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A plain text of YAML that is no number, truth value or sign.</summary>
    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_./-]*$")]
    private static partial Regex Plain { get; }

    [GeneratedRegex("^(true|false|yes|no|on|off|null|y|n)$", RegexOptions.IgnoreCase)]
    private static partial Regex Word { get; }

    /// <param name="policyFile">The policy, as the user named it.</param>
    /// <param name="modelPath">The model's path, as the policy will name it.</param>
    /// <returns>The text, and what it says.</returns>
    /// <exception cref="Diagnostics.MixedPrecisionException">MPB4xxx: the model has no output that a loss can read.</exception>
    public static (string Text, PolicyDraft Draft) Write(OnnxModel model, string policyFile, string modelPath)
    {
        InputDeclaration[] inputs = [.. model.Inputs.Select(InputDeclaration.Of)];
        (LossKind kind, string why, IReadOnlyList<Dimension>? label) = Guess(model, policyFile);
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, long>> scenarios = DraftedScenarios.Of(inputs);
        (string sample, bool isAbridged) = DraftedSample.Of(model, inputs, label);
        string schema = Path.Combine(Path.GetDirectoryName(policyFile) ?? "", Schema);
        var draft = new PolicyDraft(policyFile, schema, modelPath, NameOf(kind), why, scenarios, Data, sample, isAbridged);
        return (Text(draft, label is not null, inputs), draft);
    }

    /// <summary>The same guess as a policy without a loss leads to, and besides that outputs that look like scores of classes are taken for such: the data, which would tell, are still to be written.</summary>
    private static (LossKind Kind, string Why, IReadOnlyList<Dimension>? Label) Guess(OnnxModel model, string policyFile)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        using LossFunction guessed = LossFunction.Create(model, types, new CalibrationPolicy(null, null, null, 1, null), policyFile);
        string first = guessed.Outputs[0];
        if (guessed.Name == NameOf(LossKind.NextToken))
        {
            return (LossKind.NextToken, $"output '{first}' has a score for each token at each position", null);
        }

        if (guessed.Name == NameOf(LossKind.ScalarOutput))
        {
            return (LossKind.ScalarOutput, $"output '{first}' is of one element and called a loss", null);
        }

        // What losses of classes read where a policy names no output.
        string output = model.Graph.Output.Any(o => o.Name == Logits && ElementType.IsFloating(types[o.Name].ElementType)) ? Logits : first;
        TensorType type = types[output];
        bool isKnown = type.Shape is [.., { Size: > 1 }];
        if (type.Rank == 3 && model.Inputs.Any(i => EmptyCaches.IsCache(InputDeclaration.Of(i))) && output.Contains("logit", StringComparison.OrdinalIgnoreCase))
        {
            return (LossKind.NextToken, $"the model keeps keys and values of earlier tokens, and output '{output}' has a row for each position", null);
        }

        if (isKnown && ((type.Rank == 2 && LooksLikeScores(model, output)) || (type.Rank == 3 && output.Contains("logit", StringComparison.OrdinalIgnoreCase))))
        {
            long classes = type.Shape![^1].Size!.Value;
            return (LossKind.CrossEntropy, string.Create(CultureInfo.InvariantCulture, $"output '{output}' has scores of {classes} classes"), [.. type.Shape.SkipLast(1)]);
        }

        return (LossKind.OutputMse, $"nothing says what output '{first}' means; this needs no labels and suits any model", null);
    }

    private static bool LooksLikeScores(OnnxModel model, string output) =>
        NamesOfScores.Any(n => output.Contains(n, StringComparison.OrdinalIgnoreCase))
        || model.Graph.Node.Any(n => n.OpType is "Softmax" or "LogSoftmax" && n.Output.Contains(output));

    private static string NameOf(LossKind kind) => kind switch
    {
        LossKind.CrossEntropy => "cross-entropy",
        LossKind.NextToken => "next-token",
        LossKind.ScalarOutput => "scalar-output",
        _ => "output-mse",
    };

    private static string Text(PolicyDraft draft, bool hasLabels, InputDeclaration[] inputs)
    {
        var text = new StringBuilder();
        void Line(string line = "") => text.Append(line).Append('\n');
        Line($"# yaml-language-server: $schema={Schema}");
        Line("# How the model is put into mixed precision. Paths are relative to this file; what is not said has a default.");
        Line($"model: {Quoted(draft.Model)}");
        Line();
        Line($"# How much worse it may be: the error of the loss, relative to the loss. Others: {(draft.Loss == NameOf(LossKind.OutputMse) ? "" : "{ lossIncrease: 1% }, ")}{{ size: 60% }},");
        Line($"# and where the loss is about classes {{ agreement: 99% }}{(hasLabels ? ", { accuracyDrop: 0.5% }" : "")}; several in one section all hold.");
        Line("budget: 1%");
        Line();
        Line("# Samples that resemble what the app sees, a few hundred. A line holds one, with every input of the model, the batch axis");
        Line($"# included{(inputs.Any(EmptyCaches.IsCache) ? "; caches of earlier tokens may be left out" : "")}; .npz, a folder of images and lines of text will do too. As{(draft.IsAbridged ? ", with values left out at …" : "")}:");
        Line($"#   {OneLine(draft.Sample)}");
        Line($"# The loss is a guess: {OneLine(draft.Why)}.");
        if (hasLabels)
        {
            Line("# Without labels in the data, leave out `labels`: the model's own answers then take their place.");
        }

        Line("calibration:");
        Line($"  data: {draft.Data}");
        Line($"  loss: {draft.Loss}");
        if (hasLabels)
        {
            Line($"  labels: {Label}");
        }

        Line();
        if (draft.Scenarios.Count > 0)
        {
            Line("# Sizes of the dimensions that the model leaves open, to time with: guessed by their names. Put in those of the app.");
            Line("scenarios:");
            foreach ((string name, IReadOnlyDictionary<string, long> sizes) in draft.Scenarios)
            {
                Line($"  - {{ name: {name}, inputs: {{ {string.Join(", ", sizes.Select(s => string.Create(CultureInfo.InvariantCulture, $"{Quoted(s.Key)}: {s.Value}")))} }}, weight: 1 }}");
            }

            Line();
        }

        Line("# Threads within an operator, as the app sets them; 0: one for each core.");
        Line("runtime: { threads: 0 }");
        return text.ToString();
    }

    /// <summary>A text as YAML, in quotes where it has to be; what JSON escapes in a text YAML escapes alike.</summary>
    private static string Quoted(string text) => Plain.IsMatch(text) && !Word.IsMatch(text) ? text : JsonSerializer.Serialize(text, Literal);

    /// <summary>Names in the graph may be anything, and a comment ends with its line.</summary>
    private static string OneLine(string text) => Diagnostics.Wording.EscapeWhole(text);
}
