using System.Text.Encodings.Web;
using System.Text.Json;
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

    public static string Write<T>(T report) => JsonSerializer.Serialize(report, (JsonTypeInfo<T>)Context.GetTypeInfo(typeof(T))!) + "\n";
}

[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(InspectReport))]
[JsonSerializable(typeof(CalibrateReport))]
[JsonSerializable(typeof(BenchmarkReport))]
[JsonSerializable(typeof(SolveReport))]
[JsonSerializable(typeof(ValidateReport))]
internal sealed partial class ReportJsonContext : JsonSerializerContext;
