using System.Text.Json;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Samples of a small model are calibrated beside each other.</summary>
public sealed class ConcurrencyTests : IDisposable
{
    private const int Samples = 12;
    private static readonly string[] Formats = ["fp32", "int8-dynamic", "int8-dynamic(products)", "int4-weight"];
    private readonly string folder = Directory.CreateTempSubdirectory("mixed-precision-").FullName;

    [Fact]
    public void TheResultIsThatOfOneAfterTheOtherToTheLastBit()
    {
        using CalibrationFixture fixture = Fixture(_ => { });
        string[] results = [.. new[] { 1, 2, 5 }.Select(threads => JsonSerializer.Serialize(fixture.Calibrate(Formats, threads: threads)))];
        Assert.All(results, r => Assert.Equal(results[0], r));
    }

    [Fact]
    public void ProgressIsSavedInTheOrderOfTheSamples()
    {
        using CalibrationFixture fixture = Fixture(_ => { });
        var saved = new List<int>();
        fixture.Calibrate(Formats, save: progress => saved.Add(progress.Samples), threads: 4);
        Assert.Equal(Enumerable.Range(1, Samples), saved);
    }

    [Fact]
    public void AnErrorInOneSampleIsTheErrorOfAll()
    {
        using CalibrationFixture fixture = Fixture(lines => lines[7] = lines[7].Replace("\"label\": [", "\"label\": [99", StringComparison.Ordinal));
        var error = Assert.Throws<MixedPrecisionException>(() => fixture.Calibrate(Formats, threads: 4));
        Assert.Equal(Codes.LabelsDoNotFit, error.Diagnostic.Code);
        Assert.Equal(8, error.Diagnostic.Place.Line);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private CalibrationFixture Fixture(Action<string[]> change)
    {
        string[] lines = [.. File.ReadLines(SharedFolder.Path("models", "docarea", "calibration.jsonl")).Take(Samples)];
        change(lines);
        string data = Path.Combine(folder, "data.jsonl");
        File.WriteAllLines(data, lines);
        return new CalibrationFixture(SharedFolder.Model("docarea"), data, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", Samples, null));
    }
}
