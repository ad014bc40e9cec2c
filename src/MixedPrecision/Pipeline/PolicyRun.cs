using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Pipeline;

/// <summary>One run of a policy: what its stages share. Data and sessions are only made when a stage has to run.</summary>
internal sealed class PolicyRun : IDisposable
{
    /// <summary>Share of the calibration data that verification takes when the policy names no evaluation data: the last quarter.</summary>
    private const int HeldOutPart = 4;

    /// <summary>Samples that are drawn at most when the policy names no data: more of them tell nothing of real ones.</summary>
    private const int MostSynthetic = 64;

    private readonly Lazy<IReadOnlyList<Sample>> calibration;
    private string? dataHash;
    private readonly Lazy<IReadOnlyList<Sample>> evaluation;
    private readonly Lazy<LossFunction> loss;
    private readonly Lazy<IReadOnlyList<Scenario>> scenarios;
    private readonly Lazy<IReadOnlyDictionary<string, double>> operations;

    private PolicyRun(Policy policy, Workspace workspace, RunOptions options, bool verifies)
    {
        Policy = policy;
        HoldsOut = verifies && policy.Evaluation is null;
        Workspace = workspace;
        Options = options;
        Machine = Machine.Detect(policy.Runtime);
        Runner = new StageRunner(new ContentStore(options.CacheFolder ?? ContentStore.DefaultFolder()), options);
        Format = new DataFormat(policy.Calibration.Images, policy.Calibration.Text, policy.Folder, Directory.Exists(DataFile) ? DataFile : null);
        loss = new(() => LossFunction.Create(
            workspace.Model, workspace.Types, policy.Calibration, policy.File, DataFile is null ? [] : SampleReader.Keys(DataFile, policy.Calibration.Data!, Format)));
        var read = new Lazy<IReadOnlyList<Sample>>(() => DataFile is null ? Synthetic() : Read(DataFile, policy.Calibration.Data!, policy.Calibration.Samples));
        calibration = new(() => HoldsOut ? [.. read.Value.Take(Math.Max(1, read.Value.Count - HeldOut(read.Value.Count)))] : read.Value);
        evaluation = new(() => policy.Evaluation is { } e
            ? Read(policy.Resolve(e.Data), e.Data, e.Samples)
            : [.. read.Value.TakeLast(HeldOut(read.Value.Count))]);
        scenarios = new(() => Benchmarking.Scenarios.Make(workspace.Model, policy.Scenarios, [.. CalibrationSamples.Select(s => s.Inputs)]));
        if (workspace.NeedsRun)
        {
            workspace.Complete(read.Value[0].Inputs);
        }

        Allowed = Choices.Of(policy, workspace);
        operations = new(() => OperationCount.Of(workspace.Model, workspace.Sites.Values, Scenarios));
    }

    public Policy Policy { get; }

    public Workspace Workspace { get; }

    public RunOptions Options { get; }

    public StageRunner Runner { get; }

    public Machine Machine { get; }

    public IReadOnlyDictionary<string, LayerOptions> Allowed { get; }

    public LossFunction Loss => loss.Value;

    public IReadOnlyList<Sample> CalibrationSamples => calibration.Value;

    /// <summary>Samples that calibration does not see.</summary>
    public IReadOnlyList<Sample> EvaluationSamples => evaluation.Value;

    /// <summary>Concrete inputs to time with.</summary>
    public IReadOnlyList<Scenario> Scenarios => scenarios.Value;

    /// <summary>Multiply-accumulates of each layer by name, as the mean over the scenarios by their weights.</summary>
    public IReadOnlyDictionary<string, double> MultiplyAccumulates => operations.Value;

    /// <summary>Files that the run depends on: policy, model and its external data, calibration and evaluation data.</summary>
    public IReadOnlyList<string> InputFiles =>
    [
        Path.GetFullPath(Policy.File),
        Workspace.Path,
        .. Workspace.ExternalFiles,
        .. DataFile is null ? [] : SampleReader.FilesOf(DataFile, Format),
        .. Policy.Calibration.Losses.Select(l => l.File).OfType<string>().Select(Policy.Resolve),
        .. Policy.Evaluation is { } e ? SampleReader.FilesOf(Policy.Resolve(e.Data)) : [],
    ];

    /// <summary>How images and text become samples.</summary>
    private DataFormat Format { get; }

    /// <summary>Full path of the calibration data, or null: inputs are synthetic.</summary>
    private string? DataFile => Policy.Calibration.Data is string name ? Policy.Resolve(name) : null;

    /// <summary>Whether calibration leaves some of its samples to verification.</summary>
    private bool HoldsOut { get; }

    /// <param name="verifies">Whether a plan follows, to be judged on samples that calibration did not see.</param>
    public static PolicyRun Open(string policyFile, RunOptions options, bool verifies = true)
    {
        Policy policy = Policy.Load(policyFile);
        if (options.Budget is not null)
        {
            policy = policy.WithBudget(options.Budget, new Place("--budget"));
        }

        // A file of labels is named to be used.
        if (policy.Calibration is { Labels: null, Images.Labels: not null })
        {
            policy = policy with { Calibration = policy.Calibration with { Labels = "label" } };
        }

        Workspace workspace = Workspace.Open(policy.Resolve(policy.Model), policy.Model);
        try
        {
            return new PolicyRun(policy, workspace, options, verifies);
        }
        catch
        {
            workspace.Dispose();
            throw;
        }
    }

