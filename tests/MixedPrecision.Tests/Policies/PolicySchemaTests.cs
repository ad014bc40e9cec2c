using System.Globalization;
using System.Text.Json.Nodes;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;
using NJsonSchema;

namespace MixedPrecision.Tests.Policies;

/// <summary>build/policy.schema.json, which editors use, and the reader's table of keys say the same.</summary>
public class PolicySchemaTests
{
    private static readonly string SchemaText = File.ReadAllText(RepositoryRoot.Path("build/policy.schema.json"));
    private static readonly JsonNode Schema = JsonNode.Parse(SchemaText)!;

    [Fact]
    public void Every_key_name_and_limit_stands_in_both() => AssertSame("policy", PolicyKeys.Root.Shape, Schema);

    [Theory]
    [InlineData("model: m.onnx", true)]
    [InlineData("model: m.onnx\nbudget: 1%\ncalibration: { data: c.jsonl, loss: cross-entropy, labels: label }", true)]
    [InlineData("model: m.onnx\nbudget: 0.01\noutput: o.onnx\nevaluation: { data: e.jsonl, samples: 3 }\nobjective: memory", true)]
    [InlineData("model: m.onnx\nformats: [ int8-dynamic, cpu ]\nlayers: [ { match: \"*\", format: fp32 } ]\nruntime: { provider: cpu, threads: 2 }", true)]
    [InlineData("model: m.onnx\nscenarios: [ { name: a, inputs: { batch: 8 }, weight: 0.5 }, { inputs: {} } ]", true)]
    [InlineData("model: m.onnx\nscenarios: []\nlayers: []\ncalibration: {}\nruntime: {}", true)]
    [InlineData("model: m.onnx\nbudget: 100%", true)]
    [InlineData("model: m.onnx\nbudget: { lossError: 1%, lossIncrease: 0, accuracyDrop: 0.5%, agreement: 99.5%, size: 40 MB }", true)]
    [InlineData("model: m.onnx\nbudget: { agreement: 0.995, size: 60% }", true)]
    [InlineData("model: m.onnx\nbudget: { agreement: 99.5 }", false)]
    [InlineData("model: m.onnx\nbudget: { size: 40 }", false)]
    [InlineData("model: m.onnx\nbudget: { size: 40 Mb }", false)]
    [InlineData("model: m.onnx\nlayers: [ { match: a, not: int4-weight }, { match: b, not: [ \"int4-weight(block=16)\", { int8-weight: { block: 64 } } ], atLeast: bf16 }, { match: c, sharedFormat: true } ]", true)]
    [InlineData("model: m.onnx\nlayers: [ { match: a } ]", false)]
    [InlineData("model: m.onnx\nlayers: [ { match: a, not: [] } ]", false)]
    [InlineData("model: m.onnx\nlayers: [ { match: a, not: cpu } ]", false)]
    [InlineData("model: m.onnx\nlayers: [ { match: a, atLeast: \"int4-weight(block=16)\" } ]", false)]
    [InlineData("model: m.onnx\ndefaults: keep", true)]
    [InlineData("model: m.onnx\ndefaults: constant", false)]
    [InlineData("model: m.onnx\ndefaults: true", false)]
    [InlineData("model: m.onnx\nbudget: 00.50 %", true)]
    [InlineData("model: m.onnx\ncalibration: { loss: { kind: graph, file: l.onnx, weight: 0.5 }, mask: attention_mask, ignoreLabel: -7 }", true)]
    [InlineData("model: m.onnx\ncalibration: { loss: [ output-mse, { kind: cross-entropy, output: a, labels: b, mask: c, ignoreLabel: 0 } ] }", true)]
    [InlineData("model: m.onnx\ncalibration: { loss: [] }", false)]
    [InlineData("model: m.onnx\ncalibration: { loss: [ 1 ] }", false)]
    [InlineData("model: m.onnx\ncalibration: { loss: 1 }", false)]
    [InlineData("model: m.onnx\ncalibration: { loss: { output: a } }", false)]
    [InlineData("model: m.onnx\ncalibration: { loss: { kind: output-mse, weight: -1 } }", false)]
    [InlineData("model: m.onnx\ncalibration: { ignoreLabel: none }", false)]
    [InlineData("model: m.onnx\ncalibration: { data: i, images: { resize: 256, crop: [224, 224], scale: 1/255, mean: [0.485, 0.456, 0.406], deviation: 0.5, channels: bgr, layout: nhwc, labels: l.json } }", true)]
    [InlineData("model: m.onnx\ncalibration: { data: i, images: { scale: 0.5, mean: 1 } }", true)]
    [InlineData("model: m.onnx\ncalibration: { data: t.txt, text: { tokenizer: vocab.txt, maxLength: 128, padding: max, case: keep } }", true)]
    [InlineData("model: m.onnx\ncalibration: { images: { resize: 0 } }", false)]
    [InlineData("model: m.onnx\ncalibration: { images: { crop: [1, 2, 3] } }", false)]
    [InlineData("model: m.onnx\ncalibration: { images: { scale: 0 } }", false)]
    [InlineData("model: m.onnx\ncalibration: { images: { scale: 1/0 } }", false)]
    [InlineData("model: m.onnx\ncalibration: { images: { deviation: [0.2, 0] } }", false)]
    [InlineData("model: m.onnx\ncalibration: { images: { mean: [] } }", false)]
    [InlineData("model: m.onnx\ncalibration: { images: { channels: gray } }", false)]
    [InlineData("model: m.onnx\ncalibration: { text: { maxLength: 128 } }", false)]
    [InlineData("model: m.onnx\ncalibration: { text: { tokenizer: t.json, padding: true } }", false)]
    [InlineData("model: m.onnx\nbudget: { lossError: 1% }", true)]
    [InlineData("model: m.onnx\nbudget: { lossIncrease: 0 }", true)]
    [InlineData("model: m.onnx\nbudget: { accuracyDrop: 0% }", true)]
    [InlineData("model: m.onnx\nbudget: {}", false)]
    [InlineData("model: m.onnx\nbudget: { lossError: 0% }", false)]
    [InlineData("model: m.onnx\nbudget: { accuracyDrop: 1 }", false)]
    [InlineData("budget: 1%", false)]
    [InlineData("model:", false)]
    [InlineData("model: 5", false)]
    [InlineData("model: ''", false)]
    [InlineData("model: \"a\\0\"", false)]
    [InlineData("- model", false)]
    [InlineData("model: m.onnx\nbudgt: 1%", false)]
    [InlineData("model: m.onnx\nbudget: 1", false)]
    [InlineData("model: m.onnx\nbudget: 0.5", false)]
    [InlineData("model: m.onnx\nbudget: { accuracyDrop: 0.5 }", false)]
    [InlineData("model: m.onnx\nbudget: 0.09", true)]
    [InlineData("model: m.onnx\nbudget: 0", false)]
    [InlineData("model: m.onnx\nbudget: 0.0%", false)]
    [InlineData("model: m.onnx\nbudget: 100.1%", false)]
    [InlineData("model: m.onnx\nbudget: 1000%", false)]
    [InlineData("model: m.onnx\nbudget: -1%", false)]
    [InlineData("model: m.onnx\nbudget: true", false)]
    [InlineData("model: m.onnx\nbudget: '%'", false)]
    [InlineData("model: m.onnx\noutput: a/b.onnx", false)]
    [InlineData("model: m.onnx\noutput: .onnx", false)]
    [InlineData("model: m.onnx\ncalibration: { loss: huber }", false)]
    [InlineData("model: m.onnx\ncalibration: { samples: 0 }", false)]
    [InlineData("model: m.onnx\ncalibration: { samples: 2147483648 }", false)]
    [InlineData("model: m.onnx\ncalibration: { samples: 1.5 }", false)]
    [InlineData("model: m.onnx\ncalibration: { samples: '5' }", false)]
    [InlineData("model: m.onnx\ncalibration: { labels: '' }", false)]
    [InlineData("model: m.onnx\ncalibration: []", false)]
    [InlineData("model: m.onnx\nevaluation: {}", false)]
    [InlineData("model: m.onnx\nformats: []", false)]
    [InlineData("model: m.onnx\nformats: [ fp64 ]", false)]
    [InlineData("model: m.onnx\nformats: { cpu: true }", false)]
    [InlineData("model: m.onnx\nformats: { int4-weight: { block: 128, grid: symmetric } }", true)]
    [InlineData("model: m.onnx\nformats: [ \"int4-weight(block=128, symmetric)\", int8-dynamic(products), { int8-weight: {} } ]", true)]
    [InlineData("model: m.onnx\nformats: [ \"int4-weight(block=128)\" ]\nlayers: [ { match: a, format: { int4-weight: { block: 128 } } } ]", true)]
    [InlineData("model: m.onnx\nformats: [ int4-weight(block=12) ]", false)]
    [InlineData("model: m.onnx\nformats: [ int4-weight(block=16,symmetric) ]", false)]
    [InlineData("model: m.onnx\nformats: int4-weight()", false)]
    [InlineData("model: m.onnx\nformats: fp32(block=16)", false)]
    [InlineData("model: m.onnx\nformats: { int4-weight: { block: 12 } }", false)]
    [InlineData("model: m.onnx\nformats: { int4-weight: { block: '16' } }", false)]
    [InlineData("model: m.onnx\nformats: { int4-weight: {}, int8-weight: {} }", false)]
    [InlineData("model: m.onnx\nformats: {}", false)]
    [InlineData("model: m.onnx\nobjective: [ time ]", false)]
    [InlineData("model: m.onnx\nminimumGain: 0", true)]
    [InlineData("model: m.onnx\nminimumGain: 2.5%", true)]
    [InlineData("model: m.onnx\nminimumGain: 1", false)]
    [InlineData("model: m.onnx\nminimumGain: -1%", false)]
    [InlineData("model: m.onnx\nscenarios: [ { weight: 1 } ]", false)]
    [InlineData("model: m.onnx\nscenarios: [ { inputs: { past_sequence_length: 0 } } ]", true)]
    [InlineData("model: m.onnx\nscenarios: [ { inputs: { batch: -1 } } ]", false)]
    [InlineData("model: m.onnx\nscenarios: [ { inputs: { batch: one } } ]", false)]
    [InlineData("model: m.onnx\nscenarios: [ { inputs: {}, weight: -1 } ]", false)]
    [InlineData("model: m.onnx\nplans: one", true)]
    [InlineData("model: m.onnx\nplans: per-scenario\nscenarios: [ { inputs: {} } ]", true)]
    [InlineData("model: m.onnx\nplans: perScenario", false)]
    [InlineData("model: m.onnx\nplans: 2", false)]
    [InlineData("model: m.onnx\nlayers: [ { match: a, format: cpu } ]", false)]
    [InlineData("model: m.onnx\nlayers: [ { format: fp32 } ]", false)]
    [InlineData("model: m.onnx\nruntime: { threads: -1 }", false)]
    [InlineData("model: m.onnx\nruntime: { threads: 1025 }", false)]
    [InlineData("model: m.onnx\nruntime: { provider: cuda }", false)]
    [InlineData("model: m.onnx\nruntime: { spinning: false, geluApproximation: true, freeDimensions: false }", true)]
    [InlineData("model: m.onnx\nruntime: { spinning: 'no' }", false)]
    public async Task Both_judge_a_policy_alike(string text, bool valid)
    {
        JsonSchema schema = await JsonSchema.FromJsonAsync(SchemaText);
        YamlNode document = YamlReader.Parse("p.yaml", text)!;

        Assert.Equal(valid, schema.Validate(Json(document)?.ToJsonString() ?? "null").Count == 0);
        Assert.Equal(valid, Record.Exception(() => PolicyTests.Read(text)) is not MixedPrecisionException);
    }

