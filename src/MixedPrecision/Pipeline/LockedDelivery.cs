using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>
/// From a policy and its lock to the files that the lock is of, the same bytes on every machine: one reading of the lock stands in place of calibration, timings and the solver. No data are read, and nothing
/// is measured. What has drifted from the lock is an error, and never mended silently. Files that share weights are made as they were (<see cref="Sharing"/>): each by itself, read back, and then brought together.
/// </summary>
internal static class LockedDelivery
{
    private const string Stage = "lock";

    /// <exception cref="MixedPrecisionException">MPB8009 to MPB8014: the lock cannot be read, or does not fit what is there.</exception>
    public static QuantizeResult Deliver(string policyFile, string outputFolder, RunOptions options, StageRunner runner)
    {
        Policy policy = Policy.Load(policyFile);
        policy = options.Budget is null ? policy : policy.WithBudget(options.Budget, new Place("--budget"));
        string path = LockFile.PathOf(policyFile);
        PrecisionLock found = LockFile.Read(path);
        LockDrift.CheckPolicy(path, found, policy);
        LockDrift.CheckModels(path, found, policy);
        LockDrift.CheckVersions(path, found);
        PolicyFiles.CheckModel(policy);
        using Workspace workspace = Open(path, found, policy);
        string[] inputs = [.. Materials.FilesOf(policy, workspace, Datasets.FilesOf(policy)), LockFile.BinaryOf(Path.GetFullPath(path))];
        Delivery.Guard(policy, workspace, inputs, outputFolder);
        runner.Log.Say(Stage, $"the plan of {Path.GetFileName(path)}: nothing is measured");
        if (LockDrift.CheckData(path, found, policy) is { Count: > 0 } absent)
        {
            runner.Log.Say(Stage, $"not there, and not needed: {Wording.List(absent)}");
        }

        if (LockDrift.OfRuntime(path, found, options.AppRuntime) is { } other)
        {
            runner.Log.Warn(other);
        }

        using FileStream? constants = LockFile.OpenBinary(path, found);
        using var preparations = new Preparations(runner.Store, runner.Log.WarnOnly);
        using StagingFolder staging = StagingFolder.In(Path.GetFullPath(outputFolder));
        IReadOnlyList<ScenarioFile> scenarios = ScenarioFiles.Of(policy);
        var plans = new List<IReadOnlyList<Configuration>>();
        var emitted = new List<EmittedModel>();
        foreach ((int index, LockedModel own) in found.Models.Index())
        {
            plans.Add(LockedPlan.Read(path, found, own, workspace, constants));
            emitted.Add(Emit(own.Manifest, workspace, plans[^1], policy, scenarios.ElementAtOrDefault(index), Path.Combine(staging.Folder, $"emitted {index}"), preparations, runner));
        }

        IReadOnlyList<EmittedModel> files = scenarios.Count == 0 ? emitted
            : Sharing.Write([.. emitted.Zip(scenarios)], Path.Combine(staging.Folder, "shared"), ScenarioFiles.DataOf(policy));
        foreach ((EmittedModel file, LockedModel own) in files.Zip(found.Models).Where(f => f.First.Hash != f.Second.Manifest.Output.Sha256))
        {
            throw Errors.LockPlanDrift(new Place(path), $"the emitted model {Wording.Quote(Path.GetFileName(file.Path))} has the SHA-256 {own.Manifest.Output.Sha256}", $"this tool writes one with {file.Hash}");
        }

        return Delivery.Ship(staging, [.. files.Select((file, i) => new Delivered(file, plans[i], found.Models[i].Manifest))], inputs);
    }

    private static Workspace Open(string path, PrecisionLock found, Policy policy)
    {
        Workspace workspace = Workspace.Open(policy.Resolve(policy.Model), policy.Model, policy.KeepsDefaults, policy.Objective == Objective.Memory, found.IsRewritten);
        try
        {
            LockDrift.CheckModel(path, found, workspace, policy.PlaceOf("model"));
            if (found.Types.Count > 0)
            {
                workspace.Complete(found.Types.ToDictionary(t => t.Key, t => TypeOf(path, t.Key, t.Value)));
            }

            return workspace;
        }
        catch
        {
            workspace.Dispose();
            throw;
        }
    }

    private static TensorType TypeOf(string path, string value, LockedType type)
    {
        const int MostDimensions = 64;
        return ElementType.BitsOf(type.ElementType) > 0 && type.Rank is >= 0 and <= MostDimensions
            ? new TensorType(type.ElementType, [.. Enumerable.Repeat(Dimension.Unknown, type.Rank)])
            : throw Errors.LockInvalid(path, $"the type of the value {Wording.Quote(value)} is none");
    }

    /// <summary>Writes a model by its plan, whose layers the workspace holds, and reads it back.</summary>
    /// <param name="scenario">The scenario that the plan is for by itself, or null.</param>
    private static EmittedModel Emit(
        Manifest manifest, Workspace workspace, IReadOnlyList<Configuration> plan, Policy policy, ScenarioFile? scenario, string folder, Preparations preparations, StageRunner runner)
    {
        Content<Workspace> model = Shipment.ModelOf(workspace);
        bool isApart = scenario is not null;
        if (manifest.Shipped.What == ShippedModel.Original)
        {
            runner.Log.Warn(Errors.NothingGained(policy.Model, $"{scenario?.Clause}{manifest.Shipped.Why}, as the lock has it"));
            return Emission.Keep(runner, model, folder, Delivery.NameOf(policy), preparations, isApart);
        }

        EmittedModel emitted = Emission.Write(runner, model, plan, folder, Delivery.NameOf(policy), preparations, isApart);
        Machine machine = Machine.Detect(policy.Runtime) with { Options = AppOptions.Set(scenario?.Alone(policy) ?? policy) };
        Conformity read = runner.Get(Stages.ReadBack, new ReadBackInput(
            model, emitted.Content, Emission.LayersOf(workspace, plan), Emission.StructuresOf(workspace, plan), Kernels.Of(machine), AppSession.Of(machine), preparations));
        if (read.Problem is { } problem)
        {
            Diagnostic here = On(machine, problem, manifest.Machine, isOfProfile: manifest.Profile is not null);
            runner.Log.Warn(here.Severity == Severity.Warning ? here : throw new MixedPrecisionException(here));
        }

        return emitted;
    }

    /// <summary>
    /// What is wrong with an emitted file, as far as it counts on a machine. Kernels, and whether the file runs, are those of the machine that the lock was made on, where they were checked: on one unlike it a warning will do. What the file holds is the same everywhere.
    /// </summary>
    /// <param name="isOfProfile">Whether the plan is for the machine of a profile.</param>
    internal static Diagnostic On(Machine machine, Diagnostic problem, Machine locked, bool isOfProfile = false)
    {
        bool isLike = !isOfProfile && machine.HasKernelsOf(locked);
        return isLike || problem.Code == Codes.EmittedModelDiffersFromPlan ? problem : problem with
        {
            Severity = Severity.Warning,
            Message = $"{problem.Message} This machine has {machine.Processor} and ONNX Runtime {machine.Runtime}; the lock was made, and its kernels were checked, on {Wording.Escape(locked.Processor)} with {Wording.Escape(locked.Runtime)}.",
        };
    }
}