    /// <summary>What the sensitivities depend on.</summary>
    public CacheKey CalibrationKey() => CacheKey.Of(
            ("model", Workspace.Hash),
            ("data", CalibrationDataHash()),
            ("loss", LossKey()),
            ("formats", string.Join(' ', Policy.Formats.Select(f => $"{f}:{Formats.NumberFormats.Get(f).Version}"))),
            ("runtime", Machine.Runtime),
            ("instruction sets", string.Join(' ', Machine.InstructionSets)))
        .With("samples", Policy.Calibration.Samples)
        .With("held out", HoldsOut ? 1 : 0)
        .With("unreached", Policy.Calibration.MeasuresUnreached ? 1 : 0);

    /// <summary>What the scenarios depend on, as text.</summary>
    public string ScenarioKey() => Benchmarking.Scenarios.Key(Scenarios).Hex;

    /// <summary>Shares of the scenarios that count, in the order of <see cref="Scenarios"/>.</summary>
    public IEnumerable<double> ScenarioWeights()
    {
        double[] weights = [.. Policy.Scenarios.Select(s => s.Weight).Where(w => w > 0)];
        return weights.Length == 0 ? [1] : weights.Select(w => w / weights.Sum());
    }

    /// <summary>What verification reads besides the two models.</summary>
    public CacheKey EvaluationKey() => CacheKey.Of(
            ("loss", LossKey()),
            ("data", Policy.Evaluation is { } e ? $"{DataHash(Policy.Resolve(e.Data), e.Data, Format)} {e.Samples}" : $"held out {CalibrationDataHash()}"),
            ("scenarios", ScenarioKey()))
        .With("samples", Policy.Calibration.Samples)
        .With("machine", Machine.Key());

    public SubgraphTimer Timer() => new(
        Workspace.Model, Workspace.Partition, Workspace.Types, Scenarios, Machine, TimingSettings.Subgraph, Runner.Store, text => Options.Progress(new ProgressUpdate(Stages.Benchmark.Name, text)));

    public void Dispose()
    {
        if (loss.IsValueCreated)
        {
            loss.Value.Dispose();
        }

        Workspace.Dispose();
    }

    /// <summary>How many of so many samples are kept from calibration; at least one.</summary>
    private static int HeldOut(int samples) => Math.Max(1, samples / HeldOutPart);

    /// <summary>What the calibration samples are, as text.</summary>
    private string CalibrationDataHash() => DataFile is null
        ? $"synthetic {string.Join(' ', KnownSizes().OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key}={s.Value}")))} of {Workspace.Hash}"
        : dataHash ??= DataHash(DataFile, Policy.Calibration.Data!, Format);

    /// <summary>The hash of a file; of a folder of images, that of their names and contents; with all that decides on how they become samples.</summary>
    private static string DataHash(string path, string displayName, DataFormat? format = null)
    {
        if (!Path.Exists(path))
        {
            throw Errors.DataNotFound(displayName);
        }

        string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(path)!;
        bool isFormatted = folder == path || format?.Text is not null;
        string[] parts = [.. SampleReader.FilesOf(path, isFormatted ? format : null).Where(File.Exists).Select(file =>
        {
            using FileStream stream = File.OpenRead(file);
            string hash = Convert.ToHexStringLower(SHA256.HashData(stream));
            return folder == path ? $"{Path.GetRelativePath(folder, file).Replace('\\', '/')} {hash}" : hash;
        })];
        if (!isFormatted)
        {
            return parts[0];
        }

        // Where the files lie does not count, and how they are read does.
        parts = [.. parts, JsonSerializer.Serialize(format?.Images is { } images ? images with { Labels = null } : null), JsonSerializer.Serialize(format?.Text is { } text ? text with { Tokenizer = "" } : null)];
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))));
    }

    /// <summary>Sizes that the policy's first scenario gives.</summary>
    private IReadOnlyDictionary<string, long> KnownSizes() => Policy.Scenarios.Count > 0 ? Policy.Scenarios[0].Inputs : new Dictionary<string, long>();

    private IReadOnlyList<Sample> Synthetic()
    {
        (IReadOnlyList<Sample> samples, string sizes) = SyntheticInputs.Make(
            Workspace.Model, Workspace.Path, KnownSizes(), Math.Min(Policy.Calibration.Samples, MostSynthetic));
        Options.Warn(Errors.CalibrationDataNotNamed(Policy.File, sizes));
        return samples;
    }

    private IReadOnlyList<Sample> Read(string path, string displayName, int? maximum) => SampleReader.Read(
        path, displayName, [.. Workspace.Model.Inputs.Select(i => new InputDeclaration(i.Name, TensorType.Read(i.Type)))], Policy.Calibration.Labels, maximum, Loss.Fields, Format);

    /// <summary>What the policy says of the loss, and the contents of loss graphs; a guess follows from model and data.</summary>
    private string LossKey()
    {
        CalibrationPolicy c = Policy.Calibration;
        return string.Join("; ", c.AllLosses(Place.None).Append(c.Complete(new LossPolicy(default, Place.None))).Select(l => string.Create(
            CultureInfo.InvariantCulture,
            $"{l.Kind} {l.Output} {l.Weight:R} {l.Labels} {l.Mask} {l.IgnoreLabel} {(l.File is null ? "" : DataHash(Policy.Resolve(l.File), l.File))}")));
    }
}
