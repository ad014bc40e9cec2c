using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>A format as keys name it.</summary>
internal sealed record FormatVersion(string Name, int Version)
{
    public static FormatVersion Of(NumberFormat format) => new(format.Name, format.Version);
}

/// <summary>What decides on the numbers that a run of ONNX Runtime computes.</summary>
internal sealed record Kernels(string Runtime, IReadOnlyList<string> InstructionSets)
{
    public static Kernels Of(Machine machine) => new(machine.Runtime, machine.InstructionSets);
}

/// <summary>What the app sets of a session.</summary>
internal sealed record AppSession(int Threads, IReadOnlyList<SessionOption>? Options)
{
    public static AppSession Of(Machine machine) => new(machine.Threads, machine.Options);

    /// <summary>For inputs of the sizes of the scenarios.</summary>
    public SessionSettings Settings() => SessionSettings.Timing(Threads, Options);

    /// <summary>For samples, whose sizes may be others.</summary>
    public SessionSettings ForSamples() => Settings().ForAnySize();
}

/// <summary>What <see cref="Stages.Types"/> reads.</summary>
internal sealed record TypesInput(Content<OnnxModel> Model, string Runtime);

/// <summary>What <see cref="Stages.Structures"/> reads.</summary>
/// <param name="Seen">Types of values that only a run has shown.</param>
/// <param name="Known">The structures that there are, with their versions.</param>
internal sealed record StructuresInput(Content<Workspace> Model, IReadOnlyList<string> Seen, IReadOnlyList<string> Known);

/// <summary>What <see cref="Stages.Observe"/> reads.</summary>
/// <param name="Values">The activations whose moments are wanted.</param>
/// <param name="Ranges">The values whose ranges are.</param>
/// <param name="Store">Takes what is found: it is too large for an artifact, which names it by content.</param>
internal sealed record ObserveInput(
    Content<Workspace> Model,
    Content<IReadOnlyList<Sample>> Samples,
    IReadOnlyList<string> Values,
    IReadOnlyList<string> Ranges,
    Kernels Kernels,
    [property: Incidental] int Threads,
    [property: Incidental] MomentStore Store);

/// <summary>What was observed: moments, which lie in their store, and ranges.</summary>
internal sealed record Observations(IReadOnlyList<ObservedValue> Moments, IReadOnlyList<ObservedRange> Ranges);

/// <summary>What <see cref="Stages.Calibrate"/> reads.</summary>
/// <param name="Observed">What formats are prepared with; the sites of the model have it.</param>
/// <param name="Threads">Threads within an operator: sums are taken in an order that does not depend on them.</param>
internal sealed record CalibrateInput(
    Content<Workspace> Model,
    Content<IReadOnlyList<Sample>> Samples,
    Content<LossFunction> Loss,
    IReadOnlyList<FormatVersion> Formats,
    Observations Observed,
    bool MeasuresUnreached,
    Kernels Kernels,
    [property: Incidental] int Threads,
    [property: Incidental] Preparations Preparations);

/// <summary>What <see cref="Stages.Solve"/> reads.</summary>
internal sealed record SolveInput(Content<SolverProblem> Problem);

/// <summary>What <see cref="Stages.Trace"/> reads.</summary>
/// <param name="Problem">The program; its budget does not matter.</param>
/// <param name="Step">The difference of the gain that matters.</param>
internal sealed record TraceInput(Content<SolverProblem> Problem, double Step);

/// <summary>What <see cref="Stages.Search"/> reads.</summary>
/// <param name="Problem">The program as gains make it that are known at first.</param>
/// <param name="Known">These gains.</param>
/// <param name="Floor">Which gains are worth a loss.</param>
/// <param name="IsClosed">Whether nothing but what is in a profile can be measured.</param>
/// <param name="Budgets">Loss MSEs whose plans are searched, in this order.</param>
/// <param name="Run">Searches, and measures what that takes.</param>
internal sealed record SearchInput(Content<SolverProblem> Problem, Content<Gains> Known, GainFloor Floor, bool IsClosed, IReadOnlyList<double> Budgets, [property: Incidental] Func<Searched> Run);

/// <summary>The plan of a strategy.</summary>
internal sealed record NamedPlan(string Name, Plan Plan);

/// <summary>What <see cref="Stages.Evaluate"/> reads.</summary>
/// <param name="Original">Path of the original model.</param>
/// <param name="Emitted">Path of the emitted one.</param>
/// <param name="Advised">What the emitted model is run with besides what the app sets.</param>
internal sealed record EvaluateInput(
    Content<string> Original,
    Content<string> Emitted,
    Content<IReadOnlyList<Sample>> Samples,
    Content<LossFunction> Loss,
    Kernels Kernels,
    AppSession Session,
    IReadOnlyList<SessionOption> Advised);

