using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>The files that a policy names.</summary>
public static class PolicyFiles
{
    /// <summary>The key that names a profile.</summary>
    public const string Profile = "runtime.profile";

    private const string Model = "model";

    /// <summary>Each file with the key that names it, as <see cref="Policy.PlaceOf"/> takes it, and its path as written.</summary>
    public static IEnumerable<(string Key, string Path)> Of(Policy policy)
    {
        CalibrationPolicy calibration = policy.Calibration;
        IEnumerable<(string Key, string? Path)> named =
        [
            (Model, policy.Model),
            ("calibration.data", calibration.Data),
            ("calibration.images.labels", calibration.Images?.Labels),
            ("calibration.text.tokenizer", calibration.Text?.Tokenizer),
            .. calibration.Losses.Select((loss, i) => (policy.Places.ContainsKey($"calibration.loss[{i}].file") ? $"calibration.loss[{i}].file" : "calibration.loss.file", loss.File)),
            ("evaluation.data", policy.Evaluation?.Data),
            (Profile, policy.Runtime.Profile),
        ];
        return named.Where(n => n.Path is not null).Select(n => (n.Key, n.Path!));
    }

    /// <summary>Checks that each file is there, before anything takes time; but for a profile, which what measures does not read.</summary>
    /// <exception cref="MixedPrecisionException">MPB2001 or MPB3001 at the line of the policy that names a file which is not there.</exception>
    public static void Check(Policy policy) => Check(policy, key => key != Profile);

    /// <summary>Checks that the model is there.</summary>
    /// <exception cref="MixedPrecisionException">MPB2001.</exception>
    public static void CheckModel(Policy policy) => Check(policy, key => key == Model);

    private static void Check(Policy policy, Func<string, bool> isMeant)
    {
        foreach ((string key, string path) in Of(policy).Where(f => isMeant(f.Key)))
        {
            string full = policy.Resolve(path);
            if (key == Model || key.EndsWith(".file", StringComparison.Ordinal) ? !File.Exists(full) : !Path.Exists(full))
            {
                throw key == Model ? Errors.ModelNotFound(path, policy.PlaceOf(key)) : Errors.DataNotFound(path, policy.PlaceOf(key));
            }
        }
    }
}
