using System.Text.Json;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Calibration;

/// <summary>
/// What <c>calibrate</c> prints against what PyTorch's own differentiation gave for models it exported. The policy names model, data and
/// loss and nothing else, so all samples of the data count.
/// </summary>
public sealed class ReferenceTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("mixed-precision-").FullName;

    [Theory]
    [InlineData("encoder_prenorm_gelu")]
    [InlineData("encoder_postnorm_relu")]
    [InlineData("mobilenet_v3_small")]
    [InlineData("squeezenet1_1")]
    public void SensitivitiesAgreeWithPyTorch(string name)
    {
        using JsonDocument reference = JsonDocument.Parse(File.ReadAllText(SharedFolder.Path("gradients", name, "reference.json")));
        CalibrateReport found = Calibrate(name);
        Assert.Equal(reference.RootElement.GetProperty("samples").GetInt32(), found.Samples);
        Near(reference.RootElement.GetProperty("mean_square_loss").GetDouble(), found.MeanSquareLoss, 1e-4, 0, "E[g²]");
        JsonElement[] layers = [.. reference.RootElement.GetProperty("layers").EnumerateObject().Select(p => p.Value)];
        double largestActivation = layers.Max(l => l.GetProperty("activation").GetDouble());
        double largestWeight = layers.Max(l => l.GetProperty("weight").GetDouble());
        foreach (JsonElement expected in layers)
        {
            CalibratedLayer layer = found.Layers.Single(l => l.Name == expected.GetProperty("node").GetString());
            Near(expected.GetProperty("activation").GetDouble(), layer.Taylor.Activation, 1e-3, largestActivation * 1e-6, $"activation of {layer.Name}");
            Near(expected.GetProperty("weight").GetDouble(), layer.Taylor.Weight, 1e-3, largestWeight * 1e-6, $"weight of {layer.Name}");
        }
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private CalibrateReport Calibrate(string name)
    {
        string policy = Path.Combine(folder, "policy.yaml");
        File.WriteAllText(policy, $$"""
            model: {{JsonSerializer.Serialize(SharedFolder.Path("gradients", name, "model.onnx"))}}
            calibration: { data: {{JsonSerializer.Serialize(SharedFolder.Path("gradients", name, "data.npz"))}}, loss: cross-entropy, labels: label }
            formats: [fp32]
            """);
        return Verbs.Calibrate(policy, new RunOptions(Path.Combine(folder, "cache"), null, _ => { }, _ => { }, TestContext.Current.CancellationToken));
    }

    private static void Near(double expected, double found, double relative, double absolute, string what) =>
        Assert.True(Math.Abs(expected - found) <= Math.Max(Math.Abs(expected) * relative, absolute), $"{what}: expected {expected}, found {found}");
}
