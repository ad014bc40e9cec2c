using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Reporting;

/// <summary>
/// The precision manifest, which is written beside the emitted model: what was chosen, why, and what was measured. It holds no
/// absolute path and no clock time, and equal inputs and timings give equal bytes. build/manifest.schema.json describes it.
/// </summary>
/// <param name="Schema">Version of the manifest's schema: <see cref="CurrentSchema"/>.</param>
/// <param name="Engine">Version of the engine that wrote it.</param>
/// <param name="Policy">File name of the policy: another one's files are never replaced.</param>
/// <param name="Model">The original model.</param>
/// <param name="Output">The emitted model.</param>
/// <param name="Shipped">What the emitted model is, and why.</param>
/// <param name="Budget">How much worse it may be, and is.</param>
/// <param name="Loss">Name of the loss; null where nothing was calibrated.</param>
/// <param name="Objective">"time", "theoretical-time" or "memory".</param>
/// <param name="Samples">How many samples the numbers stand on.</param>
/// <param name="Machine">Where it was measured.</param>
/// <param name="Subgraphs">What is shipped, sub-graph by sub-graph.</param>
/// <param name="Excluded">Linear operators that are no layers, and why.</param>
/// <param name="Predicted">What is predicted of the emitted file; zero for the original.</param>
/// <param name="Measured">What was measured on the emitted file; zero for the original.</param>
/// <param name="Bytes">Sizes of the two files.</param>
/// <param name="Solver">How well the plan was proven; null where none was made that is within the budget.</param>
/// <param name="Strategies">Simpler ways to choose.</param>
/// <param name="Attempts">The plans that were made and measured, in order.</param>
/// <param name="Compared">The files that one was chosen from, the plan first if there is one.</param>
/// <param name="Advice">Session options that make the shipped file faster without a change of it.</param>
/// <param name="Reasons">Why layers and other linear operators keep their precision, each reason once for each kind of them.</param>
/// <param name="Warnings">What the reader should know.</param>
/// <param name="Frontier">Every optimal plan from nothing to everything, in order of τ; null in manifests that were written without.</param>
/// <param name="Tried">What was timed of sub-graphs, those of one structure once; null in manifests that were written without, and for objectives that are computed.</param>
/// <param name="Profile">The profile that timings were taken from; null where they were measured on <paramref name="Machine"/>.</param>
/// <param name="Scenario">The scenario that the plan is for by itself; null: all of them, weighted.</param>
/// <param name="Shared">The file of weights that it shares with those of other scenarios; null where it shares none.</param>
public sealed record Manifest(
    int Schema,
    string Engine,
    string Policy,
    ModelSummary Model,
    ModelSummary Output,
    ShippedModel Shipped,
    ManifestBudget Budget,
    string? Loss,
    string Objective,
    SampleCounts Samples,
    Machine Machine,
    IReadOnlyList<PlannedSubgraph> Subgraphs,
    IReadOnlyList<ExcludedNode> Excluded,
    Prediction Predicted,
    Measurement Measured,
    FileSizes Bytes,
    SolverSummary? Solver,
    IReadOnlyList<StrategyPlan> Strategies,
    IReadOnlyList<PlanAttempt> Attempts,
    IReadOnlyList<ComparedModel> Compared,
    IReadOnlyList<SessionAdvice> Advice,
    IReadOnlyList<string> Reasons,
    IReadOnlyList<string> Warnings,
    IReadOnlyList<FrontierPoint>? Frontier = null,
    IReadOnlyList<TriedSubgraph>? Tried = null,
    ManifestProfile? Profile = null,
    string? Scenario = null,
    SharedData? Shared = null)
{
    public const int CurrentSchema = 2;

    public string ToJson() => ReportJson.Write(this);

    /// <summary>A summary for people: what the build prints.</summary>
    public IEnumerable<string> ToLines() =>
    [
        $"{Output.File}: {PlanText.Formats(Subgraphs)}, {ReportText.Bytes(Bytes.Original)} → {ReportText.Bytes(Bytes.Mixed)}",
        .. Scenario is null ? [] : new[] { $"for the scenario {Wording.Quote(Scenario)} alone{(Shared is { Same: [_, ..] same } ? $": the same plan as {string.Join(", ", same)}" : "")}" },
        $"shipped: {Shipped.What}: {Shipped.Why}",
        .. Samples.Evaluation == 0 || Solver is null ? [] : new[] { PlanText.Predicted(Predicted, Budget.SolvedTau) },
        .. Samples.Evaluation == 0 ? [] : Measured.ToLines(Budget.StatedTau ?? Budget.SolvedTau).Concat(Budget.ToLines()),
        .. Profile is null ? [] : new[] { Profile.ToLine() },
        .. Attempts.Count > 1 ? ReportText.Table([.. Attempts.Select(PlanText.Row)]) : [],
        .. ReportText.Table([.. Compared.Select(PlanText.Row)]),
        .. Samples.Evaluation == 0 || Solver is null ? [] : new[] { PlanText.Solver(Solver) },
        .. Advice.Select(a => a.ToLine()),
        .. Reasons.Select(r => "kept: " + r),
        .. ReportText.Warnings(Warnings),
    ];
}

