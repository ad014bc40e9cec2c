using System.Text.Json;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>Fields of a JSON schema by their paths, <c>[]</c> for the elements of an array.</summary>
internal static class Schemas
{
    /// <summary>The policy's keys that take a value of their own: those of sections, and not the sections.</summary>
    public static IReadOnlyList<string> PolicyKeys()
    {
        IReadOnlyList<string> all = FieldsOf("build/policy.schema.json");
        return [.. all.Where(field => !all.Any(other => other.StartsWith(field + ".", StringComparison.Ordinal) || other.StartsWith(field + "[].", StringComparison.Ordinal)))];
    }

    /// <param name="longForms">Whether the keys of sections count that stand for what may also be said shortly.</param>
    public static IReadOnlyList<string> FieldsOf(string file, bool longForms = false)
    {
        using JsonDocument schema = JsonDocument.Parse(File.ReadAllText(Repository.Path(file)));
        return [.. Fields(schema.RootElement, schema.RootElement, "", longForms)];
    }

    private static IEnumerable<string> Fields(JsonElement root, JsonElement node, string prefix, bool longForms)
    {
        if (longForms && node.TryGetProperty("anyOf", out JsonElement alternatives))
        {
            return alternatives.EnumerateArray().Where(one => !one.TryGetProperty("items", out _)).SelectMany(one => Fields(root, one, prefix, longForms));
        }

        if (node.TryGetProperty("$ref", out JsonElement reference))
        {
            node = root.GetProperty("definitions").GetProperty(reference.GetString()!.Split('/')[^1]);
        }

        if (node.TryGetProperty("items", out JsonElement items))
        {
            return Fields(root, items, prefix.TrimEnd('.') + "[].", longForms);
        }

        return node.TryGetProperty("properties", out JsonElement properties)
            ? properties.EnumerateObject().SelectMany(property => Fields(root, property.Value, $"{prefix}{property.Name}.", longForms).Prepend(prefix + property.Name))
            : [];
    }
}
