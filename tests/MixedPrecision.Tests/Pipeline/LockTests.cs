using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;
using MixedPrecision.Tests.Formats;
using MixedPrecision.Tests.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>With a lock nothing is calibrated, timed or solved, no data are needed, and the same bytes come out wherever it is.</summary>
public class LockTests
{
    private const string Computed = "objective: theoretical-time";

    /// <summary>As de-DE and tr-TR write numbers, as sv-SE does, and invariant: tool and tests know the invariant culture alone, which has no others by name.</summary>
    internal static readonly CultureInfo[] Cultures = [Writing(",", ".", "-"), Writing(",", "\u00a0", "\u2212"), CultureInfo.InvariantCulture];

    /// <summary>Weights rounded with moments, balanced channels, ranges, half precision, weights alone; what of it has to be stored.</summary>
    public static TheoryData<string, string, bool> Cases => new()
    {
        { "gated", "formats: int8-dynamic", true },
        { "gated", "formats: int4-weight", true },
        { "gated", "formats: [\"int8-dynamic(rounded)\", fp16]", false },
        { "convolutions", "formats: int8-static", true },
        { "convolutions", "formats: \"int8-static(rounded)\"", false },
        { "recurrent", "formats: int8-dynamic", false },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void TheSameFilesComeOutWithoutDataCacheOrMeasurement(string model, string formats, bool isStored)
    {
        using var folder = new PipelineFolder();
        Write(folder, model);
        folder.WritePolicy("100%", $"{formats}\n{Computed}");
        QuantizeResult free = folder.Quantize("free");
        Assert.Equal("plan", free.Manifest.Shipped.What);
        LockResult made = In(Cultures[0], () => Verbs.Lock(folder.PolicyFile, folder.Options()));
        Assert.Equal([.. isStored ? ["model.precision.lock.bin"] : Array.Empty<string>(), "model.precision.lock.json"], made.Files.Select(Path.GetFileName));
        Assert.Equal(isStored, made.Lock.Models[0].Layers.Any(l => l.Stored is not null));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(folder.PolicyFile)!, ".mixed-precision-*"));

        foreach (string file in new[] { "calibration.jsonl", "evaluation.jsonl" })
        {
            File.Delete(folder[file]);
        }

        foreach ((int number, CultureInfo culture) in Cultures.Index())
        {
            Directory.Delete(folder["cache"], recursive: true);
            QuantizeResult locked = In(culture, () => folder.Quantize($"locked {number}"));
            Assert.Equal(["quantize started", "read-back started"], folder.Log);
            Assert.Empty(folder.Warnings);
            Assert.Equal(free.Files.Select(File.ReadAllBytes), locked.Files.Select(File.ReadAllBytes));
            Assert.Contains(folder["calibration.jsonl"], locked.InputFiles);
            Assert.Contains(folder["model.precision.lock.json"], locked.InputFiles);
            Assert.Contains(folder["model.precision.lock.bin"], locked.InputFiles);
        }

