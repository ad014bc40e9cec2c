using MixedPrecision.Calibration;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Properties of the sensitivities of real models.</summary>
public class PredictionTests
{
    [Fact]
    public void FewerBitsAddMoreLossAndTheEstimatorsAgreeInScale()
    {
        using var fixture = new CalibrationFixture(
            SharedFolder.Model("docarea"),
            SharedFolder.Path("models", "docarea", "calibration.jsonl"),
            new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 16, null),
            samples: 16);
        Sensitivities found = fixture.Calibrate(["fp32", "int8-dynamic", "int8-weight", "int4-weight"]);
        Assert.Equal(fixture.Partition.Layers.Select(l => l.Name), found.Layers.Select(l => l.Name));
        Assert.All(found.Layers, l => Assert.True(l.Reachable));
        Assert.All(found.Layers.SelectMany(l => l.Formats.Values), f => Assert.Equal(16, f.Deltas.Length));
        Assert.All(found.Layers.SelectMany(l => l.Formats.Values), f => Assert.True(f is { Rise: > 0, Measured: > 0, Taylor: > 0 }));
        double Sum(string format, Func<FormatSensitivity, double> of) => found.Layers.Where(l => l.Formats.ContainsKey(format)).Sum(l => of(l.Formats[format]));
        Assert.True(Sum("int4-weight", f => f.Measured) > 10 * Sum("int8-weight", f => f.Measured));
        Assert.True(Sum("int4-weight", f => f.Rise) > 10 * Sum("int8-weight", f => f.Rise));
        Assert.InRange(Sum("int4-weight", f => f.Taylor) / Sum("int4-weight", f => f.Measured), 0.2, 5);
    }
}
