using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>What the user asks for: one policy file, read and checked, with its defaults filled in.</summary>
/// <param name="File">The policy's path as the user gave it; what diagnostics show.</param>
/// <param name="Folder">Full path of the policy's folder; relative paths in the policy are resolved against it.</param>
/// <param name="Model">The original model's path as written; <see cref="Resolve"/> gives the full path.</param>
/// <param name="Output">File name of the emitted model, or null for the original's name with <c>.mixed.onnx</c>.</param>
/// <param name="Budget">How much worse, and how large, the emitted model may be.</param>
/// <param name="Calibration">Data and loss that sensitivities are taken from.</param>
/// <param name="Evaluation">Held-out data that the emitted model is verified on, or null: the pipeline splits the calibration data.</param>
/// <param name="Formats">Canonical texts (<see cref="FormatId.Text"/>), presets expanded, in the order of <see cref="FormatFamilies.InOrder"/>; <c>fp32</c> is always the first.</param>
/// <param name="Objective">What the plan maximizes the gain of.</param>
/// <param name="Scenarios">Input sizes to time; empty: the pipeline derives one from the calibration data.</param>
/// <param name="Layers">Rules for the formats of layers, in the file's order.</param>
/// <param name="Runtime">How the app runs the model.</param>
/// <param name="KeepsDefaults">Whether initializers that are listed as inputs stay inputs with a default, even where the exporter lists all of them.</param>
public sealed record Policy(
    string File,
    string Folder,
    string Model,
    string? Output,
    BudgetPolicy Budget,
    CalibrationPolicy Calibration,
    EvaluationPolicy? Evaluation,
    IReadOnlyList<string> Formats,
    Objective Objective,
    IReadOnlyList<ScenarioPolicy> Scenarios,
    IReadOnlyList<LayerRule> Layers,
    RuntimePolicy Runtime,
    bool KeepsDefaults = false)
{
    /// <summary>The least gain that is one, as a share of what the original model takes (of its time, operations or bytes, as the objective says); from 0 to 1.</summary>
    public double MinimumGain { get; init; } = 0.01;

    /// <summary>Structures that sub-graphs may have, by names from <see cref="StructureNames.All"/>; the exported one is always the first.</summary>
    public IReadOnlyList<string> Structures { get; init; } = StructureNames.All;

    /// <summary>Seconds that the search may go on, timing configurations and solving, after the first ones were timed; then the best plan of those that were is taken, and its gap stated.</summary>
    public int SearchSeconds { get; init; } = 120;

    /// <summary>Whether each scenario has a plan and a file of its own, in place of one for all of them, weighted.</summary>
    public bool PlansPerScenario { get; init; }

    /// <summary>Dimensions to which all scenarios give one size, with that size; none where there are no scenarios.</summary>
    public IReadOnlyDictionary<string, long> FixedSizes => Scenarios.Count == 0 ? new Dictionary<string, long>() : Scenarios[0].Inputs
        .Where(size => Scenarios.All(s => s.Inputs.TryGetValue(size.Key, out long other) && other == size.Value))
        .ToDictionary(StringComparer.Ordinal);

    /// <summary>Where each value stands in the file, by the path of its key: <c>calibration.data</c>, <c>layers[0].match</c>.</summary>
    public IReadOnlyDictionary<string, Place> Places { get; init; } = new Dictionary<string, Place>();

    /// <summary>What the file says, scalar by scalar, by the path of its key: defaults are not in it, nor how it is laid out.</summary>
    public IReadOnlyDictionary<string, string> Texts { get; init; } = new Dictionary<string, string>();

    /// <summary>Where the value of a key stands; the file itself when it is not in there.</summary>
    public Place PlaceOf(string key) => Places.TryGetValue(key, out Place? place) ? place : new Place(File);

    /// <summary>Where the size is limited.</summary>
    public Place PlaceOfSize => PlaceOf(Places.ContainsKey("budget.size") ? "budget.size" : "budget");

    /// <summary>Full path of a path written in the policy; a relative one starts at the policy's folder.</summary>
    public string Resolve(string relative) => Path.GetFullPath(relative, Folder);

    /// <summary>Reads a policy; everything wrong with it is a <see cref="MixedPrecisionException"/> with a code in the range 1xxx.</summary>
    /// <param name="file">Path of the policy, relative to the current folder.</param>
    public static Policy Load(string file)
    {
        string text = YamlReader.ReadFile(file);
        return PolicyReader.Read(file, text, Path.GetDirectoryName(Path.GetFullPath(file))!);
    }

    /// <summary>This policy with another budget.</summary>
    /// <param name="text">The budget as a policy would say it: <c>1%</c>, <c>0.01</c>, or <c>lossIncrease: 1%, size: 40 MB</c>.</param>
    /// <param name="place">Where the text comes from, for the error.</param>
    public Policy WithBudget(string text, Place place) => this with
    {
        Budget = BudgetText.Read(text, "budget", place),
        Places = WithoutBudget(Places, place),
        Texts = WithoutBudget(Texts, text),
    };

    private static Dictionary<string, T> WithoutBudget<T>(IReadOnlyDictionary<string, T> keys, T budget) =>
        new(keys.Where(key => key.Key.Split('.')[0] != "budget")) { ["budget"] = budget };
}

/// <summary>Data that calibration does not see, to verify the emitted model on.</summary>
/// <param name="Data">Path of the samples as written.</param>
/// <param name="Samples">At most so many samples are read, from the start of the data; null: all.</param>
public sealed record EvaluationPolicy(string Data, int? Samples);

/// <summary>Concrete input sizes to time.</summary>
/// <param name="Name">Name for reports, or null.</param>
/// <param name="Inputs">Value of each symbolic dimension of the model, by its name; 0 for a cache that holds nothing yet.</param>
/// <param name="Weight">Share of this scenario in the objective, relative to the others; at least 0.</param>
/// <param name="Place">Where the scenario stands in the policy.</param>
public sealed record ScenarioPolicy(string? Name, IReadOnlyDictionary<string, long> Inputs, double Weight, Place Place);

/// <summary>How the app runs the model.</summary>
/// <param name="Provider">Execution provider; <c>cpu</c>.</param>
/// <param name="Threads">Threads within an operator; 0: as many as the machine has processors.</param>
/// <param name="Place">Where the section stands in the policy, or the policy itself when it has none.</param>
public sealed record RuntimePolicy(string Provider, int Threads, Place Place)
{
    /// <summary>Path, as written, of the profile that timings are taken from; null: they are measured.</summary>
    public string? Profile { get; init; }

    /// <summary>Whether the app fixes the symbolic dimensions to which all scenarios give one size (<c>AddFreeDimensionOverrideByName</c>).</summary>
    public bool FreeDimensions { get; init; }

    /// <summary>Whether the app lets the runtime approximate Gelu (<c>optimization.enable_gelu_approximation</c>).</summary>
    public bool GeluApproximation { get; init; }

    /// <summary>Whether workers may spin while they wait for work; false: the app switches it off (<c>session.intra_op.allow_spinning</c>).</summary>
    public bool Spinning { get; init; } = true;
}

/// <summary>What the plan maximizes the gain of, within the budget.</summary>
public enum Objective
{
    /// <summary>Measured time, the scenarios weighted.</summary>
    Time,

    /// <summary>Time computed from multiply-accumulate operations and each format's theoretical cost.</summary>
    TheoreticalTime,

    /// <summary>Bytes of weights.</summary>
    Memory,
}
