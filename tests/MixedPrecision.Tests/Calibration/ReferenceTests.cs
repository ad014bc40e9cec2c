using System.Text.Json;
using MixedPrecision.Calibration;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Sensitivities against those that PyTorch's own differentiation gave for models it exported.</summary>
public class ReferenceTests
{
    [Theory]
    [InlineData("encoder_prenorm_gelu")]
    [InlineData("encoder_postnorm_relu")]
    public void SensitivitiesAgreeWithPyTorch(string name)
    {
        using var fixture = new CalibrationFixture(
            SharedFolder.Path("gradients", name, "model.onnx"),
            SharedFolder.Path("gradients", name, "data.npz"),
            new CalibrationPolicy(null, LossKind.CrossEntropy, "label", int.MaxValue, null));
        Sensitivities found = fixture.Calibrate(["fp32"]);
        using JsonDocument reference = JsonDocument.Parse(File.ReadAllText(SharedFolder.Path("gradients", name, "reference.json")));
        Near(reference.RootElement.GetProperty("mean_square_loss").GetDouble(), found.MeanSquareLoss, 1e-4, 0, "E[g²]");
        JsonElement[] layers = [.. reference.RootElement.GetProperty("layers").EnumerateObject().Select(p => p.Value)];
        double largestActivation = layers.Max(l => l.GetProperty("activation").GetDouble());
        double largestWeight = layers.Max(l => l.GetProperty("weight").GetDouble());
        foreach (JsonElement expected in layers)
        {
            LayerSensitivity layer = found.Layers.Single(l => l.Name == expected.GetProperty("node").GetString());
            Near(expected.GetProperty("activation").GetDouble(), layer.TaylorActivation, 1e-3, largestActivation * 1e-6, $"activation of {layer.Name}");
            Near(expected.GetProperty("weight").GetDouble(), layer.TaylorWeight, 1e-3, largestWeight * 1e-6, $"weight of {layer.Name}");
        }
    }

    private static void Near(double expected, double found, double relative, double absolute, string what) =>
        Assert.True(Math.Abs(expected - found) <= Math.Max(Math.Abs(expected) * relative, absolute), $"{what}: expected {expected}, found {found}");
}
