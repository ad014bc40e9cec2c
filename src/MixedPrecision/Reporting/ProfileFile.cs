using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>A profile that was read.</summary>
/// <param name="File">File name.</param>
/// <param name="Sha256">SHA-256 of the file, in lower-case hexadecimal.</param>
/// <param name="Profile">What it holds.</param>
public sealed record ReadProfile(string File, string Sha256, Profile Profile);

/// <summary>Reads profiles, which come from other machines and are not trusted.</summary>
public static class ProfileFile
{
    /// <summary>Profiles of thousands of timings stay well below.</summary>
    private const int LargestFile = 64 << 20;

    /// <summary>More than any machine has.</summary>
    private const int MostCores = 1 << 20;

    /// <param name="path">Full path.</param>
    /// <param name="shown">The path as the user wrote it.</param>
    /// <param name="named">Where that is written.</param>
    /// <exception cref="MixedPrecisionException">MPB5005: it is not there, cannot be read, or is no profile of this schema.</exception>
    public static ReadProfile Read(string path, string shown, Place named)
    {
        byte[] text = Bounded(path, shown, named);
        try
        {
            if (JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false }) is not JsonObject json)
            {
                throw new JsonException("it is no JSON object");
            }

            int schema = json["schema"] is JsonValue stated && stated.TryGetValue(out int number) ? number : throw new JsonException("it states no schema");
            if (schema != Profile.CurrentSchema)
            {
                throw new JsonException($"it is of schema {schema}, and this version of the tool reads schema {Profile.CurrentSchema}");
            }

            Profile found = ReportJson.Read<Profile>(json);
            Check(found);
            return new ReadProfile(Path.GetFileName(path), Convert.ToHexStringLower(SHA256.HashData(text)), found);
        }
        catch (JsonException e)
        {
            throw Errors.ProfileInvalid(new Place(shown, e.LineNumber is long line ? (int)line + 1 : null, e.LineNumber is null ? null : (int?)e.BytePositionInLine + 1), e.Message);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            throw Errors.ProfileInvalid(new Place(shown), e.Message);
        }
    }

    private static byte[] Bounded(string path, string shown, Place named)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            if (stream.Length > LargestFile)
            {
                throw Errors.ProfileInvalid(new Place(shown), $"it is larger than {LargestFile >> 20} MB");
            }

            byte[] text = new byte[stream.Length];
            stream.ReadExactly(text);
            return text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.ProfileInvalid(named, File.Exists(path) ? $"{Wording.Quote(shown)} cannot be read ({e.Message.TrimEnd('.')})" : $"there is no file {Wording.Quote(shown)}");
        }
    }

    /// <summary>What the types do not tell.</summary>
    private static void Check(Profile found)
    {
        Machine machine = found.Machine;
        Require(machine.Cores is >= 1 and <= MostCores && machine.Threads is >= 0 and <= MostCores, "its machine has a number of cores or threads that none has");
        Require(machine.Options is null or { Count: > 0 }, "its machine has an empty list of options");
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (ProfiledSubgraph subgraph in found.Subgraphs)
        {
            foreach (ProfiledTiming own in subgraph.Timings)
            {
                string which = $"the timing {Wording.Quote(own.Key)} of sub-graph {Wording.Quote(subgraph.Fingerprint)}";
                CheckKey(own.Key, which);
                Require(own.Formats.Count == subgraph.Layers.Count, $"{which} has {own.Formats.Count} formats for {subgraph.Layers.Count} layers");
                Require(TimingSubject.Comparisons.Contains(own.Comparison), $"{which} compares {Wording.Quote(own.Comparison)}, which is none of {Wording.List([.. TimingSubject.Comparisons])}");
                Require(own.Timing is null != own.Unavailable is null, $"{which} needs either a timing or why there is none");
                Require(own.Timing is not { } timing || IsSound(timing), $"{which} has numbers that are no timing");
            }
        }

        foreach (ProfiledWhole own in found.Whole)
        {
            string which = $"the timing {Wording.Quote(own.Key)} of {Wording.Quote(own.Format)} in the whole model";
            CheckKey(own.Key, which);
            Require(own.Timing is { Share: <= 1, OriginalMilliseconds: > 0 } && double.IsFinite(own.Timing.Share) && double.IsFinite(own.Timing.OriginalMilliseconds), $"{which} has numbers that are no timing");
        }

        void CheckKey(string key, string which)
        {
            Require(key.Length == 64 && key.All(char.IsAsciiHexDigitLower), $"{which} has a key that is not of 64 digits");
            Require(keys.Add(key), $"{which} stands there twice");
        }
    }

    private static bool IsSound(BenchmarkedTiming timing) =>
        timing.GainInterval is [double low, double high]
        && new[] { timing.OriginalMilliseconds, timing.Milliseconds, timing.Gain, low, high, timing.Confidence }.All(double.IsFinite)
        && timing.OriginalMilliseconds > 0 && low <= high && timing.Confidence is >= 0 and <= 1 && timing.Pairs >= 0;

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new JsonException(otherwise);
        }
    }
}
