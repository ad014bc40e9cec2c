namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    private const string Export = "on the device, run 'mixed-precision benchmark POLICY --export FILE' with this policy, model and version of the tool";

    /// <summary>MPB5005: a profile is not there, damaged, or none.</summary>
    /// <param name="place">In the profile; where the policy names it if it cannot be opened.</param>
    /// <param name="reason">What is wrong with it, a clause.</param>
    public static MixedPrecisionException ProfileInvalid(Place place, string reason) => new(
        Codes.ProfileInvalid,
        place,
        $"The profile cannot be used: {Wording.EscapeWhole(reason.ReplaceLineEndings(" ").TrimEnd('.'))}. Restore the file; or make it anew: {Export}. Without 'runtime.profile' in the policy timings are taken on this machine.");

    /// <summary>MPB5006: a warning: what was timed is not what the app is said to run.</summary>
    /// <param name="place">Where the policy names the profile.</param>
    /// <param name="profile">The profile as the policy names it.</param>
    /// <param name="differences">What, as the profile has it, and as it is here.</param>
    public static Diagnostic ProfileDiffers(Place place, string profile, IReadOnlyList<(string What, string Profile, string Here)> differences) => new(
        Codes.ProfileDiffers,
        Severity.Warning,
        place,
        $"The profile {Wording.Quote(profile)} was taken under other conditions, so that its timings may not hold: {string.Join("; ", differences.Select(d => $"{d.What}: {Wording.Quote(d.Profile)} in the profile, {Wording.Quote(d.Here)} here"))}. "
        + $"Make the policy's 'runtime' and the tool like the app's; or take the profile again: {Export}.");

    /// <summary>MPB5007: nothing that is asked for is in the profile.</summary>
    /// <param name="place">Where the policy names the profile.</param>
    /// <param name="profile">The profile as the policy names it.</param>
    /// <param name="found">What it is of, a clause.</param>
    public static MixedPrecisionException ProfileOfOther(Place place, string profile, string found) => new(
        Codes.ProfileLacks,
        place,
        $"The profile {Wording.Quote(profile)} has no timing that the policy asks for: it is {found}. Timings are found by structure of the sub-graph, kernels, sizes that enter and version of the tool. Make it anew: {Export}.");

    /// <summary>MPB5007: a warning: some of what is asked for is not in the profile.</summary>
    /// <param name="place">Where the policy names the profile.</param>
    /// <param name="profile">The profile as the policy names it.</param>
    /// <param name="missing">How many configurations and edges.</param>
    public static Diagnostic ProfileLacks(Place place, string profile, int missing) => new(
        Codes.ProfileLacks,
        Severity.Warning,
        place,
        $"The profile {Wording.Quote(profile)} lacks {missing} of the configurations that the search asked for. They were not measured here, and the plan does without them. To have them: {Export}.");

    /// <summary>MPB5008: a warning: the app is published for another system or architecture than what the plan is made for.</summary>
    /// <param name="place">Where the policy names the profile, or the policy.</param>
    /// <param name="runtimeIdentifier">What the app is published for.</param>
    /// <param name="profile">The profile as the policy names it, or null.</param>
    /// <param name="device">System and architecture that the plan is made for.</param>
    public static Diagnostic DeviceUnlikeApp(Place place, string runtimeIdentifier, string? profile, string device) => new(
        Codes.DeviceUnlikeApp,
        Severity.Warning,
        place,
        $"The app is published for {Wording.Quote(runtimeIdentifier)}, and the plan is made for {(profile is null ? "this machine" : $"the device of the profile {Wording.Quote(profile)}")}, {Wording.Escape(device)}: it need not be fast there, nor is it known to keep the budget on another processor. "
        + $"To have a plan for such a device: {Export}; and name the file by 'runtime.profile'.");
}
