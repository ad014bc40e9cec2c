using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;
using MixedPrecision.Reporting.Page;

namespace MixedPrecision.Tests.Pipeline;

public class ReportVerbTests
{
    [Fact]
    public void QuantizeWritesThePageBesideTheManifestAndReportTheSameFromIt()
    {
        using var folder = new PipelineFolder();
        QuantizeResult result = folder.Quantize();
        string page = folder["out/model.mixed.report.html"];
        Assert.Equal(page, result.Files[^1]);
        string written = File.ReadAllText(page);
        Assert.Equal(ReportPage.Write(result.Manifest), written);

        string manifest = folder["out/model.mixed.precision.json"];
        File.Delete(page);
        Assert.Equal(page, Verbs.Report(manifest, null, folder.Options()).File);
        Assert.Equal(written, File.ReadAllText(page));
        Verbs.Report(manifest, folder["elsewhere.html"], folder.Options());
        Assert.Equal(written, File.ReadAllText(folder["elsewhere.html"]));
    }

    /// <summary>What was timed stands in the manifest: of each layer alone in each format that it may have.</summary>
    [Fact]
    public void TheManifestHoldsWhatWasTimed()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [ fp32, int8-dynamic ]");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.NotNull(manifest.Tried);
        Assert.Equal(manifest.Subgraphs.Select(s => s.Fingerprint).Distinct(), manifest.Tried.Select(t => t.Fingerprint));
        foreach (TriedSubgraph tried in manifest.Tried)
        {
            PlannedSubgraph subgraph = manifest.Subgraphs.First(s => s.Fingerprint == tried.Fingerprint);
            Assert.NotEmpty(tried.Configurations);
            Assert.Distinct(tried.Configurations.Select(c => $"{c.Structure} {string.Join(' ', c.Formats)}"));
            Assert.All(tried.Configurations, c =>
            {
                Assert.Equal(subgraph.Layers.Count, c.Formats.Count);
                Assert.True(c.Gain is null == c.Unavailable is not null);
            });
        }

        folder.WritePolicy("1%", "objective: memory");
        Assert.Null(folder.Quantize().Manifest.Tried);
    }

    [Fact]
    public void APageReplacesNeitherItsManifestNorAFolder()
    {
        using var folder = new PipelineFolder();
        File.WriteAllText(folder["a.precision.json"], "{}");
        Assert.Equal(Codes.OutputOverwrites, Assert.Throws<MixedPrecisionException>(() => Verbs.Report(folder["a.precision.json"], folder["a.precision.json"], folder.Options())).Diagnostic.Code);
        Directory.CreateDirectory(folder["folder"]);
        Assert.Equal(Codes.OutputNotWritable, Assert.Throws<MixedPrecisionException>(() => Verbs.Report(folder["a.precision.json"], folder["folder"], folder.Options())).Diagnostic.Code);
        Assert.Equal(Codes.FileUnusable, Assert.Throws<MixedPrecisionException>(() => Verbs.Report(folder["a.precision.json"], null, folder.Options())).Diagnostic.Code);
        Assert.False(File.Exists(folder["a.report.html"]));
    }
}
