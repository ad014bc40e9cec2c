using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Floating formats through all stages: they gain operations and bytes.</summary>
public class FloatFormatsTests
{
    [Fact]
    public void ThePapersSettingRunsFromCalibrationToTheFile()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1.2%", "formats: paper\nobjective: theoretical-time");
        Verbs.Calibrate(folder.PolicyFile, folder.Options());
        Verbs.Solve(folder.PolicyFile, folder.Options());
        QuantizeResult result = folder.Quantize();
        Assert.Equal("plan", result.Manifest.Shipped.What);
        Assert.Contains("fp8-e4m3", Formats(result.Manifest));
        Assert.Subset(new HashSet<string> { "fp32", "bf16", "fp8-e4m3" }, Formats(result.Manifest).ToHashSet());
        Assert.InRange(result.Manifest.Measured.RelativeLossError, 1e-6, 0.2);
        ModelProto emitted = ModelProto.Parser.ParseFrom(File.ReadAllBytes(result.Files[0]));
        Assert.Equal(19, emitted.OpsetImport.Single(o => o.Domain.Length == 0).Version);
        Assert.Contains(emitted.Graph.Initializer, i => i.DataType == ElementType.Float8E4M3);
    }

    [Theory]
    [InlineData("fp16", 0.51)]
    [InlineData("bf16", 0.51)]
    [InlineData("fp8-e4m3", 0.26)]
    [InlineData("fp8-e5m2", 0.26)]
    public void WeightsTakeTheirShareOfTheBytes(string format, double share)
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("20%", $"formats: {format}\nobjective: memory");
        QuantizeResult result = folder.Quantize();
        Assert.All(Formats(result.Manifest), f => Assert.Equal(format, f));
        Assert.InRange(new FileInfo(result.Files[0]).Length, 0, (share * new FileInfo(folder["model.onnx"]).Length) + 3000);
    }

    private static IEnumerable<string> Formats(Manifest manifest) => manifest.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Format);
}
