using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>The files of a lock beside a policy: NAME.precision.lock.json for NAME.policy.yaml, and where constants have to be kept NAME.precision.lock.bin.</summary>
internal static class LockFile
{
    private const string Extension = ".precision.lock.json";
    private const string BinaryExtension = ".bin";

    /// <summary>Models of thousands of layers stay well below.</summary>
    private const long LargestText = 64 << 20;

    /// <summary>Path of the lock of a policy, relative where the policy's is.</summary>
    public static string PathOf(string policyFile)
    {
        string name = Path.GetFileNameWithoutExtension(policyFile);
        return Path.Combine(Path.GetDirectoryName(policyFile) ?? "", (name.EndsWith(".policy", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(name) : name) + Extension);
    }

    /// <summary>Path of the constants that belong to a lock.</summary>
    public static string BinaryOf(string lockFile) => Path.ChangeExtension(lockFile, BinaryExtension);

    /// <summary>Whether a policy is locked.</summary>
    /// <param name="isRequired">Whether it has to be.</param>
    /// <exception cref="MixedPrecisionException">MPB8008: it has to be, and there is no lock.</exception>
    public static bool Exists(string policyFile, bool isRequired)
    {
        string path = PathOf(policyFile);
        return File.Exists(path) || (isRequired && File.Exists(policyFile) ? throw Errors.LockMissing(path, policyFile) : false);
    }

    /// <summary>Reads a lock; what it says is checked where it is used.</summary>
    /// <exception cref="MixedPrecisionException">MPB8009: it cannot be read, or is none. MPB8013: it was written by another version.</exception>
    public static PrecisionLock Read(string path)
    {
        byte[] text = Bounded(path);
        try
        {
            if (JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false }) is not JsonObject json)
            {
                throw new JsonException("it is no JSON object");
            }

            Require(json, "schema", PrecisionLock.CurrentSchema, path);
            JsonArray models = json["models"] as JsonArray is { Count: > 0 } some ? some : throw new JsonException("it holds no models");
            foreach (JsonNode? model in models)
            {
                Require((model as JsonObject)?["manifest"] as JsonObject ?? throw new JsonException("it holds a model without a manifest"), "schema", Manifest.CurrentSchema, path);
            }

            PrecisionLock found = ReportJson.Read<PrecisionLock>(json);
            return IsWhole(found) ? found : throw new JsonException("an interval is not of two numbers, or a hash not of 64 digits");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            throw Errors.LockInvalid(path, e.Message);
        }
    }

    /// <summary>Writes the files of a lock, each in place of what was there, that which names the other last; constants that it does not need any more go.</summary>
    /// <param name="binary">Path of the constants in their temporary place, or null.</param>
    /// <returns>Full paths.</returns>
    public static IReadOnlyList<string> Write(StagingFolder staging, string path, PrecisionLock made, string? binary)
    {
        string text = Path.Combine(staging.Folder, Path.GetFileName(path));
        File.WriteAllText(text, made.ToJson());
        IReadOnlyList<string> files = staging.Ship(binary is null ? [text] : [binary, text]);
        if (binary is null)
        {
            File.Delete(BinaryOf(path));
        }

        return files;
    }

    /// <summary>The constants of a lock, opened and checked against their hash.</summary>
    /// <exception cref="MixedPrecisionException">MPB8009: they are not those of the lock.</exception>
    public static FileStream? OpenBinary(string path, PrecisionLock found)
    {
        if (found.Constants is not { } wanted)
        {
            return null;
        }

        string binary = BinaryOf(path);
        try
        {
            var stream = new FileStream(binary, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            if (stream.Length == wanted.Bytes && Convert.ToHexStringLower(SHA256.HashData(stream)) == wanted.Sha256)
            {
                return stream;
            }

            stream.Dispose();
            throw Errors.LockInvalid(binary, $"it is not the file that belongs to '{Path.GetFileName(path)}', by its size or its SHA-256");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.LockInvalid(binary, $"'{Path.GetFileName(path)}' needs it, and it cannot be read ({e.Message.TrimEnd('.')})");
        }
    }

    private static byte[] Bounded(string path)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            if (stream.Length > LargestText)
            {
                throw Errors.LockInvalid(path, $"it is larger than {LargestText >> 20} MB");
            }

            byte[] text = new byte[stream.Length];
            stream.ReadExactly(text);
            return text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.LockInvalid(path, e.Message);
        }
    }

    private static void Require(JsonObject json, string property, int version, string path)
    {
        int found = json[property] is JsonValue stated && stated.TryGetValue(out int number) ? number : throw new JsonException($"it states no {property}");
        if (found != version)
        {
            throw Errors.LockOfOtherVersion(path, $"it is of {property} {found}, and this version of the tool reads {property} {version}");
        }
    }

    private static IEnumerable<IReadOnlyList<double>?> Intervals(Manifest manifest) =>
    [
        manifest.Predicted.Interval,
        manifest.Predicted.Gain.Interval,
        .. manifest.Measured.Scenarios.Select(s => s.SpeedupInterval),
        .. manifest.Subgraphs.Select(s => s.Gain.Interval),
        .. manifest.Compared.SelectMany(c => new[] { c.PredictedGain.Interval, c.MeasuredGain?.Interval }),
        .. (manifest.Tried ?? []).SelectMany(t => t.Configurations).Select(c => c.Gain?.Interval),
    ];

    private static bool IsWhole(PrecisionLock found) => found.Data.All(d => IsHash(d.Sha256)) && found.Models.All(IsWhole);

    private static bool IsWhole(LockedModel model) =>
        model.Layers.Select(l => l.Sha256).Append(model.Manifest.Output.Sha256).Append(model.Manifest.Model.Sha256).Append(model.Manifest.Profile?.Sha256 ?? model.Manifest.Model.Sha256).All(IsHash)
        && Intervals(model.Manifest).OfType<IReadOnlyList<double>>().All(i => i.Count == 2)
        && model.Manifest.Advice.All(a => a.Gain.Count == 3);

    private static bool IsHash(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigitLower);
}
