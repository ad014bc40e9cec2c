using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Losses;

/// <summary>Makes the loss that a policy asks for, or guesses one.</summary>
internal static class LossChoice
{
    private static readonly string[] LabelKeys = ["label", "labels"];

    public static LossFunction Create(
        OnnxModel model, IReadOnlyDictionary<string, TensorType> types, CalibrationPolicy policy, string policyFile, IReadOnlyCollection<string> keys)
    {
        var terms = new List<LossTerm>();
        try
        {
            IReadOnlyList<LossPolicy> losses = policy.AllLosses(new Place(policyFile));
            (LossPolicy loss, string? guess) = losses.Count > 0 ? (losses[0], null) : Guess(model, types, policy, new Place(policyFile), keys);
            foreach (LossPolicy one in losses.Count > 0 ? losses : [loss])
            {
                terms.Add(Term(model, types, one, policyFile));
            }

            bool readsLabels = terms.Any(t => t is CrossEntropy { HasLabels: true });
            CrossEntropy? accuracy = policy.Labels is null || readsLabels || terms[0] is not Projection { Outputs: [string output] } ? null
                : (CrossEntropy)Term(model, types, policy.Complete(new LossPolicy(LossKind.CrossEntropy, new Place(policyFile), output)), policyFile);
            return new LossFunction(terms, guess, accuracy);
        }
        catch
        {
            terms.ForEach(t => t.Dispose());
            throw;
        }
    }

    /// <summary>The loss that the model's outputs and the data suggest, and why.</summary>
    private static (LossPolicy Loss, string Guess) Guess(
        OnnxModel model, IReadOnlyDictionary<string, TensorType> types, CalibrationPolicy policy, Place place, IReadOnlyCollection<string> keys)
    {
        (LossPolicy, string) Of(LossKind kind, string name, string reason, string? labels = null, string? output = null) =>
            (policy.Complete(new LossPolicy(kind, place, output, Labels: labels)), $"the policy names no loss; taken is {name}, since {reason}");

        if (policy.Labels is string labels)
        {
            return Of(LossKind.CrossEntropy, "cross-entropy", $"labels are named ('{labels}')");
        }

        if (LabelKeys.FirstOrDefault(keys.Contains) is string key)
        {
            return Of(LossKind.CrossEntropy, "cross-entropy", $"the data holds '{key}'", labels: key);
        }

        string scores = ScoresOutput(model, types, policy.Output, place.File!);
        if (policy.Output is null && ScalarLoss(model, types) is string loss)
        {
            return Of(LossKind.ScalarOutput, "scalar-output", $"the model has a scalar output '{loss}'", output: loss);
        }

        if (types[scores].Rank == 3 && Tokens(model) is string tokens && TokenTables.RowsOf(model, tokens) is long vocabulary && (types[scores].Shape![2].Size ?? vocabulary) == vocabulary)
        {
            return Of(LossKind.NextToken, "next-token", $"output '{scores}' has a score for each of the {vocabulary} tokens that '{tokens}' may hold, at each position");
        }

        return Of(LossKind.OutputMse, "output-mse", $"neither labels nor tokens suit output '{FirstOutput(model, types, policy.Output, place.File!)}'");
    }

    private static LossTerm Term(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, LossPolicy loss, string policyFile)
    {
        switch (loss.Kind)
        {
            case LossKind.OutputMse:
                return new Projection(loss.Weight, FirstOutput(model, types, loss.Output, policyFile));
            case LossKind.ScalarOutput:
                string scalar = loss.Output is null ? ScalarLoss(model, types) ?? FirstOutput(model, types, null, policyFile) : FirstOutput(model, types, loss.Output, policyFile);
                return types[scalar].Shape is { } shape && shape.Any(d => d.Size is > 1)
                    ? throw Errors.LossOutputNotScalar(loss.Place, scalar, types[scalar].ToString())
                    : new ScalarOutput(loss.Weight, scalar);
            case LossKind.Graph:
                string file = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(policyFile))!, loss.File!);
                using (OnnxModel graph = OnnxModel.Load(file, loss.File!))
                {
                    return LossGraph.Create(graph, model, types, loss.Weight);
                }

