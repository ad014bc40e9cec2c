using MixedPrecision.Benchmarking;
using MixedPrecision.Execution;
using MixedPrecision.Reporting;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Reporting;

/// <summary>Reports with every property set.</summary>
internal static class Examples
{
    public const string HostileName = "</script>\u001b[31m\"layer\"\n";

    public static readonly Machine Machine = new("Example CPU", ["avx2", "fma"], 4, "linux", "x64", "1.31.1", "cpu", 2, [SessionOption.GeluApproximation]);

    public static readonly ModelSummary Model = new("model.onnx", new string('a', 64), 13_600_000, 17, 314);

    public static Timing Timing => new(10.25, 6.5, 3.75, 3.5, 4, 0.9609375, 36, []);

    public static PlannedSubgraph[] Plan =>
    [
        new(0, "0123456789abcdef", "exported", new ReportedGain(1.25, [1.125, 1.5], "milliseconds"),
        [
            new("/encoder/query", "MatMul", [192, 192], "int8-dynamic", null, Formats(("int4-weight", 2e-7), ("int8-dynamic", 1e-8)), new Dictionary<string, string>()),
            new(HostileName, "MatMul", [], "fp32", "/encoder/*", Formats(), new Dictionary<string, string> { ["int4-weight"] = "both operands are activations" }),
        ]),
    ];

    public static Prediction Prediction => new(1.5e-5, 0.008, [0.007, 0.009], new ReportedGain(3.5, [3.25, 3.75], "milliseconds"));

    public static SolverSummary Solver => new("optimal", 3.25, 3.25, 12, 63);

    public static StrategyPlan[] Strategies => [new("prefix", 1e-5, 0.5, true), new("uniform int4-weight", 1e-3, 4, false)];

    public static LossChange Loss => new(2000, 1.25e-5, 0.25, Math.Sqrt(5e-5), -1e-4, new AccuracyChange(0.824, 0.8235));

    public static ScenarioTiming[] Times =>
        [new ScenarioTiming("batch 8, sequence 48", new SortedDictionary<string, long> { ["batch"] = 8, ["sequence"] = 48 }, 1, Timing)];

    public static PlanAttempt[] Attempts =>
    [
        new(0.01, new SortedDictionary<string, int> { ["fp32"] = 1, ["int8-dynamic"] = 1 }, 2e-5, 0.009, 0.0125, 0.0125, false),
        new(0.007, new SortedDictionary<string, int> { ["fp32"] = 1, ["int8-dynamic"] = 1 }, 1.5e-5, 0.008, 0.00707, 0.00707, true),
    ];

    public static ComparedModel[] Compared =>
    [
        new("plan", Prediction.Gain, 0.00707, 0.001, true, 9_000_000, new ReportedGain(3.75, [3.5, 4], "milliseconds")),
        new("uniform int8-dynamic", Prediction.Gain, 0.02, 0.01, false, 8_000_000, null),
    ];

    public static Manifest Manifest => new(
        Manifest.CurrentSchema,
        "0.1.0",
        "model.policy.yaml",
        Model,
        Model with { File = "model.mixed.onnx", Bytes = 9_000_000, Sha256 = new string('b', 64) },
        new ShippedModel("plan", "the fastest of 2 files within the budget, timed in one run"),
        new ManifestBudget("lossIncrease: 0.5%", 0.005, 0.001, null, 0.01),
        "cross-entropy",
        "time",
        new SampleCounts(256, 2000),
        Machine,
        Plan,
        [new ExcludedNode("/embedding/Gather", "Gather", "a table gains only memory")],
        Prediction,
        Measurement.Of(Loss, Times),
        new FileSizes(13_600_000, 9_000_000),
        Solver,
        Strategies,
        Attempts,
        Compared,
        [new SessionAdvice("free dimensions", [SessionOption.FreeDimension("batch", 8), SessionOption.FreeDimension("sequence", 48)], "the session then takes inputs of these sizes alone", [0.02, 0.03, 0.04])],
        ["1 matrix product ('/encoder/query'): no format was found to gain"],
        ["the machine is noisy"],
        Frontier,
        Tried,
        Profile: null,
        "many </script>",
        new SharedData("model.mixed.data", 8_000_000, ["model.one.mixed.onnx", "model.many.mixed.onnx"], 9_500_000, 15_000_000, ["model.one.mixed.onnx"]));

    public static FrontierPoint[] Frontier => [new(0, 0, 0, 13_600_000, 0), new(0.008, 1.5e-5, 3.25, 9_000_000, 1, 0.007), new(0.03, 2e-4, 4.5, 8_000_000, 2)];

    public static TriedSubgraph[] Tried =>
    [
        new("0123456789abcdef",
        [
            new("exported", ["int8-dynamic", "fp32"], new ReportedGain(1.25, [1.125, 1.5], "milliseconds")),
            new("exported", ["int4-weight", "fp32"], null, "no kernel"),
        ]),
    ];

    public static InspectReport Inspect => new(
        Model,
        [new InspectedValue("input_ids", "int64 [batch, sequence]")],
        [new InspectedValue("logits", "float [batch, 19]")],
        [new InspectedSubgraph(0, "0123456789abcdef", ["group-query-attention"], [new InspectedLayer(HostileName, "MatMul", [192, 768], 147_456, ["int8-weight"], new Dictionary<string, string> { ["fp16"] = "no kernel" })])],
        [new ExcludedNode("/lstm", "LSTM", "recurrent")],
        [new DifferentiationGap("LSTM", ["/lstm"], "no gradient rule")]);

    public static CalibrateReport Calibrate => new(
        Model,
        "cross-entropy",
        256,
        0.25,
        [new CalibratedLayer("/encoder/query", new TaylorTerms(0.5, 0.25), new Dictionary<string, CalibratedFormat> { ["int8-dynamic"] = new(2e-8, 1e-8, 1e-5) }, new Dictionary<string, string>())],
        []);

    public static BenchmarkReport Benchmark => new(
        Model,
        Machine,
        2,
        3,
        [new BenchmarkedScenario("batch 8", new Dictionary<string, long> { ["batch"] = 8 }, 1,
            [new BenchmarkedSubgraph("0123456789abcdef", [0, 4], ["/encoder/query"],
            [
                new BenchmarkedConfiguration("exported", ["int8-dynamic"], BenchmarkedTiming.Of(Timing), null, true),
                new BenchmarkedConfiguration("exported", ["int8-weight"], BenchmarkedTiming.Of(Timing with { Gain = 0.01, Low = -0.02, High = 0.03 }), null, false),
                new BenchmarkedConfiguration("exported", ["int4-weight"], null, "no kernel", false),
            ])])],
        []);

    public static SolveReport Solve => new(Model, 0.01, "time", Plan, Prediction, Solver, Strategies, []);

    private static Dictionary<string, double> Formats(params (string Name, double LossMse)[] formats) => formats.ToDictionary(f => f.Name, f => f.LossMse);
}