    private static void AssertSame(string path, ValueShape shape, JsonNode schema)
    {
        schema = Resolved(schema);
        JsonNode[] alternatives = [.. Alternatives(schema)];
        AssertSet(path, shape.Types, alternatives.Select(item => item["type"]!.GetValue<string>()).Distinct());
        foreach (JsonNode alternative in alternatives)
        {
            switch (alternative["type"]!.GetValue<string>())
            {
                case "string" when shape.Pattern is not null && alternative["enum"] is null:
                    Assert.Equal((path, shape.Pattern), (path, alternative["pattern"]?.GetValue<string>()));
                    break;
                case "string" or "integer" when shape.Names.Count > 0 || alternative["enum"] is not null:
                    AssertSet(path, shape.Names, alternative["enum"] is JsonArray names ? names.Select(name => name!.ToString()) : []);
                    break;
                case "string":
                    break;
                case "array":
                    AssertSame(path + "[]", shape.Items!, alternative["items"]!);
                    break;
                case "object" when shape.Values is { } values:
                    AssertSame(path + ".*", values, alternative["additionalProperties"]!);
                    break;
                case "object":
                    AssertSection(path, shape.Keys, alternative);
                    break;
                default:
                    Assert.Equal((path, shape.Minimum, shape.Maximum), (path, alternative["minimum"]?.GetValue<double>(), alternative["maximum"]?.GetValue<double>()));
                    break;
            }
        }
    }

