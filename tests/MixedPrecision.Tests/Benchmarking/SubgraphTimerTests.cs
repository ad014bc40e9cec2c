using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Structures;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Benchmarking;

/// <summary>
/// Real timings of small models. What is asserted is what was measured, found and shared, never how fast anything is.
/// </summary>
public sealed partial class SubgraphTimerTests : IDisposable
{
    private static readonly TimingSettings Quick = new(TimeSpan.FromMilliseconds(5));

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void EveryLayerIsTimedAloneInEveryFormatAndEqualBlocksShare()
    {
        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path);
        var counts = new List<int>();
        var results = bench.MeasureAll(CancellationToken.None, counts.Add);

        Assert.Equal(2, results.Count);
        Assert.All(results, r => Assert.Equal([FormatTexts.Int8Dynamic, FormatTexts.Int8Weight, FormatTexts.Int4Weight], r.Select(c => Assert.Single(c.Configuration.Formats))));
        Assert.All(results.SelectMany(r => r), c =>
        {
            Assert.Null(c.Unavailable);
            Timing timing = Assert.Single(c.Timings);
            Assert.True(timing.OriginalMilliseconds > 0 && timing.CandidateMilliseconds > 0);
            Assert.InRange(timing.Gain, timing.Low, timing.High);
        });
        Assert.All(results[0], c => Assert.False(c.Reused));
        Assert.All(results[1], c => Assert.True(c.Reused));
        Assert.Equal(results[0].Select(c => c.Timings[0]), results[1].Select(c => c.Timings[0]));
        Assert.Equal((3, 3), (bench.Timer.Measured, bench.Timer.Reused));
        Assert.Equal(6, counts.Sum());
    }

    [Fact]
    public void ARetrainedModelReusesEveryTiming()
    {
        using var first = new Bench(TwoBlocks(seed: 1), folder.Path);
        first.MeasureAll(CancellationToken.None);
        using var second = new Bench(TwoBlocks(seed: 2), folder.Path);
        second.MeasureAll(CancellationToken.None);
        Assert.Equal((0, 6), (second.Timer.Measured, second.Timer.Reused));
    }

    [Fact]
    public void NeighboursAreTimedTogetherAndApartOnce()
    {
        IReadOnlyList<EdgeTiming> Measure(int seed, string format)
        {
            using var bench = new Bench(TwoBlocks(seed), folder.Path);
            Configuration configuration = Configuration.Exported([FormatTexts.Of(format)]);
            IReadOnlyList<Subgraph> subgraphs = bench.Partition.Subgraphs;
            return bench.Timer.MeasureEdge((subgraphs[0], configuration), (subgraphs[1], configuration), CancellationToken.None);
        }

        EdgeTiming edge = Assert.Single(Measure(1, "int8-dynamic"));
        Assert.True(edge.OriginalMilliseconds > 0);
        Assert.All([edge.Both, edge.First, edge.Second], gain => Assert.InRange(Math.Abs(gain), 0, 100 * edge.OriginalMilliseconds));
        Assert.Equal([edge], Measure(2, "int8-dynamic"));
    }

    [Theory]
    [InlineData(0.01, 0.05, 0.01)]
    [InlineData(-0.01, 0.05, 0)]
    [InlineData(-0.05, -0.02, -0.035)]
    [InlineData(-0.05, 0.01, -0.02)]
    public void AnEdgeGainsWhatIsToldAndCostsWhatIsEstimated(double low, double high, double counted) =>
        Assert.Equal(counted, EdgeTiming.Counted(new Timing(1, 1 - ((low + high) / 2), (low + high) / 2, low, high, 0.95, 9, [])), 1e-12);

    [Fact]
    public void NeighboursJoinedAreOneSubgraphOfTheSameStructure()
    {
        Subgraph Join(int seed)
        {
            using OnnxModel model = TwoBlocks(seed);
            IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
            Partition partition = Partitioner.Partition(model, types);
            return Partitioner.Join(model, partition, types, partition.Subgraphs[0], partition.Subgraphs[1]);
        }

        Subgraph joined = Join(1);
        Assert.Equal((-1, 2, 6), (joined.Index, joined.Layers.Count, joined.Timed.Count));
        Assert.Equal(joined.Fingerprint, Join(2).Fingerprint);
    }

    /// <summary>The values of a weight's scales do not decide on the time.</summary>
    [Fact]
    public void FormatsOfOneKernelShareTheirTimings()
    {
        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path);
        ConfigurationTiming Measure(string format) => bench.Timer.Measure(bench.Partition.Subgraphs[0], Configuration.Exported([FormatTexts.Of(format)]), CancellationToken.None);
        ConfigurationTiming paired = Measure("int8-dynamic(paired)"), full = Measure("int8-dynamic(full)");
        Assert.Equal((1, 1), (bench.Timer.Measured, bench.Timer.Reused));
        Assert.Equal(paired.Timings[0], full.Timings[0]);
        Assert.Equal(["int8-dynamic(full,gptq)"], full.Configuration.Formats);
    }

    [Fact]
    public void OtherSizesThreadsAndPrecisionAreMeasuredAnew()
    {
        int Measure(long batch, int threads, TimingSettings settings)
        {
            using var bench = new Bench(TwoBlocks(seed: 1), folder.Path, batch, threads, settings);
            bench.Timer.Measure(bench.Partition.Subgraphs[0], Configuration.Exported(["int8-dynamic"]), CancellationToken.None);
            return bench.Timer.Measured;
        }

        Assert.Equal(1, Measure(4, 1, Quick));
        Assert.Equal(0, Measure(4, 1, Quick));
        Assert.Equal(1, Measure(5, 1, Quick));
        Assert.Equal(1, Measure(4, 2, Quick));
        Assert.Equal(1, Measure(4, 1, Quick with { Precision = 0.02 }));
    }

    [Fact]
    public void ADamagedTimingIsMeasuredAgainWithAWarning()
    {
        using (var first = new Bench(TwoBlocks(seed: 1), folder.Path))
        {
            first.Timer.Measure(first.Partition.Subgraphs[0], Configuration.Exported(["int8-weight"]), CancellationToken.None);
        }

        string entry = Directory.EnumerateFiles(folder.Combine("timing"), "*", SearchOption.AllDirectories).Single();
        byte[] bytes = File.ReadAllBytes(entry);
        bytes[^2] ^= 1;
        File.WriteAllBytes(entry, bytes);
        using var second = new Bench(TwoBlocks(seed: 1), folder.Path);
        ConfigurationTiming timing = second.Timer.Measure(second.Partition.Subgraphs[0], Configuration.Exported(["int8-weight"]), CancellationToken.None);
        Assert.False(timing.Reused);
        Assert.Contains("checksum", Assert.Single(second.Timer.Warnings));
    }

    /// <summary>What a format does to the values of weights takes no time: kernels stand in the key, and names and versions of formats do not.</summary>
    [Fact]
    public void TheKeyOfATimingNamesKernels()
    {
        using OnnxModel model = TwoBlocks(seed: 1);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        Subgraph subgraph = partition.Subgraphs[0];
        var keys = new TimingKeys(subgraph, Extraction.Canonical(model, partition, types, subgraph.Timed));
        CacheKey key = keys.Of(
            Configuration.Exported(["int8-weight"]), null, new Dictionary<string, string>(), TimingSettings.Subgraph);
        Assert.Contains(("configuration", NumberFormats.Get("int8-weight").KernelIdentity), key.Describe());
        Assert.DoesNotContain(key.Describe(), part => part.Value.Contains("int8-weight", StringComparison.Ordinal));
    }

    [Fact]
    public void AConfigurationThatTheRuntimeRejectsIsAResultWithTheReasonAndIsNotTriedAgain()
    {
        int emitted = 0;
        IReadOnlyList<FoundStructure> Broken(Subgraph subgraph) => Replacing(subgraph, (e, layer) =>
        {
            emitted++;
            e.Builder.NodeTo([layer.Output], "NoSuchOperator", "", [layer.Input]);
        });
        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path, structures: Broken);
        Configuration broken = new("replaced", ["fp32"]);
        IReadOnlyList<ConfigurationTiming> timings = bench.Timer.Measure(bench.Partition.Subgraphs[0], [broken, Configuration.Exported(["int8-dynamic"])], CancellationToken.None);
        int tried = emitted;
        Assert.Empty(timings[0].Timings);
        Assert.Contains("NoSuchOperator", timings[0].Unavailable);
        Assert.False(timings[0].Reused);
        Assert.Null(timings[1].Unavailable);
        Assert.Single(timings[1].Timings);
        Assert.Equal((1, 0), (bench.Timer.Measured, bench.Timer.Reused));

        using var later = new Bench(TwoBlocks(seed: 2), folder.Path, structures: Broken);
        ConfigurationTiming again = later.Timer.Measure(later.Partition.Subgraphs[1], broken, CancellationToken.None);
        Assert.Equal((timings[0].Unavailable, true, tried), (again.Unavailable, again.Reused, emitted));
    }

    /// <summary>A structure that computes the same is timed; one that is off by 1e-4 is not, whatever its pattern proved.</summary>
    [Theory]
    [InlineData(1.0, true)]
    [InlineData(1.0001, false)]
    public void AStructureIsAdmittedOnlyIfItComputesTheSame(double factor, bool admitted)
    {
        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path, structures: subgraph => Replacing(subgraph, (e, layer) =>
        {
            string product = e.Builder.Node("MatMul", [layer.Input, layer.Weight]);
            e.Builder.NodeTo([layer.Output], "Mul", "", [product, e.Builder.Scalar(factor)]);
        }));
        ConfigurationTiming timing = bench.Timer.Measure(bench.Partition.Subgraphs[0], new Configuration("replaced", ["fp32"]), CancellationToken.None);
        Assert.Equal(admitted ? null : "'y0' differs by", timing.Unavailable?[.."'y0' differs by".Length]);
        Assert.Equal(admitted ? 1 : 0, timing.Timings.Count);
    }

    /// <summary>A structure that computes the output of the only layer of a sub-graph.</summary>
    private static IReadOnlyList<FoundStructure> Replacing(Subgraph subgraph, Action<StructureEmission, Layer> emit)
    {
        Layer layer = Assert.Single(subgraph.Layers);
        return
        [
            new FoundStructure(
                new MixedPrecision.Structures.Structure("replaced", 1, _ => null),
                new StructureMatch(new Dictionary<string, string> { [layer.Name] = "fp32" }, [layer.Output], [new Kernel("MatMul")], e => emit(e, layer))),
        ];
    }

    [Fact]
    public void AnOriginalThatDoesNotRunByItselfIsAnErrorAndNoResult()
    {
        // What enters the second block is declared to be of another size than it is.
        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path, types: types => types["y0"] = new TensorType(ElementType.Float, [Dimension.Of(4), Dimension.Of(31)]));
        Subgraph second = bench.Partition.Subgraphs[1];
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(
            () => bench.Timer.Measure(second, Configuration.Exported(["int8-dynamic"]), CancellationToken.None)).Diagnostic;
        Assert.Equal(Codes.SubgraphDoesNotRun, diagnostic.Code);
        Assert.Contains($"'{second.Layers[0].Name}'", diagnostic.Message);
        Assert.False(Directory.Exists(folder.Combine("timing")));
    }

    [Fact]
    public void AReExportInAnotherNodeOrderGivesNoLayerTheTimingOfAnother()
    {
        Configuration Only(Subgraph subgraph, string layer) => Configuration.Exported([.. subgraph.Layers.Select(l => l.Output == layer ? "int8-dynamic" : "fp32")]);
        using var first = new Bench(TwoBranches(["narrow", "wide"], seed: 1), folder.Path);
        using var second = new Bench(TwoBranches(["wide", "narrow"], seed: 2), folder.Path);
        Subgraph original = Assert.Single(first.Partition.Subgraphs), reordered = Assert.Single(second.Partition.Subgraphs);
        Assert.Equal(original.Fingerprint, reordered.Fingerprint);
        Assert.Equal(original.Layers.Select(l => l.Output).Reverse(), reordered.Layers.Select(l => l.Output));

        ConfigurationTiming narrow = first.Timer.Measure(original, Only(original, "narrow"), CancellationToken.None);
        ConfigurationTiming same = second.Timer.Measure(reordered, Only(reordered, "narrow"), CancellationToken.None);
        ConfigurationTiming wide = second.Timer.Measure(reordered, Only(reordered, "wide"), CancellationToken.None);
        Assert.True(same.Reused);
        Assert.Equal(narrow.Timings[0], same.Timings[0] with { Warnings = narrow.Timings[0].Warnings });
        Assert.Equal(narrow.Canonical, same.Canonical);
        Assert.Equal(narrow.Configuration.Formats.Reverse(), same.Configuration.Formats);
        Assert.False(wide.Reused);
        Assert.Equal(wide.Canonical.Reverse(), same.Canonical);
    }

    [Fact]
    public void ShortIntegersThatEnterArePartOfTheKey()
    {
        int Measure(long rows)
        {
            using var bench = new Bench(
                Sliced(), folder.Path, new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(new float[64 * 32], 64, 32), ["rows"] = Tensor.Of<long>([rows], 1) });
            bench.Timer.Measure(Assert.Single(bench.Partition.Subgraphs), Configuration.Exported(["int8-dynamic"]), CancellationToken.None);
            return bench.Timer.Measured;
        }

        // The same shapes enter; how many rows are copied is a value.
        Assert.Equal(1, Measure(1));
        Assert.Equal(1, Measure(64));
        Assert.Equal(0, Measure(1));
    }

    [Fact]
    public void AScenarioThatTheModelDoesNotAcceptIsAnError()
    {
        using var bench = new Bench(TwoBlocks(seed: 1, fixedRows: 7), folder.Path, batch: 4);
        MixedPrecisionException error = Assert.Throws<MixedPrecisionException>(
            () => bench.Timer.Measure(bench.Partition.Subgraphs[0], Configuration.Exported(["int8-dynamic"]), CancellationToken.None));
        Assert.Equal(Codes.ScenarioDoesNotRun, error.Diagnostic.Code);
    }

    [Fact]
    public void CancellationEndsTheMeasuring()
    {
        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path);
        using var source = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => bench.MeasureAll(source.Token, _ => source.Cancel()));
        Assert.Equal(3, bench.Timer.Measured);
    }

    [Theory]
    [InlineData("docarea")]
    [InlineData("doclm")]
    public void OneConfigurationOfEveryStructureOfARealModelRuns(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        var inputs = new Dictionary<string, Tensor> { ["input_ids"] = Tensor.Of<long>([.. Enumerable.Range(1, 12).Select(i => (long)i)], 1, 12) };
        if (name == "docarea")
        {
            inputs.Add("attention_mask", Tensor.Of<long>([.. Enumerable.Repeat(1L, 12)], 1, 12));
        }

        using var bench = new Bench(model, folder.Path, inputs);
        foreach (Subgraph subgraph in bench.Partition.Subgraphs.DistinctBy(s => s.Fingerprint))
        {
            ConfigurationTiming timing = bench.Timer.Measure(
                subgraph, Configuration.Exported([.. subgraph.Layers.Select(_ => "int8-dynamic")]), CancellationToken.None);
            Assert.Null(timing.Unavailable);
        }
    }

    /// <summary>Two equal blocks y = relu(x W + b), of 32 × 32, over rows of a batch; with a number of rows fixed at the end, only that one runs.</summary>
    private static OnnxModel TwoBlocks(int seed, long? fixedRows = null)
    {
        var random = new Random(seed);
        Tensor Values(params long[] shape) => Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => random.NextSingle() - 0.5f)], shape);
        var graph = new GraphProto { Name = "blocks" };
        var builder = new GraphBuilder(["x", "y0", "y1", "m0", "m1", "a0", "a1"]);
        string value = "x";
        for (int block = 0; block < 2; block++)
        {
            builder.NodeTo([$"m{block}"], "MatMul", "", [value, builder.Constant(Values(32, 32))]);
            builder.NodeTo([$"a{block}"], "Add", "", [$"m{block}", builder.Constant(Values(32))]);
            builder.NodeTo([$"y{block}"], "Relu", "", [$"a{block}"]);
            value = $"y{block}";
        }

        string output = fixedRows is null ? value : builder.Node("Reshape", [value, builder.Integers(fixedRows.Value, 32)]);
        builder.AppendTo(graph);
        graph.Input.Add(new TensorType(ElementType.Float, [new(null, "batch"), Dimension.Of(32)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(output));
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        return new OnnxModel(proto, ".", "blocks.onnx");
    }

    /// <summary>y = concat(x N, relu(x W)), of 32 to 32 and 32 to 96, with the branches in an order.</summary>
    private static OnnxModel TwoBranches(string[] order, int seed)
    {
        var random = new Random(seed);
        Tensor Values(params long[] shape) => Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => random.NextSingle() - 0.5f)], shape);
        var builder = new GraphBuilder(["x", "narrow", "wide", "positive", "y"]);
        foreach (string branch in order)
        {
            builder.NodeTo([branch], "MatMul", "", ["x", builder.Constant(Values(32, branch == "wide" ? 96 : 32))]);
        }

        builder.NodeTo(["positive"], "Relu", "", ["wide"]);
        builder.NodeTo(["y"], "Concat", "", ["narrow", "positive"], Attributes.Of("axis", 1));
        return Model(builder, "y");
    }

    /// <summary>y = (x W)[: rows], whose number of rows is the value of an input.</summary>
    private static OnnxModel Sliced()
    {
        var builder = new GraphBuilder(["x", "rows", "product", "y"]);
        builder.NodeTo(["product"], "MatMul", "", ["x", builder.Constant(Tensor.Of<float>(new float[32 * 32], 32, 32))]);
        builder.NodeTo(["y"], "Slice", "", ["product", builder.Integers(0), "rows"]);
        return Model(builder, "y", new TensorType(ElementType.Int64, [Dimension.Of(1)]).ToProto("rows"));
    }

    private static OnnxModel Model(GraphBuilder builder, string output, params ValueInfoProto[] inputs)
    {
        var graph = new GraphProto { Name = "model" };
        builder.AppendTo(graph);
        graph.Input.Add(new TensorType(ElementType.Float, [new(null, "batch"), Dimension.Of(32)]).ToProto("x"));
        graph.Input.AddRange(inputs);
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(output));
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        return new OnnxModel(proto, ".", "model.onnx");
    }

    /// <summary>A model ready to be timed.</summary>
    private sealed class Bench : IDisposable
    {
        private readonly OnnxModel model;

        public Bench(OnnxModel model, string cache, long batch = 4, int threads = 1, TimingSettings? settings = null, Action<Dictionary<string, TensorType>>? types = null, Func<Subgraph, IReadOnlyList<FoundStructure>>? structures = null, IReadOnlyDictionary<string, StoredTiming>? profile = null, Func<IReadOnlyList<Contender>, Comparison>? compare = null)
            : this(model, cache, new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>([.. Enumerable.Range(0, (int)batch * 32).Select(i => i / 100f)], batch, 32) }, threads, settings, types, structures, profile, compare)
        {
        }

        public Bench(OnnxModel model, string cache, IReadOnlyDictionary<string, Tensor> inputs, int threads = 1, TimingSettings? settings = null, Action<Dictionary<string, TensorType>>? tamper = null, Func<Subgraph, IReadOnlyList<FoundStructure>>? structures = null, IReadOnlyDictionary<string, StoredTiming>? profile = null, Func<IReadOnlyList<Contender>, Comparison>? compare = null)
        {
            this.model = model;
            var types = new Dictionary<string, TensorType>(TypeInference.Infer(model));
            Partition = Partitioner.Partition(model, types);
            tamper?.Invoke(types);
            Timer = new SubgraphTimer(
                model,
                Partition,
                types,
                () => Scenarios.Make(model, [], [inputs]),
                Machine.Detect(new RuntimePolicy("cpu", threads, Place.None)),
                settings ?? Quick,
                new ContentStore(cache),
                profile: profile)
            { Structures = structures ?? (_ => []), Compare = compare };
        }

        public Partition Partition { get; }

        public SubgraphTimer Timer { get; }

        /// <summary>Every layer, which is its sub-graph's only one, in every format but the baseline.</summary>
        public IReadOnlyList<IReadOnlyList<ConfigurationTiming>> MeasureAll(CancellationToken cancellation, Action<int>? progress = null) =>
            [.. Partition.Subgraphs.Select(s => Timer.Measure(s, [.. FormatTexts.ForWeights.Select(f => Configuration.Exported([f.Name]))], cancellation, progress))];

        public void Dispose() => model.Dispose();
    }
}
