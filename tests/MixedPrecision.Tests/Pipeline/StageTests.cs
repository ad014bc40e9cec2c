using System.Text.Json;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Which stages work when what has changed.</summary>
public sealed class StageTests(StageTests.First first) : IClassFixture<StageTests.First>
{
    [Fact]
    public void NothingChangedRunsNoStageAndGivesTheSameFiles()
    {
        Assert.Contains("calibrate started", first.Log);
        using PipelineFolder folder = first.Copy();
        QuantizeResult second = folder.Quantize("again");
        Assert.DoesNotContain(folder.Log, l => l.EndsWith("started", StringComparison.Ordinal));
        Assert.Equal(first.Result.ToJson(), second.ToJson());
        Assert.Equal(first.Result.Files.Select(File.ReadAllBytes), second.Files.Select(File.ReadAllBytes));
    }

    [Fact]
    public void AModelOfHalfPrecisionIsCalibratedInFloatAndKeepsItsType()
    {
        using var folder = new PipelineFolder();
        folder.WriteModel(weightSeed: 3);
        CalibrateReport full = Verbs.Calibrate(folder.PolicyFile, folder.Options());
        folder.WriteModel(weightSeed: 3, isHalf: true);
        CalibrateReport half = Verbs.Calibrate(folder.PolicyFile, folder.Options());
        Assert.InRange(half.MeanSquareLoss / full.MeanSquareLoss, 0.99, 1.01);
        Assert.All(full.Layers.Zip(half.Layers), l => Assert.InRange(l.Second.Taylor.Weight / l.First.Taylor.Weight, 0.98, 1.02));
        Assert.All(half.Layers, l => Assert.Contains(FormatTexts.Native, l.Formats.Keys));
        QuantizeResult result = folder.Quantize();
        using OnnxModel emitted = OnnxModel.Load(result.Files.First(f => f.EndsWith(".onnx", StringComparison.Ordinal)));
        Assert.All(emitted.Graph.Input.Concat(emitted.Graph.Output), v => Assert.Equal(ElementType.Float16, v.Type.TensorType.ElemType));
    }

