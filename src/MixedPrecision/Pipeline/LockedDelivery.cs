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
/// From a policy and its lock to the file that the lock is of, the same bytes on every machine: one reading of the lock stands in place of calibration, timings and the solver. No data are read, and nothing
/// is measured. What has drifted from the lock is an error, and never mended silently.
/// </summary>
internal static class LockedDelivery
{
    private const string Stage = "lock";

    /// <exception cref="MixedPrecisionException">MPB7008: the policy asks for several plans. MPB8009 to MPB8014: the lock cannot be read, or does not fit what is there.</exception>
    public static QuantizeResult Deliver(string policyFile, string outputFolder, RunOptions options, StageRunner runner)
    {
        Policy policy = Policy.Load(policyFile);
        policy = options.Budget is null ? policy : policy.WithBudget(options.Budget, new Place("--budget"));
        LockFile.RefuseSeveral(policy);
        string path = LockFile.PathOf(policyFile);
        PrecisionLock found = LockFile.Read(path);
        LockDrift.CheckPolicy(path, found, policy);
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

        using FileStream? constants = LockFile.OpenBinary(path, found);
        using var preparations = new Preparations(runner.Store, runner.Log.WarnOnly);
        IReadOnlyList<Configuration> plan = LockedPlan.Read(path, found, workspace, constants);
        using StagingFolder staging = StagingFolder.In(Path.GetFullPath(outputFolder));
        EmittedModel emitted = Emit(path, found, workspace, plan, policy, staging.Folder, preparations, runner);
        return Delivery.Ship(staging, [new Delivered(emitted, found.Manifest)], inputs);
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

    private static EmittedModel Emit(
        string path, PrecisionLock found, Workspace workspace, IReadOnlyList<Configuration> plan, Policy policy, string folder, Preparations preparations, StageRunner runner)
    {
        Content<Workspace> model = Shipment.ModelOf(workspace);
        bool isOriginal = found.Manifest.Shipped.What == Shipment.OriginalModel;
        EmittedModel emitted = isOriginal
            ? Emission.Keep(runner, model, Path.Combine(folder, "emitted"), Delivery.NameOf(policy), preparations)
            : Emission.Write(runner, model, plan, Path.Combine(folder, "emitted"), Delivery.NameOf(policy), preparations);
        if (emitted.Hash != found.Manifest.Output.Sha256)
        {
            throw Errors.LockPlanDrift(new Place(path), $"the emitted model has the SHA-256 {found.Manifest.Output.Sha256}", $"this tool writes one with {emitted.Hash}");
        }

        if (isOriginal)
        {
            runner.Log.Warn(Errors.NothingGained(policy.Model, $"{found.Manifest.Shipped.Why}, as the lock has it"));
            return emitted;
        }

        Machine machine = Machine.Detect(policy.Runtime) with { Options = AppOptions.Set(policy) };
        Conformity read = runner.Get(Stages.ReadBack, new ReadBackInput(
            model, emitted.Content, Emission.LayersOf(workspace, plan), Emission.StructuresOf(workspace, plan), Kernels.Of(machine), AppSession.Of(machine), preparations));
        if (read.Problem is { } problem)
        {
            Diagnostic here = On(machine, problem, found.Manifest.Machine, isOfProfile: found.Manifest.Profile is not null);
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
