using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>A plan and a file for each scenario, which share the weights that are equal.</summary>
public sealed class ScenarioPlansTests(LockedTwoSides sides) : IClassFixture<LockedTwoSides>
{
    private static readonly string[] Models = [TwoSides.Left, TwoSides.Right];

    [Fact]
    public void EachScenarioHasThePlanThatIsBestForIt()
    {
        using PipelineFolder folder = sides.Solved();
        QuantizeResult result = folder.Quantize();
        Assert.Equal(
            [TwoSides.Data, .. Models.SelectMany(m => new[] { m, Path.ChangeExtension(m, ".precision.json"), Path.ChangeExtension(m, ".report.html") })],
            result.Files.Select(Path.GetFileName));
        Assert.Equal(["Left side", "right: side/2"], result.Manifests.Select(m => m.Scenario));
        Assert.Equal(Models, result.Manifests.Select(m => m.Output.File));
        Assert.All(result.Manifests, m => Assert.Equal("plan", m.Shipped.What));
        Assert.All(result.Manifests, m => Assert.InRange(m.Measured.RelativeLossError, 1e-9, m.Budget.Allowed));
        Assert.Equal([["left"], ["right"]], result.Manifests.Select(m => m.Subgraphs.SelectMany(s => s.Layers).Where(l => l.Format != "fp32").Select(l => l.Name).ToArray()));
        Assert.All(result.Manifests, m => Assert.Empty(m.Shared!.Same));

        // One calibration serves all, and what is shipped is what was verified.
        Assert.Single(folder.Log, l => l == "calibrate reused");
        Assert.DoesNotContain("calibrate started", folder.Log);
        folder.Quantize("again");
        Assert.DoesNotContain(folder.Log, l => l.EndsWith("started", StringComparison.Ordinal));
        Assert.Equal(result.Files.Select(File.ReadAllBytes), result.Files.Select(f => File.ReadAllBytes(Path.Combine(folder["again"], Path.GetFileName(f)))));
    }

    [Fact]
    public void EqualWeightsAreStoredOnceAndEveryFileLoadsThem()
    {
        using PipelineFolder folder = sides.Solved();
        QuantizeResult result = folder.Quantize();
        SharedData shared = result.Manifest.Shared!;
        Assert.Equal((TwoSides.Data, new FileInfo(result.Files[0]).Length), (shared.File, shared.Bytes));
        Assert.Equal(Models, shared.Models);
        Assert.Equal(shared.Bytes + Models.Sum(m => new FileInfo(folder[$"out/{m}"]).Length), shared.Together);
        Assert.Equal(result.Manifests.Sum(m => m.Output.Bytes), shared.Alone);

        // 'common' is equal in both; each side is quantized in one of them, and as it was in the other.
        const long Common = 128 * 128 * sizeof(float);
        Assert.InRange(shared.Alone - shared.Together, Common / 2, Common);
        using (OnnxModel left = OnnxModel.Load(folder[$"out/{TwoSides.Left}"]), right = OnnxModel.Load(folder[$"out/{TwoSides.Right}"]))
        {
            DataRange[] ranges = [.. new[] { left, right }.Select(m => m.External.Locate(m.Initializers["common-w"]))];
            Assert.Equal(ranges[0], ranges[1]);
            Assert.All(new[] { left, right }.SelectMany(m => ModelTensors.External(m.Proto).Select(m.External.Locate)), r => Assert.Equal((0, folder[$"out/{TwoSides.Data}"]), (r.Offset % 4096, r.Path)));
        }

        // All of them at a time, in a folder of their own, as an app has them; the file of data alone comes along.
        Directory.CreateDirectory(folder["app"]);
        foreach (string file in result.Files.Where(f => !f.EndsWith(".json", StringComparison.Ordinal)))
        {
            File.Move(file, Path.Combine(folder["app"], Path.GetFileName(file)));
        }

        File.Delete(folder["calibration.jsonl"]);
        Session[] sessions = [.. new[] { folder["model.onnx"] }.Concat(Models.Select(m => folder[$"app/{m}"])).Select(m => Session.Open(m, SessionSettings.Default))];
        var inputs = new Dictionary<string, Tensor> { ["left"] = Rows(1), ["right"] = Rows(2) };
        float[][] logits = [.. sessions.Select(s => s.Run(inputs)["logits"].Values<float>().ToArray())];
        double size = logits[0].Max(Math.Abs);
        Assert.All(logits[1..], own => Assert.InRange(own.Zip(logits[0], (a, b) => Math.Abs(a - b)).Max(), size * 1e-6, size * 0.2));
        Assert.NotEqual(logits[1], logits[2]);
        Array.ForEach(sessions, s => s.Dispose());
    }

