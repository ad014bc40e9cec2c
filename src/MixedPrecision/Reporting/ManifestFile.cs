using System.Text.Json;
using System.Text.Json.Nodes;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>Reads manifests, also those of before and of strangers.</summary>
public static class ManifestFile
{
    /// <summary>Of the file beside the model: model.mixed.precision.json.</summary>
    public const string Extension = ".precision.json";

    /// <summary>What this schema did not have from the start, and what a manifest without it means.</summary>
    private static readonly (string Property, string Value)[] Later =
    [
        ("policy", "\"\""), ("excluded", "[]"), ("strategies", "[]"), ("attempts", "[]"), ("compared", "[]"), ("advice", "[]"), ("reasons", "[]"), ("warnings", "[]"),
    ];

    /// <exception cref="MixedPrecisionException">MPB8007: the file cannot be read, or is no manifest of this schema.</exception>
    public static Manifest Read(string file)
    {
        try
        {
            return Parse(File.ReadAllText(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.FileUnusable(new Place(file), e.Message);
        }
        catch (JsonException e)
        {
            throw Errors.ManifestInvalid(file, e.Message);
        }
    }

    /// <summary>Reads one whose every interval is shown, also where the other reader would do without.</summary>
    /// <exception cref="MixedPrecisionException">MPB8007: the file cannot be read, is no manifest of this schema, or has an interval without two ends.</exception>
    public static Manifest ReadToShow(string file)
    {
        Manifest manifest = Read(file);
        return manifest.Measured.Scenarios.All(s => s.SpeedupInterval.Count == 2)
            && manifest.Compared.All(c => c.MeasuredGain is not { Interval.Count: not 2 })
            && manifest.Advice.All(a => a.Gain.Count == 3) ? manifest : throw Errors.ManifestInvalid(file, "It has an interval without two ends.");
    }

    /// <exception cref="JsonException">The text is no manifest of this schema.</exception>
    internal static Manifest Parse(string json)
    {
        if (JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false }) is not JsonObject manifest)
        {
            throw new JsonException("It is no JSON object.");
        }

        if (manifest["schema"] is not JsonValue stated || !stated.TryGetValue(out int schema))
        {
            throw new JsonException("It states no schema.");
        }

        if (schema != Manifest.CurrentSchema)
        {
            throw new JsonException($"It is of schema {schema}, and this version reads schema {Manifest.CurrentSchema}.");
        }

        foreach ((string property, string value) in Later)
        {
            manifest.TryAdd(property, JsonNode.Parse(value));
        }

        foreach (JsonObject subgraph in (manifest["subgraphs"] as JsonArray)?.OfType<JsonObject>() ?? [])
        {
            subgraph.TryAdd("structure", "exported");
        }

        return ReportJson.Read<Manifest>(manifest);
    }
}