/// <summary>What <see cref="Stages.Repeat"/> reads.</summary>
internal sealed record RepeatInput(Content<Workspace> Model, Content<IReadOnlyList<Sample>> Samples, Kernels Kernels, AppSession Session);

/// <summary>What <see cref="Stages.Exact"/> reads.</summary>
internal sealed record ExactInput(Content<Workspace> Model, Content<IReadOnlyList<Sample>> Samples, Kernels Kernels, AppSession Session);

/// <summary>Whether exact rewrites are exact.</summary>
/// <param name="WhyNot">What differs, or null.</param>
internal sealed record Exactness(string? WhyNot);

/// <summary>What <see cref="Stages.Conform"/> reads.</summary>
/// <param name="Model">The original.</param>
/// <param name="Emitted">Path of the emitted model.</param>
/// <param name="Layers">The layers that do not stay as they are.</param>
/// <param name="Structures">The sub-graphs that do not stand as exported.</param>
/// <param name="RunsElsewhere">Whether the kernels that count are not those of this machine: others than promised are then no reason to refuse the file.</param>
internal sealed record ConformInput(
    Content<Workspace> Model,
    Content<string> Emitted,
    IReadOnlyList<LayerFormat> Layers,
    IReadOnlyList<SubgraphStructure> Structures,
    Content<IReadOnlyList<Sample>> Samples,
    Kernels Kernels,
    AppSession Session,
    bool RunsElsewhere,
    [property: Incidental] Preparations Preparations);

/// <summary>What <see cref="Stages.ReadBack"/> reads: what <see cref="Stages.Conform"/> does but for data.</summary>
internal sealed record ReadBackInput(
    Content<Workspace> Model,
    Content<string> Emitted,
    IReadOnlyList<LayerFormat> Layers,
    IReadOnlyList<SubgraphStructure> Structures,
    Kernels Kernels,
    AppSession Session,
    [property: Incidental] Preparations Preparations);

/// <summary>Whether an emitted file is what was planned.</summary>
/// <param name="Problem">Why it must not be shipped, or null.</param>
/// <param name="Notes">What could not be compared.</param>
/// <param name="Kernel">Which kernel is not as promised, where that is no reason; or null.</param>
internal sealed record Conformity(Diagnostic? Problem, IReadOnlyList<string> Notes, Diagnostic? Kernel = null);

/// <summary>What <see cref="Stages.CheckData"/> reads.</summary>
/// <param name="Policy"><see cref="Materials.DataPolicy"/>: a warning's place is the name of a key.</param>
internal sealed record CheckDataInput(Content<Policy> Policy, Content<IReadOnlyList<Sample>> Calibration, Content<IReadOnlyList<Sample>> Evaluation);

/// <summary>What <see cref="Stages.Name"/> reads.</summary>
internal sealed record NameInput(Content<Workspace> Model, Content<IReadOnlyList<Scenario>> Scenarios);

/// <summary>What <see cref="Stages.Capture"/> reads.</summary>
/// <param name="Timer">Cuts the sub-graphs of this very model out.</param>
internal sealed record CaptureInput(Content<Workspace> Model, Content<IReadOnlyList<Scenario>> Scenarios, [property: Incidental] Func<SubgraphTimer> Timer);

/// <summary>What <see cref="Stages.Compare"/> reads.</summary>
/// <param name="Original">Path of the original model.</param>
/// <param name="Emitted">Paths of the emitted ones.</param>
/// <param name="Attempt">Counts repetitions of what is to be measured again.</param>
internal sealed record CompareInput(
    Content<string> Original,
    IReadOnlyList<Content<string>> Emitted,
    Content<IReadOnlyList<Scenario>> Scenarios,
    Machine Machine,
    TimingSettings Settings,
    int Attempt = 0);

/// <summary>What <see cref="Stages.Advise"/> reads.</summary>
/// <param name="Shipped">Path of the shipped model.</param>
/// <param name="Candidates">Sets of options, each to be set besides what the app sets.</param>
/// <param name="LeastGain">The least share of the time that counts.</param>
internal sealed record AdviseInput(
    Content<string> Shipped,
    Content<IReadOnlyList<Scenario>> Scenarios,
    Machine Machine,
    IReadOnlyList<IReadOnlyList<SessionOption>> Candidates,
    double LeastGain,
    TimingSettings Settings);