    private static IEnumerable<JsonNode> Alternatives(JsonNode schema) =>
        Resolved(schema) is var resolved && resolved["anyOf"] is JsonArray anyOf ? anyOf.SelectMany(item => Alternatives(item!)) : [resolved];

    private static void AssertSection(string path, IReadOnlyList<KeyShape> keys, JsonNode schema)
    {
        Assert.False(schema["additionalProperties"]!.GetValue<bool>(), path);
        JsonObject properties = schema["properties"]!.AsObject();
        AssertSet(path, keys.Select(key => key.Name), properties.Select(property => property.Key));
        AssertSet(path, keys.Where(key => key.Required).Select(key => key.Name), schema["required"] is JsonArray required ? required.Select(name => name!.GetValue<string>()) : []);
        foreach (KeyShape key in keys)
        {
            Assert.False(string.IsNullOrWhiteSpace(properties[key.Name]!["description"]?.GetValue<string>()), $"{path}.{key.Name} has no description");
            AssertSame($"{path}.{key.Name}", key.Value, properties[key.Name]!);
        }
    }

    private static void AssertSet(string path, IEnumerable<string> reader, IEnumerable<string> schema) => Assert.Equal(
        $"{path}: {string.Join(", ", reader.Order(StringComparer.Ordinal))}", $"{path}: {string.Join(", ", schema.Order(StringComparer.Ordinal))}");

    private static JsonNode Resolved(JsonNode schema) => schema["$ref"] is { } reference
        ? Schema["definitions"]![reference.GetValue<string>()["#/definitions/".Length..]]!
        : schema;

    /// <summary>The document as an editor's JSON schema validator sees it.</summary>
    internal static JsonNode? Json(YamlNode node) => node switch
    {
        YamlList list => new JsonArray([.. list.Items.Select(Json)]),
        YamlMapping mapping => new JsonObject(mapping.Entries.Select(entry => KeyValuePair.Create(entry.Name, Json(entry.Value)))),
        YamlScalar { Type: ScalarType.Nothing } => null,
        YamlScalar { Type: ScalarType.Boolean } scalar => JsonValue.Create(bool.Parse(scalar.Text)),
        YamlScalar { Type: ScalarType.Integer } scalar => JsonValue.Create(long.Parse(scalar.Text, CultureInfo.InvariantCulture)),
        YamlScalar { Type: ScalarType.Number } scalar => JsonValue.Create(double.Parse(scalar.Text, CultureInfo.InvariantCulture)),
        _ => JsonValue.Create(((YamlScalar)node).Text),
    };
}
