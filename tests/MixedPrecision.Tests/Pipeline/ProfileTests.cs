using System.Text.Json.Nodes;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;
using MixedPrecision.Tests.Reporting;
using NJsonSchema;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Timings of the device that counts, written there and used where the plan is made. What is asserted is what was taken from where, never how fast anything is.</summary>
public sealed class ProfileTests(ProfileFixture fixture) : IClassFixture<ProfileFixture>
{
    private const string Name = ProfileFixture.Name;

    [Fact]
    public async Task WhatIsExportedIsReadBackAndSaysWhatItIsOf()
    {
        using PipelineFolder folder = fixture.With(_ => { });
        File.WriteAllText(folder[Name], fixture.Text);
        ReadProfile read = ProfileFile.Read(folder[Name], Name, Place.None);
        Assert.Equal(fixture.Text, read.Profile.ToJson());
        Assert.Equal((Name, read.Sha256, read.Profile.Count), (fixture.Report.Exported!.File, fixture.Report.Exported.Sha256, fixture.Report.Exported.Timings));
        Assert.Contains($"exported: {Name}, {read.Profile.Count} timings, SHA-256 {read.Sha256}", fixture.Report.ToLines());
        Assert.Empty((await JsonSchema.FromJsonAsync(SchemaText)).Validate(fixture.Text));

        Machine here = Machine.Detect(new RuntimePolicy("cpu", 1, Place.None));
        Assert.Equal((here.Processor, here.Runtime, 1), (read.Profile.Machine.Processor, read.Profile.Machine.Runtime, read.Profile.Machine.Threads));
        Assert.Equal("batch 16", Assert.Single(read.Profile.Scenarios).Name);

        // The first two pairs of layers are equal; the last layer stands alone.
        Assert.Equal([2, 1], read.Profile.Subgraphs.Select(s => s.Layers.Count));
        Assert.Equal([("Mul", 1), ("MatMul", 2), ("Tanh", 1)], read.Profile.Subgraphs[0].Operators.OrderBy(o => o.Key == "Mul" ? 0 : 1).ThenBy(o => o.Key, StringComparer.Ordinal).Select(o => (o.Key, o.Value)));
        ProfiledTiming[] pairs = [.. read.Profile.Subgraphs[0].Timings.Where(t => t.Comparison == TimingSubject.Configuration)];
        Assert.All([["int8-dynamic", "fp32"], ["fp32", "int8-weight"], ["int8-dynamic", "int8-dynamic"], (string[])["int8-weight", "int8-weight"]],
            formats => Assert.Single(pairs, t => t.Formats.Select(f => f.Split('(')[0]).SequenceEqual(formats)));
        Assert.All(pairs, t => Assert.Equal(("exported", "batch 16"), (t.Structure, t.Scenario)));
        Assert.All(pairs, t => Assert.Contains("[16, 64]", Assert.Single(t.Entry), StringComparison.Ordinal));
        Assert.DoesNotContain(Path.GetDirectoryName(folder.PolicyFile)!, fixture.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void AnExportHoldsWhatASearchForPlansTimes()
    {
        Assert.Contains("calibrate started", fixture.Log);
        Assert.Contains("solve started", fixture.Log);
        Assert.Equal(fixture.Report.Measured, ProfileFixture.Timings(JsonNode.Parse(fixture.Text)!.AsObject()).Count(t => t.ContainsKey("timing")));
    }

    [Fact]
    public void WithAProfileNothingIsTimed()
    {
        using PipelineFolder folder = fixture.With(json => ProfileFixture.Set(json, dynamic: 0.1, weight: 0.3));
        QuantizeResult made = folder.Quantize();
        Assert.False(Directory.Exists(folder["cache/timing"]));
        Assert.DoesNotContain(folder.Log, l => l.StartsWith("compare", StringComparison.Ordinal) || l.StartsWith("advise", StringComparison.Ordinal));
        Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.ProfileDiffers || w.Code == Codes.ProfileLacks);
        Manifest manifest = made.Manifest;
        Assert.Equal("plan", manifest.Shipped.What);
        Assert.Contains("end-to-end time was not measured on the device", manifest.Shipped.Why, StringComparison.Ordinal);
        Assert.Empty(manifest.Measured.Scenarios);
        Assert.Empty(manifest.Advice);
        string[] formats = [.. manifest.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Format)];
        Assert.Contains(formats, f => f.StartsWith("int8-weight", StringComparison.Ordinal));
        Assert.Equal(formats.Sum(f => f.StartsWith("int8-weight", StringComparison.Ordinal) ? 0.3 : f.StartsWith("int8-dynamic", StringComparison.Ordinal) ? 0.1 : 0), manifest.Predicted.Gain.Value, 1e-9);
        Assert.Equal((Name, 0), (manifest.Profile!.File, manifest.Profile.Missing));
        Assert.Equal(ProfileFile.Read(folder[Name], Name, Place.None).Sha256, manifest.Profile.Sha256);
        Assert.Contains(manifest.ToLines(), l => l.Contains(Name, StringComparison.Ordinal));
        Assert.Contains(folder[Name], made.InputFiles);
        Assert.Equal(manifest.ToJson(), ManifestFile.Read(made.Files.Single(f => f.EndsWith(".json", StringComparison.Ordinal))).ToJson());

        // The same once more takes nothing anew, and the other verbs take the same timings.
        Assert.Equal(manifest.ToJson(), folder.Quantize().Manifest.ToJson());
        Assert.Equal(manifest.Predicted.Gain.Value, Verbs.Solve(folder.PolicyFile, folder.Options()).Predicted.Gain.Value, 1e-9);
        Assert.Equal(manifest.Solver!.Objective, Verbs.Frontier(folder.PolicyFile, folder.Options()).Points.Max(p => p.Gain), 1e-9);
        Assert.NotNull(Verbs.Explain(folder.PolicyFile, null, folder.Options()).Plan);
        Assert.False(Directory.Exists(folder["cache/timing"]));
    }

