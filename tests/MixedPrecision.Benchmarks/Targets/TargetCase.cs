using System.Globalization;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>A model, how it is run, and how many times faster the product is to make it.</summary>
/// <param name="Name">What its row is called.</param>
/// <param name="Target">The original's time over that of the fastest configuration known, on a processor with AVX-512 VNNI.</param>
/// <param name="Model">Its folder: of a model that is made here below the folder of the run, else of a sample of the repository.</param>
/// <param name="Budget">Of the policy.</param>
/// <param name="Data">Extension of the files of data, which are called calibration and evaluation.</param>
/// <param name="Loss">Of the policy, with what belongs to it.</param>
/// <param name="Sizes">Of the scenario.</param>
/// <param name="Make">Writes the model and its data into a folder; null for a sample.</param>
internal sealed record TargetCase(string Name, double Target, string Model, string Budget, string Data, string Loss, string Sizes, Action<string>? Make = null)
{
    private const string AllTokens = "\"past_sequence_length + sequence_length\"";

    private static readonly string Prompt = string.Create(
        CultureInfo.InvariantCulture, $"batch_size: 1, sequence_length: {TargetData.Prompt}, past_sequence_length: 0, {AllTokens}: {TargetData.Prompt}");

    private static readonly string Token = string.Create(
        CultureInfo.InvariantCulture, $"batch_size: 1, sequence_length: 1, past_sequence_length: {TargetData.Cached}, {AllTokens}: {TargetData.Cached + 1}");

    /// <summary>Losses of models that are made here are against the model's own most likely class: their weights are random, and there are no labels.</summary>
    public static readonly IReadOnlyList<TargetCase> All =
    [
        new("doclm", 2.15, "samples/DocWriter", "1%", "jsonl", "next-token", "batch: 1, sequence: 192"),
        new("docarea", 2.3, "samples/DocArea", "1%", "jsonl", "cross-entropy, labels: label", "batch: 8, sequence: 48"),
        new("minilm", 2.55, "minilm", "1%", "jsonl", "cross-entropy", "batch_size: 1, sequence_length: 128", Made(SentenceEncoder.Write, TargetData.Sentences)),
        new("vit", 2.6, "vit", "1%", "npz", "cross-entropy", "batch_size: 1", Made(VisionTransformer.Write, TargetData.Images)),
        new("whisper", 1.7, "whisper", "1%", "npz", "cross-entropy", "batch_size: 1", Made(SpeechEncoder.Write, TargetData.Speech)),
        new("llama-prompt", 3.7, "llama", "1%", "jsonl", "cross-entropy", Prompt, Made(CachedDecoder.Write, TargetData.Generation)),
        new("llama-token", 3.3, "llama", "1%", "npz", "cross-entropy", Token, Made(CachedDecoder.Write, TargetData.Generation)),
        new("resnet18", 2.7, "resnet18", "3%", "npz", "cross-entropy", "batch_size: 1", Made(ConvolutionalNetworks.ResNet18, TargetData.Images)),
        new("resnet50", 2.7, "resnet50", "3%", "npz", "cross-entropy", "batch_size: 1", Made(ConvolutionalNetworks.ResNet50, TargetData.Images)),
        new("unet", 2.7, "unet", "10%", "npz", "output-mse", "batch_size: 1", Made(ConvolutionalNetworks.UNet, TargetData.Images)),
        new("mobilenetv2", 1.7, "mobilenetv2", "3%", "npz", "cross-entropy", "batch_size: 1", Made(ConvolutionalNetworks.MobileNetV2, TargetData.Images)),
        new("face", 2.2, "face", "0.1%", "npz", "output-mse", "batch_size: 1", Made(ConvolutionalNetworks.FaceNetwork, TargetData.Faces)),
        new("llama-token-int4", 4.9, "llama", "5%", "npz", "cross-entropy", Token, Made(CachedDecoder.Write, TargetData.Generation)),
    ];

    /// <summary>The policy as a file in another folder has it.</summary>
    /// <param name="model">The model's folder, relative to that one.</param>
    public string Policy(string model) => $$"""
        model: {{model}}/model.onnx
        output: {{Name}}.mixed.onnx
        budget: {{Budget}}
        calibration: { data: {{model}}/calibration.{{Data}}, loss: {{Loss}} }
        evaluation: { data: {{model}}/evaluation.{{Data}} }
        scenarios: [ { inputs: { {{Sizes}} } } ]
        runtime: { threads: 2 }

        """;

    /// <summary>The model, then its data, for which it may have to run.</summary>
    private static Action<string> Made(Action<string> model, Action<string> data) => folder =>
    {
        model(Path.Combine(folder, "model.onnx"));
        data(folder);
    };
}
