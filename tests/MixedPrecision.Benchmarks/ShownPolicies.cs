namespace MixedPrecision.Benchmarks;

/// <summary>A policy to show.</summary>
/// <param name="Name">What its row is called.</param>
/// <param name="File">Its file.</param>
/// <param name="Output">The folder that takes what it emits.</param>
internal sealed record ShownPolicy(string Name, string File, string Output);

/// <summary>The policies of the shared models, which are written here, and those that the shared cases bring.</summary>
internal static class ShownPolicies
{
    /// <summary>The case that is about emitting beside the model: its output folder is its own.</summary>
    private const string EmitsBesideModel = "c18_same_folder";

    private const string ImageNet = "scale: 1/255, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225]";

    /// <summary>Folder of the model; its data for calibration and evaluation; its loss; how its images are read.</summary>
    private static readonly (string Folder, string Calibration, string Evaluation, string Loss, string? Images)[] Models =
    [
        ("docarea", "calibration.jsonl", "evaluation.jsonl", "loss: cross-entropy, labels: label", null),
        ("doclm", "calibration.jsonl", "evaluation.jsonl", "loss: next-token", null),
        ("textline-orientation", "images/calibration", "images/evaluation", "loss: cross-entropy, labels: label", ImageNet + ", labels: {0}/labels.json"),
        ("yolox-nano", "images/calibration", "images/evaluation", "loss: output-mse", "channels: bgr, scale: 1"),
        ("ppocr-det", "images/calibration", "images/evaluation", "loss: output-mse", "channels: bgr, " + ImageNet),
        ("silero-vad", "calibration.npz", "evaluation.npz", "loss: [ { kind: output-mse, output: output }, { kind: output-mse, output: stateN, weight: 0.1 } ]", null),
        ("ppocr-rec", "images/calibration", "images/evaluation", "loss: cross-entropy", "channels: bgr, scale: 1/255, mean: 0.5, deviation: 0.5"),
        ("ultraface", "calibration.npz", "evaluation.npz", "loss: [ { kind: output-mse, output: scores }, { kind: output-mse, output: boxes } ]", null),
    ];

    /// <summary>Writes the policies of the shared models into a folder, each with a budget of 1 %.</summary>
    /// <param name="models">The folder of shared models.</param>
    /// <param name="output">The folder for policies and for what is emitted.</param>
    public static IEnumerable<ShownPolicy> OfModels(string models, string output)
    {
        foreach ((string name, string calibration, string evaluation, string loss, string? images) in Models)
        {
            string folder = Path.Combine(output, name), from = Path.GetRelativePath(folder, Path.Combine(models, name)).Replace('\\', '/');
            Directory.CreateDirectory(folder);
            string policy = Path.Combine(folder, name + ".policy.yaml");
            string read = images is null ? "" : $", images: {{ {images.Replace("{0}", from)} }}";
            File.WriteAllText(policy, $$"""
                model: {{from}}/model.onnx
                output: {{name}}.mixed.onnx
                budget: 1%
                calibration: { data: {{from}}/{{calibration}}, {{loss}}{{read}} }
                evaluation: { data: {{from}}/{{evaluation}} }

                """);
            yield return new ShownPolicy(name, policy, folder);
        }
    }

    /// <summary>The policies of the shared cases, in the order of their names.</summary>
    /// <param name="cases">The folder in which each script has filled a folder of its own.</param>
    /// <param name="output">The folder for what is emitted.</param>
    public static IEnumerable<ShownPolicy> OfCases(string cases, string output) =>
        from folder in Directory.GetDirectories(cases).Order(StringComparer.Ordinal)
        from policy in Directory.GetFiles(folder, "*.yaml").Order(StringComparer.Ordinal)
        let name = Path.GetFileName(folder)
        let stem = Path.GetFileNameWithoutExtension(policy)
        select new ShownPolicy(
            name.Replace('_', ' ') + (stem == "policy" ? "" : $": {stem}"), policy, name == EmitsBesideModel ? folder : Path.Combine(output, name, stem));
}