        folder.Quantize("locked again");
        Assert.Equal(["quantize reused", "read-back reused"], folder.Log);
    }

    [Fact]
    public void BalancedChannelsAreKeptWithTheLayerThatReadsThem()
    {
        using var folder = new PipelineFolder();
        folder.WriteModel(weightSeed: 1, scale: 3, isGated: true);
        folder.WritePolicy("100%", $"formats: int8-dynamic\n{Computed}");
        LockResult made = Verbs.Lock(folder.PolicyFile, folder.Options());
        Assert.Single(made.Lock.Models[0].Layers, l => l.Stored is { IsBalanced: true });
    }

    [Fact]
    public void TimesOfALockAreThoseOfWhereItWasMade()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("100%", "searchSeconds: 0\nminimumGain: 0%");
        LockResult made = Verbs.Lock(folder.PolicyFile, folder.Options());
        QuantizeResult locked = folder.Quantize();
        Assert.DoesNotContain(folder.Log, l => l.StartsWith("compare", StringComparison.Ordinal) || l.StartsWith("benchmark", StringComparison.Ordinal));
        Assert.Equal(made.Lock.Models[0].Manifest.ToJson(), locked.Manifest.ToJson());
        Assert.Equal(made.Lock.Models[0].Manifest.ToJson(), File.ReadAllText(locked.Files.Single(f => f.EndsWith(".json", StringComparison.Ordinal))));
    }

    [Fact]
    public void AnOriginalThatIsKeptIsLockedToo()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("0.000001%", $"formats: int4-weight\n{Computed}");
        Assert.Equal("original", Verbs.Lock(folder.PolicyFile, folder.Options()).Lock.Models[0].Manifest.Shipped.What);
        Assert.False(File.Exists(folder["model.precision.lock.bin"]));
        File.Delete(folder["calibration.jsonl"]);
        QuantizeResult locked = folder.Quantize();
        Assert.Equal(File.ReadAllBytes(folder["model.onnx"]), File.ReadAllBytes(locked.Files[0]));
        Assert.Equal(Codes.NothingGained, Assert.Single(folder.Warnings).Code);
    }

    /// <summary>Made with others on a processor of other kernels, what does not run in them here is a warning: it was checked there.</summary>
    [Fact]
    public void ALockOfAnotherMachineFits()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("100%", $"formats: int8-dynamic\n{Computed}");
        PrecisionLock made = Verbs.Lock(folder.PolicyFile, folder.Options()).Lock;
        LockedModel own = Assert.Single(made.Models);
        Machine other = own.Manifest.Machine with { Processor = "Another", InstructionSets = ["avx2"], Cores = 64 };
        File.WriteAllText(folder["model.precision.lock.json"], (made with { Models = [own with { Manifest = own.Manifest with { Machine = other } }] }).ToJson());
        Assert.Equal("Another", folder.Quantize().Manifest.Machine.Processor);
    }

    /// <summary>On a machine like that of the lock a kernel has to be as promised, on another it was checked there; what the file holds is the same everywhere.</summary>
    [Theory]
    [InlineData("x64", "1.2.3", "avx2 vnni", false, Severity.Error)]
    [InlineData("x64", "1.2.3", "avx2", false, Severity.Warning)]
    [InlineData("arm64", "1.2.3", "avx2 vnni", false, Severity.Warning)]
    [InlineData("x64", "1.2.4", "avx2 vnni", false, Severity.Warning)]
    [InlineData("arm64", "1.2.4", "dotprod", true, Severity.Error)]
    public void AnotherKernelThanPromisedIsAWarningWhereTheLockWasNotMade(string architecture, string runtime, string instructionSets, bool isOfTheFile, Severity severity)
    {
        Machine locked = Examples.Manifest.Machine with { Processor = "That", Architecture = "x64", Runtime = "1.2.3", InstructionSets = ["avx2", "vnni"] };
        Machine here = locked with { Processor = "This", Architecture = architecture, Runtime = runtime, InstructionSets = instructionSets.Split(' ') };
        Diagnostic problem = isOfTheFile
            ? Errors.EmittedModelDiffersFromPlan(new Place("m.onnx"), "int8-dynamic", "fp32").Diagnostic
            : Errors.KernelNotAsPromised("m.onnx", "/q", "int8-dynamic", "MatMulIntegerToFloat", "MatMulInteger").Diagnostic;
        Diagnostic counted = LockedDelivery.On(here, problem, locked);
        Assert.Equal((problem.Code, problem.Place, severity), (counted.Code, counted.Place, counted.Severity));
        Assert.StartsWith(problem.Message, counted.Message, StringComparison.Ordinal);
        Assert.Equal(severity == Severity.Warning, counted.Message.Contains($"This machine has This and ONNX Runtime {runtime}; the lock was made, and its kernels were checked, on That with 1.2.3.", StringComparison.Ordinal));
    }

    /// <summary>The tool may be able to run it or not: what was measured is the lock's.</summary>
    [Fact]
    public void AnAppWithAnotherRuntimeThanTheLocksIsWarnedOfOnce()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("100%", $"formats: int8-dynamic\n{Computed}");
        string locked = Verbs.Lock(folder.PolicyFile, folder.Options()).Lock.Models[0].Manifest.Machine.Runtime;
        Diagnostic refused = Errors.OtherRuntime("libonnxruntime.so", "1.2.3", "it is older than the tool", "1.3.0", "1.3");
        byte[] Publish(string? app) => File.ReadAllBytes(Verbs.Quantize(folder.PolicyFile, folder["out"], folder.Options() with { AppRuntime = app, RuntimeWarning = refused }).Files[1]);
        byte[] manifest = Publish(null);
        Assert.Empty(folder.Warnings);
        Assert.Equal(manifest, Publish("1.2.3"));
        Diagnostic warning = Assert.Single(folder.Warnings);
        Assert.Equal((Codes.OtherRuntime, Severity.Warning, folder["model.precision.lock.json"]), (warning.Code, warning.Severity, warning.Place.File));
        Assert.StartsWith($"The app runs ONNX Runtime 1.2.3, and the lock was made with {locked}: ", warning.Message, StringComparison.Ordinal);
        Publish(locked);
        Assert.Empty(folder.Warnings);
        Publish(locked + "-rc.1");
        Assert.Empty(folder.Warnings);
    }

    [Fact]
    public void WhereALockIsRequiredThereHasToBeOne()
    {
        using var folder = new PipelineFolder();
        MixedPrecisionException e = Assert.Throws<MixedPrecisionException>(() => Verbs.Quantize(folder.PolicyFile, folder["out"], folder.Options() with { IsLocked = true }));
        Assert.Equal(Codes.LockMissing, e.Diagnostic.Code);
        Assert.Equal(folder["model.precision.lock.json"], e.Diagnostic.Place.File);
        Assert.False(Directory.Exists(folder["out"]));
        folder.WritePolicy("100%", $"formats: int8-dynamic\n{Computed}");
        Verbs.Lock(folder.PolicyFile, folder.Options());
        Assert.NotEmpty(Verbs.Quantize(folder.PolicyFile, folder["out"], folder.Options() with { IsLocked = true }).Files);
    }

    [Theory]
    [InlineData("a/model.policy.yaml", "a/model.precision.lock.json")]
    [InlineData("model.yaml", "model.precision.lock.json")]
    [InlineData("small.v2.policy.yml", "small.v2.precision.lock.json")]
    public void ItIsNamedAfterThePolicy(string policy, string path) => Assert.Equal(path.Replace('/', Path.DirectorySeparatorChar), LockFile.PathOf(policy.Replace('/', Path.DirectorySeparatorChar)));

    [Fact]
    public void ItIsReadAsItWasWritten()
    {
        using var folder = new PipelineFolder();
        folder.WriteConvolutions(weightSeed: 1);
        folder.WritePolicy("100%", $"formats: int8-static\n{Computed}");
        PrecisionLock made = Verbs.Lock(folder.PolicyFile, folder.Options()).Lock;
        Assert.Equal(made.ToJson(), LockFile.Read(folder["model.precision.lock.json"]).ToJson());
    }

    /// <summary>A structure by family names the formats that it fixes, and a plan by their parameters; here with a plan that was not left to timings.</summary>
    [Fact]
    public void StructuresThatFixFormatsAreLocked()
    {
        using var folder = new PipelineFolder();
        File.Copy(RepositoryRoot.Path("samples/DocArea/model.onnx"), folder["model.onnx"], overwrite: true);
        File.Copy(RepositoryRoot.Path("samples/DocArea/calibration.jsonl"), folder["calibration.jsonl"], overwrite: true);
        File.WriteAllText(folder.PolicyFile, "model: model.onnx\ncalibration: { data: calibration.jsonl, loss: cross-entropy, labels: label, samples: 4 }\nformats: \"int8-dynamic(rounded)\"\n");
        RunOptions options = folder.Options();
        var runner = new StageRunner(new ContentStore(options.CacheFolder!), new RunLog(options));
        byte[] emitted;
        using (Materials materials = Materials.Open(folder.PolicyFile, options, runner))
        {
            Workspace workspace = materials.Workspace;
            string format = materials.Policy.Formats[1];
            Configuration[] plan = [.. workspace.Partition.Subgraphs.Select(s => workspace.StructuresOf(s).FirstOrDefault(f => f.Structure.Name == StructureNames.QuantizedAttention) is { } found
                ? new Configuration(found.Structure.Name, [.. s.Layers.Select(l => found.Match.Fixed.GetValueOrDefault(l.Name) is null or FormatFamilies.Baseline ? FormatFamilies.Baseline : format)])
                : Configuration.Exported([.. s.Layers.Select(_ => FormatFamilies.Baseline)]))];
            Assert.Contains(plan, c => c.Structure == StructureNames.QuantizedAttention);
            EmittedModel model = Emission.Write(runner, Shipment.ModelOf(workspace), plan, folder["made"], "model.mixed.onnx", materials.Preparations);
            emitted = File.ReadAllBytes(model.Path);
            Manifest manifest = Examples.Manifest with
            {
                Model = Examples.Model with { Sha256 = workspace.Hash },
                Output = Examples.Model with { File = "model.mixed.onnx", Sha256 = model.Hash },
                Subgraphs = [.. workspace.Partition.Subgraphs.Select(s => Examples.Plan[0] with
                {
                    Index = s.Index,
                    Fingerprint = s.Fingerprint,
                    Structure = plan[s.Index].Structure,
                    Layers = [.. s.Layers.Zip(plan[s.Index].Formats, (l, f) => Examples.Plan[0].Layers[0] with { Name = l.Name, Format = f })],
                })],
            };
            using StagingFolder staging = StagingFolder.In(Path.GetDirectoryName(folder.PolicyFile)!);
            LockResult made = Locking.Write(materials, [(plan, manifest)], staging, folder["model.precision.lock.json"]);
            Assert.Equal([StructureNames.QuantizedAttention], made.Lock.Versions.Structures.Keys);
        }

        File.Delete(folder["calibration.jsonl"]);
        Assert.Equal(emitted, File.ReadAllBytes(folder.Quantize().Files[0]));
    }

    private static void Write(PipelineFolder folder, string model)
    {
        if (model == "convolutions")
        {
            folder.WriteConvolutions(weightSeed: 1);
        }
        else if (model == "recurrent")
        {
            File.WriteAllBytes(folder["model.onnx"], RecurrentClassifier.Model(hidden: 48).ToByteArray());
        }
        else
        {
            folder.WriteModel(weightSeed: 1, scale: 3, isGated: true);
        }
    }

    private static CultureInfo Writing(string point, string group, string minus)
    {
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat = new NumberFormatInfo
        {
            NumberDecimalSeparator = point,
            NumberGroupSeparator = group,
            NegativeSign = minus,
            PercentDecimalSeparator = point,
            PercentGroupSeparator = group,
        };
        return culture;
    }

    internal static T In<T>(CultureInfo culture, Func<T> run)
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = culture;
            return run();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
