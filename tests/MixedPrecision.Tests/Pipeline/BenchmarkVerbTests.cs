using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

public class BenchmarkVerbTests
{
    /// <summary>A format whose constants depend on what its layer reads is timed without a calibration before.</summary>
    [Fact]
    public void FormatsOfSeenRangesAreTimed()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [int8-static]");
        BenchmarkReport report = Verbs.Benchmark(folder.PolicyFile, folder.Options());
        Assert.Contains(report.Scenarios[0].Subgraphs.SelectMany(s => s.Configurations), c => c.Timing is not null && c.Formats.Any(f => f.StartsWith("int8-static", StringComparison.Ordinal)));
    }
}