            default:
                string output = ScoresOutput(model, types, loss.Output, policyFile);
                string? tokens = loss.Kind == LossKind.NextToken ? Tokens(model) ?? throw Errors.LossNeedsTokens(policyFile) : null;
                string[] inputs = [.. model.Inputs.Select(i => i.Name)];
                return new CrossEntropy(
                    tokens is null ? "cross-entropy" : "next-token",
                    loss.Weight,
                    output,
                    Scores.Of(model, types, output),
                    new LabelSource(loss.Labels, tokens, loss.Mask ?? AttentionMask(inputs), loss.Mask is not null, loss.IgnoreLabel),
                    inputs);
        }
    }

    /// <summary>The output named, or one that is called logits (exporters may write hidden states before it), or the first of floating type.</summary>
    private static string ScoresOutput(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, string? named, string policyFile) => FirstOutput(
        model, types, named ?? model.Graph.Output.Select(o => o.Name).FirstOrDefault(o => o == "logits" && IsFloating(types, o)), policyFile);

    /// <summary>The output named, or the first of floating type.</summary>
    private static string FirstOutput(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, string? named, string policyFile)
    {
        string? output = model.Graph.Output.Select(o => o.Name).FirstOrDefault(o => named is null ? IsFloating(types, o) : o == named);
        if (output is not null && IsFloating(types, output))
        {
            return output;
        }

        string problem = named is null ? "the model has no output of floating type for a loss to read"
            : output is not null ? $"the output {Wording.Quote(named)} is not of floating type, which a loss reads"
            : $"{Wording.Quote(named)} is {(types.ContainsKey(named) ? "a value inside of the model, and no output of it" : "no output of the model")}{Suggestion()}";
        throw Errors.LossOutputUnusable(
            new Place(policyFile),
            problem,
            [.. model.Graph.Output.Select(o => (o.Name, types.GetValueOrDefault(o.Name) is { ElementType: not 0 } type ? type.ToString() : TypeText.Of(o.Type), IsFloating(types, o.Name)))],
            [.. InnerScores.Of(model, types).Select(i => (i.Value, i.Type, i.Operator))]);

        string Suggestion() => Wording.Nearest(named, model.Graph.Output.Select(o => o.Name)) is { } nearest ? $"; did you mean {Wording.Quote(nearest)}?" : "";
    }

    private static bool IsFloating(IReadOnlyDictionary<string, TensorType> types, string value) => types.GetValueOrDefault(value) is { } type && ElementType.IsFloating(type.ElementType);

    /// <summary>A floating output of one element that is called loss.</summary>
    private static string? ScalarLoss(OnnxModel model, IReadOnlyDictionary<string, TensorType> types) => model.Graph.Output.Select(o => o.Name).FirstOrDefault(o =>
        o.Contains("loss", StringComparison.OrdinalIgnoreCase) && IsFloating(types, o) && types[o].Shape is { } shape && shape.All(d => d.Size == 1));

    /// <summary>The input that holds token numbers: integers [batch, sequence], by preference one called so.</summary>
    private static string? Tokens(OnnxModel model)
    {
        string[] integers = [.. model.Inputs.Where(i => TensorType.Read(i.Type) is { ElementType: ElementType.Int64 or ElementType.Int32, Rank: 2 }).Select(i => i.Name)];
        return integers.FirstOrDefault(i => i.EndsWith("input_ids", StringComparison.OrdinalIgnoreCase)) ?? integers.FirstOrDefault();
    }

    private static string? AttentionMask(string[] inputs) => inputs.FirstOrDefault(i => i.EndsWith("attention_mask", StringComparison.OrdinalIgnoreCase))
        ?? inputs.FirstOrDefault(i => i is "mask" or "input_mask");
}