/// <summary>The budget.</summary>
/// <param name="Text">As a policy says it, such as "lossIncrease: 1%, size: 40 MB".</param>
/// <param name="Allowed">Value of its first limit, as a fraction.</param>
/// <param name="Measured">What that is about, as measured on the evaluation samples; it must not pass what is allowed.</param>
/// <param name="StatedTau">τ as stated, as a fraction; null where the budget states none.</param>
/// <param name="SolvedTau">τ that the plan was made for: the stated one, less where it had to be tightened, or the one that was found to lead to the budget.</param>
/// <param name="Limits">Each limit with what was measured of it; null in manifests that were written without.</param>
public sealed record ManifestBudget(string Text, double Allowed, double Measured, double? StatedTau, double SolvedTau, IReadOnlyList<ManifestLimit>? Limits = null)
{
    /// <summary>Nothing for the error of the loss, which other lines say.</summary>
    internal IEnumerable<string> ToLines() => Limits is null ? StatedTau is not null ? [] : [$"budget {Text}: measured {ReportText.Percent(Measured)}"]
        : Limits.Where(limit => limit.Name != LossLimit.Keys[0]).Select(limit => $"budget {limit.Text}: measured {limit.Say(limit.Measured)}{(limit.IsWithin ? "" : ", which is not within it")}");
}

/// <summary>A limit of the budget.</summary>
/// <param name="Name">Its key in a policy.</param>
/// <param name="Text">As a policy says it.</param>
/// <param name="Allowed">Its value: a fraction, least of "agreement" and greatest of others, and for "size" the greatest number of bytes.</param>
/// <param name="Measured">What it is about, as measured on the emitted file.</param>
/// <param name="IsWithin">Whether that is within the limit.</param>
/// <param name="Predicted">What was predicted of it; null where nothing was.</param>
public sealed record ManifestLimit(string Name, string Text, double Allowed, double Measured, bool IsWithin, double? Predicted = null)
{
    /// <summary>Whether it is a least share of answers, near to all of them.</summary>
    internal bool IsLeast => Name == LossLimit.Keys[(int)BudgetKind.Agreement];

    /// <summary>A value of what it is about, for people.</summary>
    internal string Say(double value) => Name == SizeLimit.Key ? ReportText.Bytes((long)Math.Clamp(value, 0, long.MaxValue / 2)) : IsLeast ? ReportText.NearlyAll(value) : ReportText.Percent(value);
}

/// <summary>Timings of another machine, which those of this one stand back for.</summary>
/// <param name="File">File name.</param>
/// <param name="Sha256">SHA-256 of the file, in lower-case hexadecimal.</param>
/// <param name="Machine">What was timed on.</param>
/// <param name="Timings">How many timings it holds.</param>
/// <param name="Missing">Configurations and edges that were asked for and are not in it: none of them was measured, and no plan uses them unless rules force it to.</param>
public sealed record ManifestProfile(string File, string Sha256, Machine Machine, int Timings, int Missing)
{
    internal string ToLine() => $"times: those of {Wording.Escape(Machine.Processor)} with ONNX Runtime {Wording.Escape(Machine.Runtime)}, from the profile {Wording.Escape(File)} "
        + $"({ReportText.Count(Timings, "timing")}, {ReportText.Count(Missing)} missing); end-to-end time was not measured on that device";
}

/// <summary>How many samples the numbers stand on.</summary>
/// <param name="Calibration">Samples that sensitivities were taken from.</param>
/// <param name="Evaluation">Samples that calibration did not read, on which the emitted file was verified; 0 for the original.</param>
public sealed record SampleCounts(int Calibration, int Evaluation);

/// <summary>Sizes of the model files in bytes, external data included.</summary>
/// <param name="Original">The original model.</param>
/// <param name="Mixed">The emitted model.</param>
public sealed record FileSizes(long Original, long Mixed);

/// <summary>A file of weights that the models of several scenarios refer to; what is equal in several of them stands in it once.</summary>
/// <param name="File">Its name; it has to lie beside the models.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Models">Names of the models, in the order of the scenarios.</param>
/// <param name="Together">Bytes of the models and of this file.</param>
/// <param name="Alone">What the models would take if each had its weights by itself.</param>
/// <param name="Same">Names of the other models that came to the same plan as this one, and are the same file.</param>
public sealed record SharedData(string File, long Bytes, IReadOnlyList<string> Models, long Together, long Alone, IReadOnlyList<string> Same)
{
    internal string ToLine() =>
        $"{string.Join(", ", Models)} share {File}: {ReportText.Bytes(Together)} together, {ReportText.Bytes(Alone)} if each had its weights by itself";
}