    /// <summary>Names are what an app opens: they stay, whatever comes out, and the message says that it is the same.</summary>
    [Fact]
    public void ScenariosOfOnePlanHaveAFileEach()
    {
        using PipelineFolder folder = sides.Solved();
        TwoSides.WritePolicy(folder, "50%");
        QuantizeResult result = folder.Quantize();
        Assert.Single(folder.Log, l => l == "quantize started");
        Assert.Equal(File.ReadAllBytes(folder[$"out/{TwoSides.Left}"]), File.ReadAllBytes(folder[$"out/{TwoSides.Right}"]));
        Assert.Equal([[TwoSides.Right], [TwoSides.Left]], result.Manifests.Select(m => m.Shared!.Same.ToArray()));
        Assert.Contains($"for the scenario 'Left side' alone: the same plan as {TwoSides.Right}", result.ToLines());
        Assert.Contains(result.ToLines(), l => l.StartsWith($"{TwoSides.Left}, {TwoSides.Right} share {TwoSides.Data}: ", StringComparison.Ordinal));
        Assert.InRange(result.Manifest.Shared!.Alone, result.Manifest.Shared.Together * 3 / 2, result.Manifest.Shared.Together * 2);
    }

    [Fact]
    public void WhereNothingIsGainedEachScenarioKeepsTheOriginal()
    {
        using PipelineFolder folder = sides.Solved();
        TwoSides.WritePolicy(folder, "0.0000001%");
        QuantizeResult result = folder.Quantize();
        Assert.All(result.Manifests, m => Assert.Equal("original", m.Shipped.What));
        Diagnostic[] kept = [.. folder.Warnings.Where(w => w.Code == Codes.NothingGained)];
        Assert.Equal(2, kept.Length);
        Assert.Contains("for the scenario 'Left side', ", kept[0].Message);
        Assert.Equal([kept[0].Message], result.Manifests[0].Warnings.Where(w => w.Contains("original model is kept", StringComparison.Ordinal)));
        Assert.Equal([kept[1].Message], result.Manifests[1].Warnings.Where(w => w.Contains("original model is kept", StringComparison.Ordinal)));
        using OnnxModel original = OnnxModel.Load(folder["model.onnx"]), emitted = OnnxModel.Load(folder[$"out/{TwoSides.Left}"]);
        Assert.Equal(original.Initializers.Keys, emitted.Initializers.Keys);
        Assert.All(original.Initializers.Keys, name => Assert.Equal(original.Initializer(name)!.Bytes.ToArray(), emitted.Initializer(name)!.Bytes.ToArray()));
    }

    [Fact]
    public void AModelWithExternalDataIsTakenToo()
    {
        using PipelineFolder folder = sides.Solved();
        using (OnnxModel model = OnnxModel.Load(folder["model.onnx"]))
        {
            Quantizer.Save(model, model.Proto.Clone(), folder["model.onnx"], isApart: true);
        }

        Assert.True(File.Exists(folder["model.onnx.data"]));
        QuantizeResult result = folder.Quantize();
        Assert.Equal([["left"], ["right"]], result.Manifests.Select(m => m.Subgraphs.SelectMany(s => s.Layers).Where(l => l.Format != "fp32").Select(l => l.Name).ToArray()));
        Assert.Equal([TwoSides.Data], Directory.GetFiles(folder["out"], "*.data").Select(Path.GetFileName));
        Assert.True(result.Manifest.Shared!.Together < result.Manifest.Shared.Alone);
    }

    [Fact]
    public void ASingleScenarioIsAsWithoutTheSwitch()
    {
        using PipelineFolder folder = sides.Solved();
        string one = "scenarios: [ { name: only, inputs: { m: 64, n: 1 } }, { inputs: { m: 1, n: 64 }, weight: 0 } ]";
        TwoSides.WritePolicy(folder, "50%", one);
        QuantizeResult without = folder.Quantize("without");
        TwoSides.WritePolicy(folder, "50%", one + "\nplans: per-scenario");
        QuantizeResult with = folder.Quantize("with");
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json", "model.mixed.report.html"], with.Files.Select(Path.GetFileName));
        Assert.Equal(without.Files.Select(File.ReadAllBytes), with.Files.Select(File.ReadAllBytes));
        Assert.Null(with.Manifest.Scenario);
    }