    [Fact]
    public void CalibrateReadsAllSamplesAndAPlanLeavesAQuarterToVerification()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "objective: memory");
        File.WriteAllLines(folder.PolicyFile, File.ReadAllLines(folder.PolicyFile).Where(l => !l.StartsWith("evaluation", StringComparison.Ordinal)));
        Assert.Equal(12, Verbs.Calibrate(folder.PolicyFile, folder.Options()).Samples);
        folder.Quantize();
        Assert.Contains("calibrate started", folder.Log);
        using Materials materials = Materials.Open(folder.PolicyFile, folder.Options(), new StageRunner(new ContentStore(folder["cache"]), new RunLog(folder.Options())));
        Assert.Equal((9, 3), (materials.Data.Calibration.Value.Count, materials.Data.Evaluation.Value.Count));
    }

    [Fact]
    public void AnotherBudgetRunsSolveAndWhatFollows()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "objective: memory");
        folder.Quantize();
        folder.WritePolicy("2.5%", "objective: memory");
        folder.Quantize();
        Assert.Contains("solve started", folder.Log);
        Assert.Contains("calibrate reused", folder.Log);
    }

    [Fact]
    public void ACommentRunsNoStageNorDoesAPolicyThatComesBack()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "objective: memory");
        string before = folder.Quantize().ToJson();
        folder.WritePolicy("1% # as agreed", "objective: memory # the disk is small\n# runtime: { threads: 2 }");
        Assert.Equal(before, folder.Quantize().ToJson());
        Assert.DoesNotContain(folder.Log, l => l.EndsWith("started", StringComparison.Ordinal));

        folder.WritePolicy("2.5%", "objective: memory");
        folder.Quantize();
        Assert.Contains("solve started", folder.Log);
        folder.WritePolicy("1%", "objective: memory");
        Assert.Equal(before, folder.Quantize().ToJson());
        Assert.DoesNotContain(folder.Log, l => l.EndsWith("started", StringComparison.Ordinal));
    }

    [Fact]
    public void NewWeightsReuseAllTimings()
    {
        using PipelineFolder folder = first.Copy();
        folder.WriteModel(weightSeed: 20);
        folder.Quantize();
        Assert.Contains("calibrate started", folder.Log);
        Assert.Contains("benchmark reused", folder.Log);
    }

    [Fact]
    public void NewCalibrationDataReusesTimings()
    {
        using PipelineFolder folder = first.Copy();
        folder.WriteData("calibration.jsonl", seed: 30, samples: 12);
        folder.Quantize();
        Assert.Contains("calibrate started", folder.Log);
        Assert.Contains("benchmark reused", folder.Log);
    }

    [Fact]
    public void NewEvaluationDataRunsEvaluateOnly()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("5%", "objective: memory");
        folder.Quantize();
        folder.WriteData("evaluation.jsonl", seed: 31, samples: 20);
        folder.Quantize();
        string[] started = [.. folder.Log.Where(l => l.EndsWith("started", StringComparison.Ordinal))];
        Assert.Contains("evaluate started", started);
        Assert.Empty(started.Except(["data started", "evaluate started", "conform started"]));
    }

    [Fact]
    public void ACancelledRunLeavesNothingBehind()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "objective: memory");
        using var source = new CancellationTokenSource();
        RunOptions options = folder.Options(source.Token);
        RunOptions cancelling = options with { Progress = update => { options.Progress(update); if (update.Stage == "evaluate") source.Cancel(); } };
        Assert.Throws<OperationCanceledException>(() => Verbs.Quantize(folder.PolicyFile, folder["out"], cancelling));
        Assert.False(Directory.Exists(folder["out"]));
    }

    [Fact]
    public void ADamagedCacheEntryIsReportedAndComputedAnew()
    {
        using PipelineFolder folder = first.Copy();
        foreach (string entry in Directory.EnumerateFiles(folder["cache/calibrate"], "*", SearchOption.AllDirectories))
        {
            byte[] bytes = File.ReadAllBytes(entry);
            bytes[^1] ^= 1;
            File.WriteAllBytes(entry, bytes);
        }

        Assert.Equal(first.Result.ToJson(), folder.Quantize().ToJson());
        Assert.Contains(folder.Warnings, w => w.Code == Codes.CacheEntryDamaged);
        Assert.Contains("calibrate started", folder.Log);
    }

    [Fact]
    public void TheManifestHoldsWhatTheInterfaceNames()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "objective: memory");
        using JsonDocument manifest = JsonDocument.Parse(folder.Quantize().ToJson());
        JsonElement root = manifest.RootElement;
        JsonElement[] layers = [.. root.GetProperty("subgraphs").EnumerateArray().SelectMany(s => s.GetProperty("layers").EnumerateArray())];
        Assert.Equal(3, layers.Length);
        Assert.All(layers, l => Assert.Contains(l.GetProperty("format").GetString()!, Choices.Default(Machine.Detect(new RuntimePolicy("cpu", 1, Place.None))).Select(f => f.Name)));
        Assert.True(root.GetProperty("measured").GetProperty("relativeLossError").GetDouble() <= 0.01);
        Assert.True(root.GetProperty("predicted").GetProperty("lossMse").GetDouble() >= 0);
        Assert.Equal("optimal", root.GetProperty("solver").GetProperty("status").GetString());
        Assert.True(root.GetProperty("bytes").GetProperty("original").GetInt64() == new FileInfo(folder["model.onnx"]).Length);
        JsonElement scenario = Assert.Single(root.GetProperty("measured").GetProperty("scenarios").EnumerateArray().ToArray());
        Assert.True(scenario.GetProperty("originalMilliseconds").GetDouble() > 0);
        Assert.DoesNotContain(folder["."].TrimEnd('.', '/'), root.GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("memory")]
    [InlineData("theoretical-time")]
    public void ComputedObjectivesQuantizeWithoutTiming(string objective)
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("5%", $"objective: {objective}");
        QuantizeResult result = folder.Quantize();
        Assert.DoesNotContain("benchmark started", folder.Log);
        Assert.Contains(result.Manifest.Subgraphs.SelectMany(s => s.Layers), l => l.Format != "fp32");
        Assert.True(result.Manifest.Measured.RelativeLossError <= 0.05);
        using OnnxModel emitted = OnnxModel.Load(result.Files[0]);
        Assert.Contains(emitted.Graph.Node, n => n.OpType is "MatMulNBits" or "MatMulInteger");
    }

    [Fact]
    public void APinThatCannotBeAffordedNamesTheSmallestBudget()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("0.0001%", "layers: [ { match: \"*\", format: int4-weight } ]");
        MixedPrecisionException error = Assert.Throws<MixedPrecisionException>(() => folder.Quantize());
        Assert.Equal(Codes.BudgetInfeasible, error.Diagnostic.Code);
        Assert.False(Directory.Exists(folder["out"]));
    }

    [Fact]
    public void ALabelThatIsNoClassIsNamedByFileAndLine()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "objective: memory");
        string[] lines = File.ReadAllLines(folder["evaluation.jsonl"]);
        lines[4] = lines[4][..lines[4].LastIndexOf('[')] + "[4]}";
        File.WriteAllLines(folder["evaluation.jsonl"], lines);
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal((Codes.LabelsDoNotFit, new Place("evaluation.jsonl", 5)), (error.Code, error.Place));
        Assert.False(Directory.Exists(folder["out"]));
    }

    /// <summary>A first run, with the objective time.</summary>
    public sealed class First : IDisposable
    {
        private readonly PipelineFolder folder = new();

        public First()
        {
            Result = folder.Quantize();
            Log = [.. folder.Log];
        }

        public QuantizeResult Result { get; }

        public IReadOnlyList<string> Log { get; }

        internal PipelineFolder Copy() => new(folder);

        public void Dispose() => folder.Dispose();
    }
}
