using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Solving;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>What <see cref="Stages.Benchmark"/> is asked.</summary>
/// <param name="Scenarios">Definition of the scenarios, for the key.</param>
/// <param name="Timer">Measures; its timings have keys of their own, so that what is known is not measured again.</param>
internal sealed record BenchmarkInput(
    Partition Partition,
    IReadOnlyList<string> Formats,
    string Scenarios,
    Machine Machine,
    Lazy<SubgraphTimer> Timer);

/// <summary>What <see cref="Stages.Refine"/> is asked.</summary>
/// <param name="Configurations">Sub-graphs, each with the formats of its layers.</param>
internal sealed record RefineInput(BenchmarkInput Benchmark, IReadOnlyList<(Subgraph Subgraph, IReadOnlyList<string> Formats)> Configurations);

/// <summary>What <see cref="Stages.Verify"/> compares.</summary>
/// <param name="Files">The emitted files, the model last.</param>
/// <param name="Known">The change of the loss if it was measured before, so that it is not again.</param>
internal sealed record VerifyInput(PolicyRun Run, IReadOnlyList<string> Files, LossChange? Known = null);

/// <summary>A measured configuration of a sub-graph.</summary>
internal sealed record BenchmarkedConfiguration(int Subgraph, ConfigurationTiming Timing);

/// <summary>
/// The stages whose artifacts are kept, one declaration each: inputs, from which the key follows, and artifact. The emitted model, which is a
/// file, is kept by <see cref="Emission"/>.
/// </summary>
internal static class Stages
{
    /// <summary>Samples and model → sensitivities.</summary>
    public static readonly Stage<PolicyRun, Sensitivities> Calibrate = new(
        "calibrate",
        Version: 5,
        run => run.CalibrationKey(),
        (run, context) => Calibrator.Run(
            new CalibrationRequest(
                run.Workspace.Model,
                run.Workspace.Partition,
                run.Workspace.Types,
                run.Workspace.Sites,
                [.. run.Policy.Formats.Select(NumberFormats.Get)],
                run.Loss,
                run.CalibrationSamples,
                run.Policy.Runtime.Threads,
                context.Kept is null ? null : StageRunner.Deserialize<CalibrationProgress>(context.Kept),
                progress => context.Save(() => StageRunner.Serialize(progress)))
            { MeasuresUnreached = run.Policy.Calibration.MeasuresUnreached },
            update => context.Report(update.Fraction, $"sample {update.Sample + 1} of {run.CalibrationSamples.Count}"),
            context.Cancel));

    /// <summary>
    /// Structures, scenarios and machine → timings of every layer alone in every format, and of each format for all layers of a sub-graph.
    /// Weight values are no input: a re-trained model reuses them.
    /// </summary>
    public static readonly Stage<BenchmarkInput, List<BenchmarkedConfiguration>> Benchmark = new(
        "benchmark",
        Version: 1,
        input => TimingKey(input, "per layer"),
        (input, context) =>
            [.. input.Timer.Value.PerLayerGains([.. input.Formats.Select(NumberFormats.Get)], f => context.Report(f, ""), context.Cancel)
                .SelectMany((timings, subgraph) => timings.Select(t => new BenchmarkedConfiguration(subgraph, t)))]);

    /// <summary>The same → timings of configurations that a plan uses and that were not measured as a whole.</summary>
    public static readonly Stage<RefineInput, List<BenchmarkedConfiguration>> Refine = new(
        "refine",
        Version: 1,
        input => TimingKey(input.Benchmark, string.Join("; ", input.Configurations.Select(c => $"{c.Subgraph.Index} {string.Join(' ', c.Formats)}"))),
        (input, context) => [.. input.Configurations.Select((c, i) =>
        {
            ConfigurationTiming timing = input.Benchmark.Timer.Value.Measure(c.Subgraph, [.. c.Formats.Select(NumberFormats.Get)], context.Cancel);
            context.Report((i + 1.0) / input.Configurations.Count, "");
            return new BenchmarkedConfiguration(c.Subgraph.Index, timing);
        })]);

    /// <summary>A problem → its plan.</summary>
    public static readonly Stage<SolverProblem, Plan> Solve = new(
        "solve",
        Version: 2,
        problem => CacheKey.Of(("solver", "cp-sat")).WithBytes("problem", StageRunner.Serialize(problem)),
        (problem, context) => Solver.Solve(problem, context.Cancel));

    /// <summary>The two files, evaluation data and scenarios → change of the loss and end-to-end time.</summary>
    public static readonly Stage<VerifyInput, VerificationResult> Verify = new(
        "verify",
        Version: 2,
        input => input.Run.EvaluationKey()
            .With("model", input.Run.Workspace.Hash)
            .With("emitted", Workspace.HashOf(input.Files))
            .With("timing", TimingSettings.WholeModel.Key()),
        (input, context) =>
        {
            PolicyRun run = input.Run;
            var verifier = new Verifier(run.Workspace.Path, input.Files[^1], run.Policy.Runtime.Threads);
            LossChange loss = input.Known ?? MeasureLoss(run, verifier, f => context.Report(f / 2, ""), context.Cancel);
            IReadOnlyList<ScenarioComparison> times = EndToEnd.Measure(
                run.Workspace.Path, [input.Files[^1]], run.Policy.Runtime.Threads, run.Scenarios, TimingSettings.WholeModel,
                f => context.Report((1 + f) / 2, ""), text => run.Options.Progress(new ProgressUpdate("verify", text)), context.Cancel);
            return new VerificationResult(loss, [.. times.Select(t => t.Of())]);
        });

    /// <summary>The two files and evaluation data → change of the loss: what a search for a budget asks of each of its trials.</summary>
    public static readonly Stage<VerifyInput, LossChange> Evaluate = new(
        "evaluate",
        Version: 1,
        input => input.Run.EvaluationKey()
            .With("model", input.Run.Workspace.Hash)
            .With("emitted", Workspace.HashOf(input.Files)),
        (input, context) => MeasureLoss(
            input.Run,
            new Verifier(input.Run.Workspace.Path, input.Files[^1], input.Run.Policy.Runtime.Threads),
            f => context.Report(f, ""),
            context.Cancel));

    private static LossChange MeasureLoss(PolicyRun run, Verifier verifier, Action<double> report, CancellationToken cancel)
    {
        return verifier.MeasureLoss(run.Loss.Outputs, run.EvaluationSamples, Compare, report, cancel);

        SampleChange Compare(Sample sample, int number, IReadOnlyDictionary<string, Tensor> original, IReadOnlyDictionary<string, Tensor> mixed)
        {
            LossComparison c = run.Loss.Compare(original, mixed, run.Loss.TargetOf(sample, number, original));
            return new SampleChange(c.SquareLoss, c.SquareChange, c.Loss, c.Change, c.Labels, c.OriginalHits, c.MixedHits);
        }
    }

    private static CacheKey TimingKey(BenchmarkInput input, string configurations) => CacheKey.Of(
            ("structures", string.Join(' ', input.Partition.Subgraphs.Select(s => s.Fingerprint))),
            ("formats", string.Join(' ', input.Formats.Select(f => $"{f}:{NumberFormats.Get(f).Version}"))),
            ("scenarios", input.Scenarios),
            ("configurations", configurations))
        .With("machine", input.Machine.Key())
        .With("settings", TimingSettings.Subgraph.Key());
}
