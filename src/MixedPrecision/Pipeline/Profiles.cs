using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>Timings that move between machines: taken and written on the device that counts, read where a plan is made.</summary>
internal static class Profiles
{
    private const string Stage = "profile";

    /// <summary>Shares of the policy's budget that its plan may be made anew for, when it measures over.</summary>
    private static readonly double[] Tightened = [1, 0.8, 0.6, 0.4, 0.2];

    /// <summary>The profile that a policy names, or null; what it is of is held against this machine, and told.</summary>
    /// <param name="here">This machine, as the app runs.</param>
    /// <exception cref="MixedPrecisionException">MPB5005: it cannot be used.</exception>
    public static ReadProfile? Find(Policy policy, Machine here, RunLog log)
    {
        if (policy.Runtime.Profile is not { } shown)
        {
            return null;
        }

        Place named = policy.PlaceOf(PolicyFiles.Profile);
        ReadProfile found = ProfileFile.Read(policy.Resolve(shown), shown, named);
        Machine device = found.Profile.Machine;
        log.Say(Stage, $"{Wording.Escape(found.File)}: {ReportText.Count(found.Profile.Count, "timing")} of {Of(device)}; nothing is timed on this machine, {Of(here)}");
        (string What, string Profile, string Here)[] differences = policy.Objective != Objective.Time ? [] : [.. Conditions(device).Zip(Conditions(here))
            .Where(c => c.First.Value != c.Second.Value).Select(c => (c.First.What, c.First.Value, c.Second.Value))];
        if (differences.Length > 0)
        {
            log.Warn(Errors.ProfileDiffers(named, shown, differences));
        }

        return found;
    }

    /// <summary>Warns of an app that is published for another system or architecture than what the plan is made for.</summary>
    /// <param name="device">The machine of the profile, or this one.</param>
    public static void CheckRuntime(Policy policy, Machine device, string? runtimeIdentifier, RunLog log)
    {
        if (runtimeIdentifier is not null && !device.Fits(runtimeIdentifier))
        {
            log.Warn(Errors.DeviceUnlikeApp(policy.PlaceOf(PolicyFiles.Profile), runtimeIdentifier, policy.Runtime.Profile, $"{device.OperatingSystem} {device.Architecture}"));
        }
    }

    /// <summary>Whether kernels of this machine may be others than those of the profile's: what is checked of them here then tells little of there.</summary>
    public static bool HasOtherKernels(ReadProfile? profile, Machine here) => profile?.Profile.Machine is { } device && !here.HasKernelsOf(device);

    /// <summary>
    /// Times what plans of the policy's budget, of less and of a row of others use, in the scenarios that count: what a build may ask for that makes a plan elsewhere, for this budget or another.
    /// </summary>
    public static Gains Search(PlanningInput input, Gains gains, BudgetPolicy budget, IReadOnlyList<double> others, PlanningSteps steps) =>
        Tightened.Select(share => share * BudgetMeeting.FirstTau(budget)).Concat(others)
            .Aggregate(gains, (known, tau) => Planner.PlanOrLeast(input, known, input.LossBudget(tau), steps).Gains);

    /// <summary>Writes what was timed.</summary>
    /// <param name="file">The profile's path.</param>
    /// <param name="timed">Where each plan has a scenario of its own, what was timed for each: what enters a sub-graph may be the same in several, and is then told as the first has it.</param>
    /// <exception cref="MixedPrecisionException">MPB8004: it cannot be written.</exception>
    public static ExportedProfile Write(string file, Materials materials, IReadOnlyList<Measuring> timed)
    {
        var known = timed.SelectMany(m => m.Known).DistinctBy(t => t.Key).ToDictionary();
        Profile made = Profile.Of(Reports.Model(materials.Workspace), materials.Machine, materials.Scenarios.Value, [.. materials.Workspace.Partition.Layers.Select(l => l.Name)], known, [.. timed.SelectMany(m => m.Whole).DistinctBy(w => w.Key)]);
        byte[] text = Encoding.UTF8.GetBytes(made.ToJson());
        OutputFile.Write(file, stream => stream.Write(text), makesFolder: true);
        return new ExportedProfile(Path.GetFileName(file), Convert.ToHexStringLower(SHA256.HashData(text)), made.Count);
    }

    /// <summary>Times a file that was made elsewhere, end to end, against the original: what a profile does not tell.</summary>
    /// <exception cref="MixedPrecisionException">MPB2001 and on: it is no model. MPB7001: it does not run.</exception>
    public static EmittedTimes Verify(string file, Materials materials, StageRunner runner)
    {
        string path = Path.GetFullPath(file);
        using OnnxModel model = OnnxModel.Load(path, file);
        var emitted = new EmittedModel([.. ModelFiles.External(model), path]);
        List<ScenarioComparison> times = runner.Get(Stages.Compare, new CompareInput(
            Shipment.PathOf(materials.Workspace), [emitted.Content], materials.Scenarios, materials.Machine, TimingSettings.WholeModel));
        return new EmittedTimes(Path.GetFileName(path), emitted.Hash, [.. times.Select(t => MeasuredScenario.Of(t.Of()))]);
    }

    /// <summary>Refuses to write a profile over what the run reads; one that the policy names is replaced.</summary>
    public static void Guard(string file, Materials materials)
    {
        string? named = materials.Policy.Runtime.Profile is { } profile ? materials.Policy.Resolve(profile) : null;
        OutputGuard.Check([Path.GetFullPath(file)], materials.InputFiles.Where(f => f != named));
    }

    private static string Of(Machine machine) =>
        $"{Wording.Escape(machine.Processor)} with {ReportText.Count(machine.Cores, "core")}, {Wording.Escape(machine.OperatingSystem)} {Wording.Escape(machine.Architecture)}";

    /// <summary>What changes which timings are true, on whatever processor.</summary>
    private static IEnumerable<(string What, string Value)> Conditions(Machine machine) =>
    [
        ("version of ONNX Runtime", machine.Runtime),
        ("provider", machine.Provider),
        ("threads", machine.Threads.ToString(CultureInfo.InvariantCulture)),
        ("session options", machine.Options is null ? "none" : string.Join(' ', machine.Options.Select(o => o.ToCode()))),
    ];
}
