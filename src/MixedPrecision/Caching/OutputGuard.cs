using System.Text.Json;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Caching;

/// <summary>Refuses to write over what is not the run's own, before anything is computed.</summary>
public static class OutputGuard
{
    /// <summary>Files that a run writes must be none of those that it reads, under whichever name.</summary>
    /// <param name="targets">Full paths of the files to be written.</param>
    /// <param name="inputs">Full paths of the files that are read: policy, model, its external data, samples.</param>
    /// <exception cref="MixedPrecisionException">MPB8005: a target is an input; MPB8004: a target is a folder.</exception>
    public static void Check(IEnumerable<string> targets, IEnumerable<string> inputs)
    {
        (string Path, string Identity)[] existing = [.. targets.Select(t => (t, FileIdentity.Of(t))).Where(t => t.Item2 is not null)!];
        if (existing.Length == 0)
        {
            return;
        }

        foreach (string folder in existing.Select(t => t.Path).Where(Directory.Exists))
        {
            throw Errors.OutputNotWritable(folder, "a folder stands where the file has to go.");
        }

        ILookup<string?, string> read = inputs.Distinct().ToLookup(FileIdentity.Of);
        foreach ((string path, string identity) in existing)
        {
            if (read[identity].FirstOrDefault() is string input)
            {
                throw Errors.OutputIsInput(path, input);
            }
        }
    }

    /// <summary>
    /// A manifest that stands where this run's will go has to be of the same policy, by the name of its file. What the policy says may have changed
    /// meanwhile, and the model too: they replace what they emitted before.
    /// </summary>
    /// <param name="manifest">Full path of the manifest to be written.</param>
    /// <param name="policy">File name of the policy, as manifests state it.</param>
    /// <param name="model">The original model, as manifests state it.</param>
    /// <exception cref="MixedPrecisionException">MPB8005: the manifest is another policy's.</exception>
    public static void CheckOwner(string manifest, string policy, string model)
    {
        if (!File.Exists(manifest))
        {
            return;
        }

        (string? Policy, string? Model) owner;
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(manifest));
            owner = (Text(document.RootElement, "policy"), Member(document.RootElement, "model") is { } m ? Text(m, "file") : null);
        }
        catch (JsonException)
        {
            // Cut short or no manifest at all: it names no owner.
            return;
        }

        // Manifests of before did not state the policy.
        (string? Found, string Own) names = owner.Policy is null ? (owner.Model, model) : (owner.Policy, policy);
        if (names.Found is not null && names.Found != names.Own)
        {
            throw Errors.OutputOfAnother(manifest, names.Found, names.Own);
        }
    }

    private static string? Text(JsonElement element, string name) =>
        Member(element, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private static JsonElement? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement member) ? member : null;
}