    [Fact]
    public void OtherConditionsAreWarnedOfOnceWithBothSidesAndAnotherProcessorIsTheirPoint()
    {
        using PipelineFolder folder = fixture.With(json =>
        {
            json["machine"]!["runtime"] = "1.2.3";
            json["machine"]!["threads"] = 7;
            json["machine"]!["options"] = new JsonArray("options.AddSessionConfigEntry(\"session.intra_op.allow_spinning\", \"0\");");
            json["machine"]!["processor"] = "Another";
        });
        var said = new List<string>();
        RunOptions options = folder.Options();
        Verbs.Solve(folder.PolicyFile, options with { Progress = update => said.Add(update.Text) });
        Diagnostic warning = Assert.Single(folder.Warnings, w => w.Code == Codes.ProfileDiffers);
        Assert.Equal((Severity.Warning, folder.PolicyFile, 6), (warning.Severity, warning.Place.File, warning.Place.Line));
        Assert.Contains($"version of ONNX Runtime: '1.2.3' in the profile, '{Machine.Detect(new RuntimePolicy("cpu", 1, Place.None)).Runtime}' here", warning.Message, StringComparison.Ordinal);
        Assert.Contains("threads: '7' in the profile, '1' here", warning.Message, StringComparison.Ordinal);
        Assert.Contains("allow_spinning", warning.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Another", warning.Message, StringComparison.Ordinal);
        Assert.Single(said, s => s.Contains("Another", StringComparison.Ordinal));

        using PipelineFolder other = fixture.With(json => json["machine"]!["processor"] = "Another");
        Verbs.Solve(other.PolicyFile, other.Options());
        Assert.DoesNotContain(other.Warnings, w => w.Code == Codes.ProfileDiffers);
    }

    [Fact]
    public void WhatTheProfileLacksIsCountedAndNoPlanUsesIt()
    {
        using PipelineFolder folder = fixture.With(json =>
        {
            ProfileFixture.Set(json, dynamic: 0.4, weight: 0.1);
            Remove(json, t => ProfileFixture.Formats(t) is { Length: 2 } formats && formats.Contains("int8-dynamic"));
        });
        Manifest manifest = folder.Quantize().Manifest;
        Diagnostic warning = Assert.Single(folder.Warnings, w => w.Code == Codes.ProfileLacks);
        Assert.Equal((Severity.Warning, 6), (warning.Severity, warning.Place.Line));
        Assert.Contains("lacks 3 of", warning.Message, StringComparison.Ordinal);
        Assert.Contains(warning.Message, manifest.Warnings);
        Assert.Equal(3, manifest.Profile!.Missing);
        Assert.All(manifest.Subgraphs.Where(s => s.Layers.Count == 2).SelectMany(s => s.Layers), l => Assert.StartsWith("int8-weight", l.Format, StringComparison.Ordinal));
        TriedConfiguration[] tried = [.. manifest.Tried!.SelectMany(t => t.Configurations).Where(c => c.Unavailable is not null)];
        Assert.Equal(3, tried.Length);
        Assert.All(tried, t => Assert.Contains("benchmark POLICY --export FILE", t.Unavailable, StringComparison.Ordinal));
        Assert.Contains(Verbs.Explain(folder.PolicyFile, null, folder.Options()).Plan!.Layers.SelectMany(l => l.Formats), f => f.Why == "is not in the profile");
    }

    /// <summary>Two layers that gain alone are no reason to change both, where both together were not timed.</summary>
    [Fact]
    public void PartsDoNotStandForAWholeThatWasNotTimed()
    {
        using PipelineFolder folder = fixture.With(json =>
        {
            ProfileFixture.Set(json, dynamic: 0.1, weight: 0.3);
            Remove(json, t => ProfileFixture.Formats(t) is { Length: 2 } formats && formats.Count(f => f != "fp32") == 2);
        });
        Manifest manifest = folder.Quantize().Manifest;
        Assert.All(manifest.Subgraphs.Where(s => s.Layers.Count == 2), s => Assert.Equal(1, s.Layers.Count(l => l.Format != "fp32")));
        Assert.All(manifest.Subgraphs.Where(s => s.Layers.Count == 2), s => Assert.Equal(0.3, s.Gain.Value, 1e-9));
        Assert.Contains(folder.Warnings, w => w.Code == Codes.ProfileLacks);
    }

    [Fact]
    public void AProfileOfSomethingElseIsRefused()
    {
        using PipelineFolder folder = fixture.With(_ => { });
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("batch: 16", "batch: 17", StringComparison.Ordinal));
        Diagnostic found = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal((Codes.ProfileLacks, Severity.Error, folder.PolicyFile, 6), (found.Code, found.Severity, found.Place.File, found.Place.Line));
        Assert.Contains("scenarios 'batch 16'", found.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["out"]));
    }

    /// <summary>Which format is right, the machines decide that run and that judge the file; the one without VNNI counts.</summary>
    [Theory]
    [InlineData("", false)]
    [InlineData("avx512_vnni", true)]
    public void FormatsFollowTheProfilesProcessor(string instructionSet, bool isExact)
    {
        using PipelineFolder folder = fixture.With(
            json =>
            {
                ProfileFixture.Set(json, dynamic: 0.3, weight: 0.1);
                json["machine"]!["architecture"] = "x64";
                json["machine"]!["instructionSets"] = new JsonArray([.. instructionSet.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(s => JsonValue.Create(s))]);
            },
            "formats: int8-dynamic\nminimumGain: 0%");
        string[] formats = [.. folder.Quantize().Manifest.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Format).Where(f => f != "fp32")];
        Assert.NotEmpty(formats);
        bool full = isExact && Machine.Detect(new RuntimePolicy("cpu", 1, Place.None)).AddsExactly();
        Assert.All(formats, f => Assert.StartsWith(full ? "int8-dynamic(full" : "int8-dynamic(paired", f, StringComparison.Ordinal));
        Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.ProfileDiffers);
    }

    [Fact]
    public void AProcessorThatAFormatIsWrongOnIsNamed()
    {
        using PipelineFolder folder = fixture.With(
            json =>
            {
                json["machine"]!["architecture"] = "x64";
                json["machine"]!["instructionSets"] = new JsonArray();
                json["machine"]!["processor"] = "Small";
            },
            "formats: [ \"int8-dynamic(full)\", int8-weight ]\nsearchSeconds: 0");
        SolveReport report = Verbs.Solve(folder.PolicyFile, folder.Options());
        Assert.All(report.Subgraphs.SelectMany(s => s.Layers), l => Assert.Contains("neither VNNI nor AMX", l.NotApplicable["int8-dynamic(full,gptq)"], StringComparison.Ordinal));
    }

    /// <summary>Where time is not the objective, a profile says which processor the file is for, and nothing is asked of its timings.</summary>
    [Fact]
    public void WithoutTimesOnlyTheProcessorCounts()
    {
        using PipelineFolder folder = fixture.With(
            json =>
            {
                json["machine"]!["threads"] = 7;
                json["subgraphs"] = new JsonArray();
            },
            "formats: int8-dynamic\nobjective: memory");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal((0, 0), (manifest.Profile!.Timings, manifest.Profile.Missing));
        Assert.Empty(manifest.Measured.Scenarios);
        Assert.Equal("plan", manifest.Shipped.What);
        Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.ProfileDiffers || w.Code == Codes.ProfileLacks);
    }

    /// <summary>What neighbours gain together is carried over too: the plan is that of the machine's own timings.</summary>
    [Fact]
    public void EdgesBetweenFormsAreCarriedOver()
    {
        using var folder = new PipelineFolder();
        folder.WriteConvolutions(weightSeed: 1);
        folder.WritePolicy("100%", "formats: int8-static\nsearchSeconds: 0\nminimumGain: 0%");
        Verbs.Benchmark(folder.PolicyFile, folder.Options(), folder[Name]);
        Assert.Contains("edge, both changed", File.ReadAllText(folder[Name]), StringComparison.Ordinal);
        SolveReport own = Verbs.Solve(folder.PolicyFile, folder.Options());

        Directory.Delete(folder["cache"], recursive: true);
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("threads: 1 }", $"threads: 1, profile: {Name} }}", StringComparison.Ordinal));
        SolveReport carried = Verbs.Solve(folder.PolicyFile, folder.Options());
        Assert.False(Directory.Exists(folder["cache/timing"]));
        Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.ProfileLacks);
        Assert.Equal(own.Predicted.Gain.Value, carried.Predicted.Gain.Value, 1e-9);
        Assert.Equal(own.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Format), carried.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Format));

        JsonObject without = JsonNode.Parse(File.ReadAllText(folder[Name]))!.AsObject();
        Remove(without, t => ((string)t["comparison"]!).StartsWith("edge", StringComparison.Ordinal));
        File.WriteAllText(folder[Name], without.ToJsonString());
        Verbs.Solve(folder.PolicyFile, folder.Options());
        Assert.Contains("lacks", Assert.Single(folder.Warnings, w => w.Code == Codes.ProfileLacks).Message, StringComparison.Ordinal);
    }

    /// <summary>Kernels are those of the device: here without the fusion that the format promises.</summary>
    [Fact]
    public void AnotherKernelHereIsNoErrorWhereTheFileRunsElsewhere()
    {
        using PipelineFolder folder = ProfileFixture.New("formats: \"int8-dynamic(paired,rounded)\"");
        RunOptions options = folder.Options();
        var runner = new StageRunner(new ContentStore(folder["cache"]), new RunLog(options));
        using Materials materials = Materials.Open(folder.PolicyFile, options, runner, isProfiled: false);
        Workspace workspace = materials.Workspace;
        Configuration[] plan = [.. workspace.Partition.Subgraphs.Select(s => Configuration.Exported([.. s.Layers.Select(l => materials.Allowed[l.Name].Formats[^1])]))];
        EmittedModel file = Emission.Write(runner, Shipment.ModelOf(workspace), plan, folder["made"], "model.mixed.onnx", materials.Preparations);
        var unfused = new SessionOption(SessionOptionKind.ConfigEntry, "optimization.disable_specified_optimizers", "DynamicQuantizeMatMulFusion;MatMulIntegerToFloatFusion");
        Conformity Conform(bool runsElsewhere) => runner.Get(Stages.Conform, new ConformInput(
            Shipment.ModelOf(workspace), file.Content, Emission.LayersOf(workspace, plan), Emission.StructuresOf(workspace, plan), materials.Data.Evaluation, Kernels.Of(materials.Machine), new AppSession(1, [unfused]), runsElsewhere, materials.Preparations));
        Assert.Equal(Codes.KernelNotAsPromised, Assert.Throws<MixedPrecisionException>(() => Conform(runsElsewhere: false)).Diagnostic.Code);
        Conformity found = Conform(runsElsewhere: true);
        Assert.Equal((Codes.KernelNotAsPromised, null), (found.Kernel!.Code, found.Problem));

        Machine here = materials.Machine;
        Assert.False(Profiles.HasOtherKernels(null, here));
        File.WriteAllText(folder[Name], fixture.Text);
        Profile profile = ProfileFile.Read(folder[Name], Name, Place.None).Profile;
        Assert.False(Profiles.HasOtherKernels(new ReadProfile(Name, "", profile), here));
        Assert.True(Profiles.HasOtherKernels(new ReadProfile(Name, "", profile with { Machine = here with { InstructionSets = ["avx"] } }), here));
        Assert.True(Profiles.HasOtherKernels(new ReadProfile(Name, "", profile with { Machine = here with { Runtime = "1.2.3" } }), here));
    }

    [Fact]
    public void ALockRestsOnTheProfile()
    {
        using PipelineFolder folder = fixture.With(json => ProfileFixture.Set(json, dynamic: 0.1, weight: 0.3));
        PrecisionLock made = Verbs.Lock(folder.PolicyFile, folder.Options()).Lock;
        Assert.Equal(made.Models[0].Manifest.Profile!.Sha256, Assert.Single(made.Data, d => d.Key == "runtime.profile").Sha256);
        string text = File.ReadAllText(folder[Name]);
        File.Delete(folder[Name]);
        Assert.Equal(made.Models[0].Manifest.ToJson(), folder.Quantize().Manifest.ToJson());
        Assert.DoesNotContain("calibrate started", folder.Log);
        File.WriteAllText(folder[Name], text + "\n");
        Diagnostic found = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal((Codes.LockDataDrift, 6), (found.Code, found.Place.Line));
        Assert.Contains(Name, found.Message, StringComparison.Ordinal);
    }

    /// <summary>On the device a file that was made elsewhere is timed as a whole.</summary>
    [Fact]
    public void AnEmittedFileIsTimedEndToEnd()
    {
        using PipelineFolder folder = fixture.With(json => ProfileFixture.Set(json, dynamic: 0.1, weight: 0.3));
        Manifest manifest = folder.Quantize().Manifest;
        File.Delete(folder[Name]);
        BenchmarkReport report = Verbs.Benchmark(folder.PolicyFile, folder.Options(), emittedFile: folder["out/model.mixed.onnx"]);
        Assert.Contains("compare started", folder.Log);
        Assert.Equal((manifest.Output.File, manifest.Output.Sha256), (report.Emitted!.File, report.Emitted.Sha256));
        MeasuredScenario scenario = Assert.Single(report.Emitted.Scenarios);
        Assert.Equal("batch 16", scenario.Name);
        Assert.True(scenario.OriginalMilliseconds > 0 && scenario.MixedMilliseconds > 0);
        Assert.Equal((0, 0, 0), (report.Measured, report.Scenarios.Count, Directory.Exists(folder["cache/timing"]) ? 1 : 0));
        Assert.StartsWith("batch 16: ", report.ToLines().ElementAt(1), StringComparison.Ordinal);
        Assert.Equal(Codes.ModelNotFound, Assert.Throws<MixedPrecisionException>(() => Verbs.Benchmark(folder.PolicyFile, folder.Options(), emittedFile: folder["none.onnx"])).Diagnostic.Code);
    }

    [Fact]
    public void AnExportReplacesNoInput()
    {
        using PipelineFolder folder = ProfileFixture.New();
        foreach (string file in new[] { "model.onnx", "calibration.jsonl", "model.policy.yaml" })
        {
            byte[] before = File.ReadAllBytes(folder[file]);
            Assert.Equal(Codes.OutputOverwrites, Assert.Throws<MixedPrecisionException>(() => Verbs.Benchmark(folder.PolicyFile, folder.Options(), folder[file])).Diagnostic.Code);
            Assert.Equal(before, File.ReadAllBytes(folder[file]));
        }

        Assert.Empty(folder.Log);
    }

    [Fact]
    public void TheSchemaDescribesEveryPropertyOfEveryRecord() => DescribedRecords.AreThoseOf(SchemaText, typeof(Profile));

    private static string SchemaText => File.ReadAllText(RepositoryRoot.Path("build/profile.schema.json"));

    private static void Remove(JsonObject profile, Func<JsonObject, bool> isMeant)
    {
        foreach (JsonArray timings in profile["subgraphs"]!.AsArray().Select(s => s!["timings"]!.AsArray()))
        {
            timings.RemoveAll(t => isMeant(t!.AsObject()));
        }
    }
}