    [Fact]
    public void SolveFrontierAndExplainTellOfEachScenario()
    {
        using PipelineFolder folder = sides.Solved();
        IReadOnlyList<ScenarioPlan> plans = Verbs.PlansOf(folder.PolicyFile);
        Assert.Equal([new("Left-side", "Left side"), new("right-side-2", "right: side/2")], plans);
        foreach ((ScenarioPlan plan, string layer) in plans.Zip(["left", "right"]))
        {
            SolveReport solved = Verbs.Solve(folder.PolicyFile, folder.Options() with { Scenario = plan.Key });
            Assert.Equal(plan.Label, solved.Scenario);
            Assert.Equal([layer], solved.Subgraphs.SelectMany(s => s.Layers).Where(l => l.Format != "fp32").Select(l => l.Name));
            ExplainReport explained = Verbs.Explain(folder.PolicyFile, layer, folder.Options() with { Scenario = plan.Key });
            Assert.Equal((plan.Label, "gains most for its loss"), (explained.Scenario, Assert.Single(explained.Plan!.Layers).Reason));
            FrontierReport frontier = Verbs.Frontier(folder.PolicyFile, folder.Options() with { Scenario = plan.Key });
            Assert.Equal(plan.Label, frontier.Scenario);
            Assert.Contains(frontier.Points, p => p.Gain == solved.Predicted.Gain.Value);
        }

        Assert.Equal("Left side", Verbs.Solve(folder.PolicyFile, folder.Options()).Scenario);
        TwoSides.WritePolicy(folder, "1%", TwoSides.Scenarios.Replace("per-scenario", "one", StringComparison.Ordinal));
        Assert.Empty(Verbs.PlansOf(folder.PolicyFile));
        Assert.Null(Verbs.Solve(folder.PolicyFile, folder.Options()).Scenario);
    }

    /// <summary>Timings are taken scenario by scenario at any rate: what one plan for all of them needs is there.</summary>
    [Fact]
    public void PlansStandOnTheTimingsOfTheirScenario()
    {
        using PipelineFolder folder = sides.Solved();
        TwoSides.WritePolicy(folder, "50%", more: "objective: time\nsearchSeconds: 0");
        QuantizeResult result = folder.Quantize();
        Assert.All(result.Manifests, m => Assert.Contains(m.Tried!.SelectMany(t => t.Configurations), c => c.Gain is not null));
        Assert.NotEqual(result.Manifests[0].Tried![0].Configurations[0].Gain, result.Manifests[1].Tried![0].Configurations[0].Gain);
        BenchmarkReport timed = Verbs.Benchmark(folder.PolicyFile, folder.Options());
        Assert.Equal(0, timed.Measured);
        Assert.Equal([1.0 / 3, 2.0 / 3], timed.Scenarios.Select(s => s.Weight));
    }

    [Fact]
    public void TheAppFixesTheSizesOfTheScenarioOfItsFile()
    {
        using PipelineFolder folder = sides.Solved();
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("threads: 1", "threads: 1, freeDimensions: true", StringComparison.Ordinal));
        RunOptions options = folder.Options();
        using (Materials materials = Materials.Open(folder.PolicyFile, options, new StageRunner(new ContentStore(folder["cache"]), new RunLog(options))))
        {
            Assert.Null(materials.Machine.Options);
            Assert.Equal(
                [[SessionOption.FreeDimension("m", 64), SessionOption.FreeDimension("n", 1)], [SessionOption.FreeDimension("m", 1), SessionOption.FreeDimension("n", 64)]],
                ScenarioFiles.Of(materials.Policy).Select(f => materials.For(f).Machine.Options!.ToArray()));
        }

        Assert.Equal([1, 1], folder.Quantize().Manifests.Select(m => m.Subgraphs.SelectMany(s => s.Layers).Count(l => l.Format != "fp32")));
    }

    [Fact]
    public void NoFileReplacesAnInputOrWhatAnotherPolicyEmitted()
    {
        using PipelineFolder folder = sides.Solved();
        folder.Quantize();
        string manifest = folder[$"out/{Path.ChangeExtension(TwoSides.Right, ".precision.json")}"];
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("model.policy.yaml", "other.policy.yaml", StringComparison.Ordinal));
        Assert.Equal(Codes.OutputOverwrites, Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic.Code);

        using (OnnxModel model = OnnxModel.Load(folder["model.onnx"]))
        {
            Quantizer.Save(model, model.Proto.Clone(), folder["model.onnx"], isApart: true);
        }

        Directory.CreateDirectory(folder["moved"]);
        foreach (string file in SharedWeights.Write([(folder["model.onnx"], "model.onnx")], folder["moved"], TwoSides.Data))
        {
            File.Move(file, folder[Path.GetFileName(file)], overwrite: true);
        }

        Diagnostic refused = Assert.Throws<MixedPrecisionException>(() => folder.Quantize(".")).Diagnostic;
        Assert.Equal((Codes.OutputOverwrites, TwoSides.Data), (refused.Code, Path.GetFileName(refused.Place.File)));
    }

    private static Tensor Rows(int seed)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, 3 * 128).Select(_ => (float)random.NextDouble() - 0.5f)], 3, 128);
    }
}
