using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Benchmarking;

/// <summary>
/// Real timings of small models. What is asserted is what was measured, found and shared, never how fast anything is.
/// </summary>
public sealed class SubgraphTimerTests : IDisposable
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
        Assert.All(results, r => Assert.Equal(["int8-dynamic", "int8-weight", "int4-weight"], r.Select(c => Assert.Single(c.Formats))));
        Assert.All(results.SelectMany(r => r), c =>
        {
            Assert.Null(c.Unavailable);
            Timing timing = Assert.Single(c.Timings);
            Assert.True(timing.BaselineMilliseconds > 0 && timing.CandidateMilliseconds > 0);
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
    public void OtherSizesThreadsAndPrecisionAreMeasuredAnew()
    {
        int Measure(long batch, int threads, TimingSettings settings)
        {
            using var bench = new Bench(TwoBlocks(seed: 1), folder.Path, batch, threads, settings);
            bench.Timer.Measure(bench.Partition.Subgraphs[0], [NumberFormats.Get("int8-dynamic")], CancellationToken.None);
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
            first.Timer.Measure(first.Partition.Subgraphs[0], [NumberFormats.Get("int8-weight")], CancellationToken.None);
        }

        string entry = Directory.EnumerateFiles(folder.Combine("timing"), "*", SearchOption.AllDirectories).Single();
        byte[] bytes = File.ReadAllBytes(entry);
        bytes[^2] ^= 1;
        File.WriteAllBytes(entry, bytes);
        using var second = new Bench(TwoBlocks(seed: 1), folder.Path);
        ConfigurationTiming timing = second.Timer.Measure(second.Partition.Subgraphs[0], [NumberFormats.Get("int8-weight")], CancellationToken.None);
        Assert.False(timing.Reused);
        Assert.Contains("checksum", Assert.Single(second.Timer.Warnings));
    }

    [Fact]
    public void AConfigurationThatTheRuntimeRejectsIsAResultWithTheReason()
    {
        NumberFormat broken = NumberFormats.Get("int8-dynamic") with
        {
            Name = "broken",
            Emit = e => e.Product("NoSuchOperator", "", [e.Input, e.Constants[0], e.Constants[1]]),
        };
        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path);
        ConfigurationTiming timing = bench.Timer.Measure(bench.Partition.Subgraphs[0], [broken], CancellationToken.None);
        Assert.Empty(timing.Timings);
        Assert.Contains("NoSuchOperator", timing.Unavailable);
        Assert.Equal(0, bench.Timer.Measured);
    }

    [Fact]
    public void AScenarioThatTheModelDoesNotAcceptIsAnError()
    {
        using var bench = new Bench(TwoBlocks(seed: 1, fixedRows: 7), folder.Path, batch: 4);
        MixedPrecisionException error = Assert.Throws<MixedPrecisionException>(
            () => bench.Timer.Measure(bench.Partition.Subgraphs[0], [NumberFormats.Get("int8-dynamic")], CancellationToken.None));
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
                subgraph, [.. subgraph.Layers.Select(_ => NumberFormats.Get("int8-dynamic"))], CancellationToken.None);
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

    /// <summary>A model ready to be timed.</summary>
    private sealed class Bench : IDisposable
    {
        private readonly OnnxModel model;

        public Bench(OnnxModel model, string cache, long batch = 4, int threads = 1, TimingSettings? settings = null)
            : this(model, cache, new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>([.. Enumerable.Range(0, (int)batch * 32).Select(i => i / 100f)], batch, 32) }, threads, settings)
        {
        }

        public Bench(OnnxModel model, string cache, IReadOnlyDictionary<string, Tensor> inputs, int threads = 1, TimingSettings? settings = null)
        {
            this.model = model;
            IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
            Partition = Partitioner.Partition(model, types);
            Timer = new SubgraphTimer(
                model,
                Partition,
                types,
                () => Scenarios.Make(model, [], [inputs]),
                Machine.Detect(new RuntimePolicy("cpu", threads, Place.None)),
                settings ?? Quick,
                new ContentStore(cache));
        }

        public Partition Partition { get; }

        public SubgraphTimer Timer { get; }

        /// <summary>Every layer, which is its sub-graph's only one, in every format but the baseline.</summary>
        public IReadOnlyList<IReadOnlyList<ConfigurationTiming>> MeasureAll(CancellationToken cancellation, Action<int>? progress = null) =>
            [.. Partition.Subgraphs.Select(s => Timer.Measure(s, [.. NumberFormats.All.Skip(1).Select(f => new[] { f })], cancellation, progress))];

        public void Dispose() => model.Dispose();
    }
}
