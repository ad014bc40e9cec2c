using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace MixedPrecision.Tests.Reporting;

/// <summary>Holds a schema against the records whose JSON it describes.</summary>
internal static class DescribedRecords
{
    /// <summary>Every record that a document is made of has a definition of its name, with its properties, each described; and there is no other.</summary>
    /// <param name="document">The record of the document, which the schema itself describes.</param>
    public static void AreThoseOf(string schemaText, Type document)
    {
        JsonObject schema = JsonNode.Parse(schemaText)!.AsObject();
        var described = schema["definitions"]!.AsObject().ToDictionary(d => d.Key, d => d.Value!.AsObject());
        described.Add(Camel(document.Name), schema);
        foreach (Type record in Records(document, []))
        {
            JsonObject properties = described[Camel(record.Name)]["properties"]!.AsObject();
            Assert.Equal(
                record.GetConstructors().MaxBy(c => c.GetParameters().Length)!.GetParameters().Select(p => Camel(p.Name!)).Order(),
                properties.Select(p => p.Key).Order());
            Assert.All(properties, p => Assert.True(((string?)p.Value!["description"])?.Length > 5, $"{record.Name}.{p.Key} is not described"));
            described.Remove(Camel(record.Name));
        }

        Assert.Empty(described);
    }

    private static string Camel(string name) => char.ToLowerInvariant(name[0]) + name[1..];

    private static HashSet<Type> Records(Type type, HashSet<Type> found)
    {
        foreach (Type argument in type.GenericTypeArguments)
        {
            Records(argument, found);
        }

        // What has a converter is written as a text.
        if (type.Assembly == typeof(MixedPrecision.Reporting.Manifest).Assembly && type.GetCustomAttribute<JsonConverterAttribute>() is null && found.Add(type))
        {
            foreach (Type property in type.GetProperties().Where(p => p.Name != "EqualityContract").Select(p => p.PropertyType))
            {
                Records(property, found);
            }
        }

        return found;
    }
}
