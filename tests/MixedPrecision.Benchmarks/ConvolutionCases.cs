using MixedPrecision.Benchmarks.Targets;

namespace MixedPrecision.Benchmarks;

/// <summary>Policies of models with convolutions: the shared ones, the dense ones that are made here, and the classifier of characters where it was trained.</summary>
internal static class ConvolutionCases
{
    /// <summary>The folder, below that of a run, which <c>train</c> fills.</summary>
    public const string Characters = "characters";

    private static readonly string[] Shared = ["textline-orientation", "yolox-nano", "ppocr-det", "ppocr-rec", "ultraface", "silero-vad"], Made = ["resnet18", "resnet50", "unet", "mobilenetv2", "face"];

    /// <summary>Writes policies, and models that are not there yet.</summary>
    /// <param name="folder">Takes them.</param>
    /// <param name="names">Parts of names; none: all.</param>
    public static IEnumerable<ShownPolicy> Of(string folder, IReadOnlyList<string> names)
    {
        bool IsWanted(string name) => names.Count == 0 || names.Any(name.Contains);
        string models = Path.GetFullPath(Path.Combine(TargetsBenchmark.CheckoutFolder(), "..", "shared", "models"));
        foreach (string missing in Shared.Where(IsWanted).Where(n => !File.Exists(Path.Combine(models, n, "model.onnx"))))
        {
            Console.Error.WriteLine($"{missing}: there is no ../shared/models/{missing}/model.onnx");
        }

        IEnumerable<ShownPolicy> shared = ShownPolicies.OfModels(models, folder).Where(p => Shared.Contains(p.Name) && IsWanted(p.Name) && File.Exists(Path.Combine(models, p.Name, "model.onnx")));
        IEnumerable<ShownPolicy> made = TargetCase.All.Where(t => Made.Contains(t.Name) && IsWanted(t.Name)).Select(t =>
            Written(t.Name, Path.Combine(folder, "policies", t.Name), own => t.Policy(Path.GetRelativePath(own, TargetsBenchmark.ModelOf(t, folder)).Replace('\\', '/'))));
        return shared.Concat(made).Concat(IsWanted(Characters) && File.Exists(Path.Combine(folder, Characters, "model.onnx"))
            ? [Written(Characters, Path.Combine(folder, "policies", Characters), own => CharactersPolicy(Path.GetRelativePath(own, Path.Combine(folder, Characters)).Replace('\\', '/')))]
            : []);
    }

    private static string CharactersPolicy(string from) => $$"""
        model: {{from}}/model.onnx
        output: {{Characters}}.mixed.onnx
        budget: 1%
        calibration: { data: {{from}}/calibration.npz, loss: cross-entropy, labels: label }
        evaluation: { data: {{from}}/evaluation.npz }
        scenarios: [ { inputs: { batch: 1 } } ]

        """;

    private static ShownPolicy Written(string name, string folder, Func<string, string> policy)
    {
        Directory.CreateDirectory(folder);
        string file = Path.Combine(folder, name + ".policy.yaml");
        File.WriteAllText(file, policy(folder));
        return new ShownPolicy(name, file, folder);
    }
}
