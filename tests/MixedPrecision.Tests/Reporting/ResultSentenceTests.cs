using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Reporting;

public class ResultSentenceTests
{
    private static readonly Manifest Shipped = Examples.Manifest with
    {
        Model = Examples.Model with { File = "models/docarea.onnx" },
        Shipped = new ShippedModel("plan", "the fastest"),
        Samples = new SampleCounts(200, 100),
        Budget = new ManifestBudget("1%", 0.01, 0.0042, 0.01, 0.01),
        Scenario = null,
        Bytes = new FileSizes(13_650_000, 8_350_000),
        Measured = Examples.Manifest.Measured with { RelativeLossError = 0.0042, Accuracy = new MeasuredAccuracy(0.824, 0.822), Scenarios = [Scenario(0.5, 10, 4), Scenario(0.5, 6, 4)] },
    };

    [Fact]
    public void SaysSpeedQualityAndSize() =>
        Assert.Equal("docarea: 2.0× faster, loss error 0.42 % of 1 % allowed, accuracy 82.4 → 82.2 %, 13.65 → 8.35 MB", ResultSentence.Of(Shipped));

    [Fact]
    public void LeavesOutWhatWasNotMeasured() => Assert.Equal(
        "docarea (decode): 999.0 kB → 1.00 MB",
        ResultSentence.Of(Shipped with { Scenario = "decode", Samples = new SampleCounts(0, 0), Measured = Measurement.Of(null, []), Bytes = new FileSizes(999_000, 1_000_000) }));

    [Fact]
    public void SaysWhatIsSlowerAndEachLimit() => Assert.Equal(
        "docarea: 1.25× slower, loss error 0.42 %, accuracy drop 0.2 % of 1 % allowed, 13.65 → 8.35 MB",
        ResultSentence.Of(Shipped with
        {
            Budget = new ManifestBudget("accuracyDrop: 1%", 0.01, 0.002, null, 0.01, [new ManifestLimit("accuracyDrop", "accuracyDrop: 1%", 0.01, 0.002, true)]),
            Measured = Shipped.Measured with { Accuracy = null, Scenarios = [Scenario(1, 8, 10)] },
        }));

    [Fact]
    public void SaysThatTheOriginalIsKept() =>
        Assert.Equal("docarea: the original is shipped, since nothing was gained", ResultSentence.Of(Shipped with { Shipped = new ShippedModel("original", "nothing gains") }));

    [Fact]
    public void HasNoSlashAndNoControlCharacterWhateverTheModelIsCalled() =>
        Assert.Equal("a∖u001b: the original is shipped, since nothing was gained", ResultSentence.Of(Shipped with { Shipped = new ShippedModel("original", ""), Model = Examples.Model with { File = "x/a\u001b.onnx" } }));

    private static MeasuredScenario Scenario(double weight, double original, double mixed) =>
        new("s", new Dictionary<string, long>(), weight, original, mixed, original / mixed, [1, 2], 0.95, 10, []);
}
