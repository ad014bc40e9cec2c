using System.Globalization;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>What the inputs of all stages are taken from: a policy, opened. It holds, and does nothing.</summary>
/// <param name="Policy">What the user asks for.</param>
/// <param name="Workspace">The original model.</param>
/// <param name="Allowed">By layer, the formats it may take.</param>
/// <param name="Data">Samples to calibrate and to evaluate on.</param>
/// <param name="Loss">What the budget is about.</param>
/// <param name="ObservedLoss">The same, settled in how it reads outputs by the calibration samples: what calibration and evaluation take.</param>
/// <param name="Scenarios">Concrete inputs to time with.</param>
/// <param name="Machine">Where it is measured.</param>
/// <param name="Preparations">Where formats' constants are kept.</param>
internal sealed record Materials(
    Policy Policy,
    Workspace Workspace,
    IReadOnlyDictionary<string, LayerOptions> Allowed,
    Datasets Data,
    Content<LossFunction> Loss,
    Content<LossFunction> ObservedLoss,
    Content<IReadOnlyList<Scenario>> Scenarios,
    Machine Machine,
    Preparations Preparations) : IDisposable
{
    /// <summary>The timings of the machine that counts, where they are not taken on this one; or null.</summary>
    public ReadProfile? Profile { get; init; }

    /// <summary>Of this machine, which judges the file, and that which runs it, the one that adds products less exactly: formats have to be right on both.</summary>
    public Machine Strictest => StrictestOf(Machine, Profile);

    /// <summary>The scenario that the plan is for by itself; null: all of them, weighted.</summary>
    public ScenarioFile? Scenario { get; private init; }

    /// <summary>Begins a clause of a message: for which scenario it holds, if for one by itself.</summary>
    public string ForScenario => Scenario?.Clause ?? "";

    /// <summary>Whether weights lie in a file beside the model, since files of other scenarios are to share them.</summary>
    public bool IsApart => Scenario is not null;

    /// <summary>The same where one scenario counts alone: samples, loss and formats stay, times and what the app sets are those of the scenario.</summary>
    public Materials For(ScenarioFile own)
    {
        Policy policy = own.Alone(Policy);
        return this with { Policy = policy, Scenarios = ScenariosOf(policy, Workspace, Data), Machine = Machine with { Options = AppOptions.Set(policy) }, Scenario = own };
    }

    /// <summary>What checks of the data read of the policy; names of keys stand for their places, which every line that is written above them moves.</summary>
    public Content<Policy> DataPolicy => new(
        CacheKey.Of(
            ("budget", Policy.Budget.ToString()),
            ("calibration data", Policy.Calibration.Data ?? ""),
            ("evaluation data", Policy.Evaluation?.Data ?? ""),
            ("labels", string.Join('\n', Policy.Calibration.Losses.Select(l => l.Labels))),
            ("ignored label", $"{Policy.Calibration.IgnoreLabel}")),
        () => Policy with { Places = ((string[])["budget", "calibration.data", "evaluation.data"]).ToDictionary(key => key, key => new Place(key)) });

    /// <summary>The most bytes that the emitted files may have, or null: any number.</summary>
    public long? MostBytes => Policy.Budget.Size?.Bytes(Workspace.Bytes);

    /// <summary>Files that the run depends on: policy, model and its external data, loss graphs, calibration and evaluation data, a profile, and the lock, which would take the place of most.</summary>
    public IReadOnlyList<string> InputFiles => FilesOf(Policy, Workspace, Data.Files);

    /// <summary>Files that a run of a policy depends on, the lock among them, which need not be there.</summary>
    public static IReadOnlyList<string> FilesOf(Policy policy, Workspace workspace, IReadOnlyList<string> data) =>
    [
        Path.GetFullPath(policy.File),
        workspace.Path,
        .. workspace.ExternalFiles,
        .. policy.Calibration.Losses.Select(l => l.File).OfType<string>().Select(policy.Resolve),
        .. data,
        .. policy.Runtime.Profile is { } profile ? [policy.Resolve(profile)] : Array.Empty<string>(),
        LockFile.PathOf(Path.GetFullPath(policy.File)),
    ];

    /// <summary>Opens all that a policy names; samples and sessions are made when a stage reads them.</summary>
    /// <param name="verifies">Whether a plan follows, to be judged on samples that calibration did not see.</param>
    /// <param name="objective">What the plan maximizes; null: as the policy says.</param>
    /// <param name="isProfiled">Whether timings are those of the profile that the policy names; else it is passed over.</param>
    public static Materials Open(string policyFile, RunOptions options, StageRunner runner, bool verifies = true, Objective? objective = null, bool isProfiled = true)
    {
        RunLog log = runner.Log;
        Policy policy = Policy.Load(policyFile);
        policy = policy with { Objective = objective ?? policy.Objective };
        if (options.Budget is not null)
        {
            policy = policy.WithBudget(options.Budget, new Place("--budget"));
        }

        PolicyFiles.Check(policy);
        Machine machine = Machine.Detect(policy.Runtime) with { Options = AppOptions.Set(policy) };
        ReadProfile? profile = isProfiled ? Profiles.Find(policy, machine, log) : null;
        Profiles.CheckRuntime(policy, profile?.Profile.Machine ?? machine, options.RuntimeIdentifier, log);
        if (options.RuntimeWarning is not null)
        {
            log.Warn(options.RuntimeWarning);
        }

        Machine strictest = StrictestOf(machine, profile);
        foreach (Diagnostic warning in PolicyWarnings.Of(policy, profile?.Profile.Machine.Cores ?? Environment.ProcessorCount))
        {
            log.Warn(warning);
        }

        // A file of labels is named to be used.
        if (policy.Calibration is { Labels: null, Images.Labels: not null })
        {
            policy = policy with { Calibration = policy.Calibration with { Labels = "label" } };
        }

        policy = Choices.On(strictest, policy);
        Workspace workspace = Workspace.Open(
            policy.Resolve(policy.Model), policy.Model, policy.KeepsDefaults, policy.Objective == Objective.Memory,
            infer: (model, hash) => runner.Get(Stages.Types, new TypesInput(new Content<OnnxModel>(Shipment.KeyOf(model, hash), () => model), machine.Runtime)));
        Content<LossFunction> loss = Losses(policy, workspace);
        try
        {
            Datasets data = Datasets.Of(policy, workspace, loss, verifies, log);
            if (workspace.NeedsRun)
            {
                workspace.Complete(data.First().Inputs);
            }

            if (workspace.Rewrites is not null && runner.Get(
                Stages.Exact, new ExactInput(Shipment.ModelOf(workspace), data.Calibration, Kernels.Of(machine), AppSession.Of(machine))).WhyNot is string other)
            {
                workspace.Restore(other);
            }

            return new Materials(
                policy, workspace, Choices.Of(policy, workspace, strictest), data, loss, Observed(loss, data, workspace, options.Cancel), ScenariosOf(policy, workspace, data),
                machine,
                new Preparations(runner.Store, log.WarnOnly))
            { Profile = profile };
        }
        catch
        {
            loss.Dispose();
            workspace.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Preparations.Dispose();
        Loss.Dispose();
        Workspace.Dispose();
    }

    private static Machine StrictestOf(Machine machine, ReadProfile? profile) => machine.AddsExactly() && profile is not null ? profile.Profile.Machine : machine;

    /// <summary>What the policy says of the loss, and the contents of loss graphs; a guess follows from model and data.</summary>
    private static Content<LossFunction> Losses(Policy policy, Workspace workspace)
    {
        CalibrationPolicy c = policy.Calibration;
        string text = string.Join("; ", c.AllLosses(Place.None).Append(c.Complete(new LossPolicy(default, Place.None))).Select(l => string.Create(
            CultureInfo.InvariantCulture,
            $"{l.Kind} {l.Output} {l.Weight:R} {l.Labels} {l.Mask} {l.IgnoreLabel} {(l.File is null ? "" : Datasets.DataHash(policy.Resolve(l.File), l.File))}")));
        return new Content<LossFunction>(CacheKey.Of(("policy", text), ("model", workspace.Hash)), () => LossFunction.Create(
            workspace.Model,
            workspace.Types,
            c,
            policy.File,
            c.Data is null ? [] : SampleReader.Keys(policy.Resolve(c.Data), c.Data, Datasets.FormatOf(policy))));
    }

    private static Content<LossFunction> Observed(Content<LossFunction> loss, Datasets data, Workspace workspace, CancellationToken cancel) =>
        new(loss.Key.With("outputs read as on", data.Calibration.Key), () =>
        {
            loss.Value.Observe(workspace.Model, data.Calibration.Value, cancel);
            return loss.Value;
        });

    private static Content<IReadOnlyList<Scenario>> ScenariosOf(Policy policy, Workspace workspace, Datasets data)
    {
        string text = string.Join("; ", policy.Scenarios.Select(s => string.Create(
            CultureInfo.InvariantCulture, $"{s.Name} {s.Weight:R} {string.Join(',', s.Inputs.OrderBy(i => i.Key, StringComparer.Ordinal).Select(i => $"{i.Key}={i.Value}"))}")));
        return new Content<IReadOnlyList<Scenario>>(
            data.Calibration.Key.With("policy", text),
            () => Benchmarking.Scenarios.Make(workspace.Model, policy.Scenarios, [.. data.Calibration.Value.Select(s => s.Inputs)]));
    }
}
