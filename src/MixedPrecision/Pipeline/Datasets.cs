using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using MixedPrecision.Caching;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Pipeline;

/// <summary>The samples of a policy: those that calibration sees, and those that it does not.</summary>
/// <param name="Calibration">What sensitivities are taken on.</param>
/// <param name="Evaluation">What the emitted file is judged on.</param>
/// <param name="First">The first sample of all.</param>
/// <param name="Files">Full paths of the files that the samples come from.</param>
internal sealed record Datasets(
    Content<IReadOnlyList<Sample>> Calibration,
    Content<IReadOnlyList<Sample>> Evaluation,
    Func<Sample> First,
    IReadOnlyList<string> Files)
{
    /// <summary>Share of the calibration data that verification takes when the policy names no evaluation data: the last quarter.</summary>
    private const int HeldOutPart = 4;

    /// <summary>Samples that are drawn at most when the policy names no data: more of them tell nothing of real ones.</summary>
    private const int MostSynthetic = 64;

    /// <param name="loss">Says which keys of the data are read besides the model's inputs.</param>
    /// <param name="verifies">Whether a plan follows, to be judged on samples that calibration did not see.</param>
    /// <param name="log">Told when inputs are synthetic.</param>
    public static Datasets Of(Policy policy, Workspace workspace, Content<LossFunction> loss, bool verifies, RunLog log)
    {
        string? path = PathOf(policy);
        DataFormat format = FormatOf(policy);
        bool holdsOut = verifies && policy.Evaluation is null;
        var read = new Lazy<IReadOnlyList<Sample>>(() => path is null
            ? Synthetic(policy, workspace)
            : Read(path, policy.Calibration.Data!, policy.Calibration.Samples));
        if (path is null)
        {
            // Made even when all stages are reused, since making them warns of them.
            log.Warn(Errors.CalibrationDataNotNamed(policy.File, Sizes(policy, workspace)));
        }

        CacheKey key = DataKey(policy, workspace, path, format).With("samples", policy.Calibration.Samples).With("loss", loss.Key);
        return new Datasets(
            new Content<IReadOnlyList<Sample>>(
                key.With("held out", holdsOut ? 1 : 0),
                () => holdsOut ? [.. read.Value.Take(Math.Max(1, read.Value.Count - HeldOut(read.Value.Count)))] : read.Value),
            policy.Evaluation is { } e
                ? new Content<IReadOnlyList<Sample>>(
                    CacheKey.Of(("data", DataHash(policy.Resolve(e.Data), e.Data, format)), ("samples", $"{e.Samples}")).With("loss", loss.Key),
                    () => Read(policy.Resolve(e.Data), e.Data, e.Samples))
                : new Content<IReadOnlyList<Sample>>(key.With("held out only", 1), () => [.. read.Value.TakeLast(HeldOut(read.Value.Count))]),
            () => read.Value[0],
            FilesOf(policy));

        IReadOnlyList<Sample> Read(string file, string displayName, int? maximum) => SampleReader.Read(
            file, displayName, [.. workspace.Model.Inputs.Select(InputDeclaration.Of)], policy.Calibration.Labels, maximum, loss.Value.Fields, format);
    }

    /// <summary>Full paths of the files that the samples of a policy come from; some may not be there.</summary>
    public static IReadOnlyList<string> FilesOf(Policy policy) =>
    [
        .. PathOf(policy) is string path ? SampleReader.FilesOf(path, FormatOf(policy)) : [],
        .. policy.Evaluation is { } held ? SampleReader.FilesOf(policy.Resolve(held.Data)) : [],
    ];

    /// <summary>How images and text become samples.</summary>
    public static DataFormat FormatOf(Policy policy)
    {
        string? path = PathOf(policy);
        return new DataFormat(policy.Calibration.Images, policy.Calibration.Text, policy.Folder, Directory.Exists(path) ? path : null);
    }

    /// <summary>The hash of a file; of a folder of images, that of their names and contents; with all that decides on how they become samples.</summary>
    public static string DataHash(string path, string displayName, DataFormat? format = null)
    {
        if (!Path.Exists(path))
        {
            throw Errors.DataNotFound(displayName);
        }

        string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(path)!;
        bool isFormatted = folder == path || format?.Text is not null;
        string[] parts = [.. SampleReader.FilesOf(path, isFormatted ? format : null).Where(File.Exists).Select(file =>
        {
            string hash = SampleReader.HashOf(file, displayName);
            return folder == path ? $"{Path.GetRelativePath(folder, file).Replace('\\', '/')} {hash}" : hash;
        })];
        if (!isFormatted)
        {
            return parts[0];
        }

        // Where the files lie does not count, and how they are read does.
        parts = [.. parts, JsonSerializer.Serialize(format?.Images is { } images ? images with { Labels = null } : null), JsonSerializer.Serialize(format?.Text is { } text ? text with { Tokenizer = "" } : null)];
        return Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', parts))));
    }

    /// <summary>Full path of the calibration data, or null: inputs are synthetic.</summary>
    private static string? PathOf(Policy policy) => policy.Calibration.Data is string name ? policy.Resolve(name) : null;

    /// <summary>How many of so many samples are kept from calibration; at least one.</summary>
    private static int HeldOut(int samples) => Math.Max(1, samples / HeldOutPart);

    /// <summary>What the calibration samples depend on, but for how many of them are read.</summary>
    private static CacheKey DataKey(Policy policy, Workspace workspace, string? path, DataFormat format) => path is null
        ? CacheKey.Of(
            ("synthetic", string.Join(' ', KnownSizes(policy).OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key}={s.Value}")))),
            ("model", workspace.Hash))
        : CacheKey.Of(("data", DataHash(path, policy.Calibration.Data!, format)));

    /// <summary>Sizes that the policy's first scenario gives.</summary>
    private static IReadOnlyDictionary<string, long> KnownSizes(Policy policy) => policy.Scenarios.Count > 0 ? policy.Scenarios[0].Inputs : new Dictionary<string, long>();

    private static IReadOnlyList<Sample> Synthetic(Policy policy, Workspace workspace) => Make(policy, workspace, Math.Min(policy.Calibration.Samples, MostSynthetic)).Samples;

    private static string Sizes(Policy policy, Workspace workspace) => Make(policy, workspace, 1).Sizes;

    private static (IReadOnlyList<Sample> Samples, string Sizes) Make(Policy policy, Workspace workspace, int count) =>
        SyntheticInputs.Make(workspace.Model, workspace.Path, KnownSizes(policy), count);
}
