using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace MixedPrecision.Reporting;

/// <summary>
/// Reports as JSON: properties in the order of the records' declarations, in camel case, absent ones left out; numbers in the shortest
/// form that reads back to the same number; lines end in a line feed on every system.
/// </summary>
internal static class ReportJson
{
    private static readonly ReportJsonContext Context = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.Create(UnicodeRanges.All),
    });

    private static readonly JsonSerializerOptions Strict = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        TypeInfoResolver = ReportJsonContext.Default.WithAddedModifier(RequireWhatIsNotOptional),
    };

    public static string Write<T>(T report) => JsonSerializer.Serialize(report, (JsonTypeInfo<T>)Context.GetTypeInfo(typeof(T))!) + "\n";

    /// <summary>Reads what <see cref="Write"/> wrote; properties that this version does not know are passed over.</summary>
    /// <exception cref="JsonException">A property that is not optional is missing, a value is of another type, or there is a null: what is absent is left out, and in lists the reader would let it pass.</exception>
    public static T Read<T>(JsonNode json) => !HoldsNull(json) ? json.Deserialize((JsonTypeInfo<T>)Strict.GetTypeInfo(typeof(T)))! : throw new JsonException("It holds a null.");

    private static bool HoldsNull(JsonNode? node) => node switch
    {
        null => true,
        JsonObject members => members.Any(m => HoldsNull(m.Value)),
        JsonArray items => items.Any(HoldsNull),
        _ => false,
    };

    private static void RequireWhatIsNotOptional(JsonTypeInfo type)
    {
        foreach (JsonPropertyInfo property in type.Properties)
        {
            property.IsRequired = property.AssociatedParameter is { IsNullable: false, HasDefaultValue: false };
        }
    }
}

[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(InspectReport))]
[JsonSerializable(typeof(CalibrateReport))]
[JsonSerializable(typeof(BenchmarkReport))]
[JsonSerializable(typeof(SolveReport))]
[JsonSerializable(typeof(PrecisionLock))]
[JsonSerializable(typeof(Profile))]
[JsonSerializable(typeof(ValidateReport))]
[JsonSerializable(typeof(FrontierReport))]
[JsonSerializable(typeof(ExplainReport))]
[JsonSerializable(typeof(ManifestDiff))]
[JsonSerializable(typeof(PolicyDraft))]
[JsonSerializable(typeof(DataReport))]
[JsonSerializable(typeof(WrittenGradient))]
[JsonSerializable(typeof(WrittenPage))]
[JsonSerializable(typeof(CacheContents))]
[JsonSerializable(typeof(CacheChange))]
internal sealed partial class ReportJsonContext : JsonSerializerContext;
