using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>
/// Brings the files of several scenarios together: their weights into one file of data, equal ones once, and each under its own name (until then all have one, so that a plan which several scenarios try is emitted and
/// judged once). Each was verified with its weights in such a file of its own, at places aligned alike; what is shipped is held against that tensor by tensor, and its loss is measured once more.
/// </summary>
internal static class Sharing
{
    /// <param name="made">What was made for each scenario.</param>
    /// <param name="folder">Where the files are written.</param>
    /// <param name="name">File name of the data.</param>
    public static IReadOnlyList<Delivered> Share(IReadOnlyList<Made> made, string folder, string name)
    {
        IReadOnlyList<EmittedModel> emitted = Write([.. made.Select(m => (m.Shipped.Emitted, m.Materials.Scenario!))], folder, name);
        string data = emitted[0].Files[0];
        string[] names = [.. emitted.Select(e => Path.GetFileName(e.Path))], hashes = [.. emitted.Select(e => ModelFiles.HashOf([e.Path]))];
        foreach (string[] equal in names.Zip(hashes).GroupBy(f => f.Second, f => f.First).Select(g => g.ToArray()).Where(g => g.Length > 1))
        {
            made[0].Runner.Log.Say("scenario", $"{string.Join(", ", equal)}: the same plan, and the same file");
        }

        return [.. made.Select((own, i) => (own with { Shipped = own.Shipped with { Emitted = emitted[i], Loss = LossOf(own, emitted[i]) } }).Delivered(new SharedData(
            name,
            new FileInfo(data).Length,
            names,
            emitted.Select(e => e.Path).Prepend(data).Sum(f => new FileInfo(f).Length),
            emitted.Sum(e => e.Bytes),
            [.. names.Where((_, other) => other != i && hashes[other] == hashes[i])])))];
    }

    /// <summary>Writes the weights of models into one file of data, and each model under the name of its scenario.</summary>
    /// <returns>Each model with the data, which come first.</returns>
    public static IReadOnlyList<EmittedModel> Write(IReadOnlyList<(EmittedModel Emitted, ScenarioFile Scenario)> models, string folder, string name)
    {
        string[] files = [.. SharedWeights.Write([.. models.Select(m => (m.Emitted.Path, m.Scenario.Model))], folder, name)];
        return [.. files[1..].Select(model => new EmittedModel([files[0], model]) { Bytes = BytesOf(model) })];
    }

    /// <summary>The change of the loss, measured on the file as it is shipped; null where the original was kept.</summary>
    private static LossChange? LossOf(Made made, EmittedModel emitted)
    {
        if (made.Shipped.Loss is null)
        {
            return null;
        }

        LossChange loss = Steps.Evaluate(made.Materials, made.Runner, emitted);
        BudgetPolicy budget = made.Materials.Policy.Budget;
        return Limits.AreWithin(budget, loss) ? loss
            : throw new InvalidOperationException($"'{emitted.Path}' measures {Limits.Text(budget, loss)} with shared weights, and was within the budget with its own");
    }

    private static long BytesOf(string model)
    {
        using OnnxModel loaded = OnnxModel.Load(model, keepDefaults: true);
        return ModelFiles.Bytes(loaded, model);
    }
}
