using Google.Protobuf;
using MixedPrecision.Benchmarking;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Policies;
using NJsonSchema;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>The policy that <c>init</c> writes: it loads, fits the schema, and asks for data that the model takes.</summary>
public sealed class InitTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task AClassifierOfTextsGetsLabels()
    {
        (PolicyDraft draft, Policy policy) = await Init(Sample("DocArea"));
        Assert.Equal((LossKind.CrossEntropy, "label", "calibration.jsonl"), (policy.Calibration.Loss, policy.Calibration.Labels, policy.Calibration.Data));
        Assert.Contains("19 classes", draft.Why, StringComparison.Ordinal);
        Assert.Equal([("batch", 1L), ("sequence", 128L)], Assert.Single(policy.Scenarios).Inputs.Select(i => (i.Key, i.Value)));
        Assert.Equal("""{"input_ids": [[1, 2, 3, 4]], "attention_mask": [[1, 1, 1, 1]], "label": [0]}""", draft.Sample);
    }

    [Fact]
    public async Task ADecoderGetsNextTokens()
    {
        (PolicyDraft draft, Policy policy) = await Init(Sample("DocWriter"));
        Assert.Equal((LossKind.NextToken, null), (policy.Calibration.Loss, policy.Calibration.Labels));
        Assert.Equal("""{"input_ids": [[1, 2, 3, 4]]}""", draft.Sample);
    }

    /// <summary>x [batch, 3, 32, 32] → convolution → pooled → scores [batch, 10].</summary>
    [Theory]
    [InlineData("scores", LossKind.CrossEntropy)]
    [InlineData("embedding", LossKind.OutputMse)]
    public async Task AConvolutionalModelIsToldByItsOutputsName(string output, LossKind expected)
    {
        string model = Write(
            "conv net.onnx",
            [("pixels", Float("batch", 3, 32, 32))],
            [(output, Float("batch", 10))],
            b => b.NodeTo([output], "MatMul", "", [b.Node("Flatten", [b.Node("GlobalAveragePool", [b.Node("Conv", ["pixels", Weights(b, 8, 3, 3, 3)])])]), Weights(b, 8, 10)]));
        (PolicyDraft draft, Policy policy) = await Init(model);
        Assert.Equal((expected, expected == LossKind.CrossEntropy ? "label" : null), (policy.Calibration.Loss, policy.Calibration.Labels));
        Assert.Equal("conv net.onnx", policy.Model);
        Assert.True(draft.IsAbridged);
        Assert.InRange(draft.Sample.Length, 10, 200);
        Assert.Equal([("batch", 1L)], Assert.Single(policy.Scenarios).Inputs.Select(i => (i.Key, i.Value)));
    }

    /// <summary>Prompts and single tokens are timed apart, with sizes that agree, and caches are left out of the data.</summary>
    [Fact]
    public async Task ADecoderWithCachesGetsTwoScenarios()
    {
        string model = Write(
            "decoder.onnx",
            [
                ("input_ids", new TensorType(ElementType.Int64, [Symbol("batch_size"), Symbol("sequence_length")])),
                ("attention_mask", new TensorType(ElementType.Int64, [Symbol("batch_size"), Symbol("past_sequence_length + sequence_length")])),
                ("past_key_values.0.key", Float("batch_size", 2, "past_sequence_length", 4)),
            ],
            [("logits", new TensorType(ElementType.Float, [Symbol("batch_size"), Symbol("sequence_length"), Dimension.Of(16)]))],
            b => b.NodeTo(["logits"], "MatMul", "", [b.Node("Gather", [Weights(b, 16, 8), "input_ids"]), Weights(b, 8, 16)]));
        (PolicyDraft draft, Policy policy) = await Init(model);
        Assert.Equal(LossKind.NextToken, policy.Calibration.Loss);
        Assert.Equal(["prefill", "decode"], policy.Scenarios.Select(s => s.Name));
        Assert.Equal([(128L, 0L, 128L), (1L, 128L, 129L)], policy.Scenarios.Select(s =>
            (s.Inputs["sequence_length"], s.Inputs["past_sequence_length"], s.Inputs["past_sequence_length + sequence_length"])));
        Assert.DoesNotContain("past_key_values", draft.Sample, StringComparison.Ordinal);
    }

    /// <summary>Names in a graph may be anything: none of them breaks out of a comment or a key.</summary>
    [Fact]
    public async Task HostileNamesStandInQuotes()
    {
        string name = "a\"b: {x}\n# budget: 9%\nmodel: other", symbol = "1: [a, \"b\"] # c";
        string model = Write(
            "true.onnx",
            [(name, Float(symbol, "bad\nsymbol", 8))],
            [("logits\nmodel: other", Float(symbol, 4))],
            b => b.NodeTo(["logits\nmodel: other"], "MatMul", "", [b.Node("ReduceMean", [name], Attributes.Of("axes", new long[] { 1 }), Attributes.Of("keepdims", 0)), Weights(b, 8, 4)]));
        (PolicyDraft draft, Policy policy) = await Init(model);
        Assert.Equal(("true.onnx", "lossError: 1%"), (policy.Model, policy.Budget.ToString()));
        Assert.Equal([(symbol, 1L)], Assert.Single(policy.Scenarios).Inputs.Select(i => (i.Key, i.Value)));
        Assert.All(draft.ToLines(), line => Assert.DoesNotContain(line, char.IsControl));
    }

    [Fact]
    public void APolicyIsNeverReplaced()
    {
        string model = Copy(Sample("DocWriter"));
        File.WriteAllText(folder.Combine("model.policy.yaml"), "mine");
        Assert.Equal((Codes.PolicyExists, folder.Combine("model.policy.yaml")), Assert.Throws<MixedPrecisionException>(() => Verbs.Init(model, null, Options())).Diagnostic is var found ? (found.Code, found.Place.File) : default);
        Assert.Equal("mine", File.ReadAllText(folder.Combine("model.policy.yaml")));
        Assert.False(File.Exists(folder.Combine("policy.schema.json")));
    }

    /// <summary>A policy in a folder of its own names the model from there, and a schema that is there already stays.</summary>
    [Fact]
    public async Task APolicyElsewhereNamesTheModelFromThere()
    {
        string model = Copy(Sample("DocWriter"));
        Directory.CreateDirectory(folder.Combine("policies"));
        File.WriteAllText(folder.Combine("policies", "policy.schema.json"), "{}");
        (_, Policy policy) = await Init(model, folder.Combine("policies", "small.yaml"));
        Assert.Equal("../model.onnx", policy.Model);
        Assert.Equal(model, policy.Resolve(policy.Model));
        Assert.Equal("{}", File.ReadAllText(folder.Combine("policies", "policy.schema.json")));
    }

    [Fact]
    public void AModelThatCannotBeReadLeavesNothing()
    {
        File.WriteAllText(folder.Combine("model.onnx"), "no model");
        Assert.StartsWith("MPB2", Assert.Throws<MixedPrecisionException>(() => Verbs.Init(folder.Combine("model.onnx"), null, Options())).Diagnostic.Code.Id, StringComparison.Ordinal);
        Assert.Equal([folder.Combine("model.onnx")], Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public async Task EveryModelInTheSharedFolderGetsAPolicyThatLoads()
    {
        string[] models = [.. Directory.EnumerateFiles(Path.GetDirectoryName(SharedFolder.Path("models"))!, "*.onnx", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        Assert.NotEmpty(models);
        for (int i = 0; i < models.Length; i++)
        {
            await Init(models[i], folder.Combine($"{i}", "model.policy.yaml"));
        }
    }

    private static string Sample(string name) => RepositoryRoot.Path($"samples/{name}/model.onnx");

    private static RunOptions Options() => new(null, null, _ => { }, _ => { }, TestContext.Current.CancellationToken);

    private static Dimension Symbol(string name) => new(null, name);

    private static TensorType Float(params object[] shape) =>
        new(ElementType.Float, [.. shape.Select(d => d is string symbol ? Symbol(symbol) : Dimension.Of((int)d))]);

    private static string Weights(GraphBuilder builder, params long[] shape) => builder.Constant(Tensor.Of<float>(new float[Tensor.ElementCount(shape)], shape), "w");

    private string Copy(string model)
    {
        string copy = folder.Combine("model.onnx");
        File.Copy(model, copy, overwrite: true);
        return copy;
    }

    private string Write(string file, (string Name, TensorType Type)[] inputs, (string Name, TensorType Type)[] outputs, Action<GraphBuilder> nodes)
    {
        var graph = new GraphProto { Name = "main" };
        graph.Input.Add(inputs.Select(i => i.Type.ToProto(i.Name)));
        graph.Output.Add(outputs.Select(o => o.Type.ToProto(o.Name)));
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        nodes(builder);
        builder.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        File.WriteAllBytes(folder.Combine(file), model.ToByteArray());
        return folder.Combine(file);
    }

    /// <summary>Writes the policy, and checks what holds for each: it loads, the schema takes it, the line of data is what the model takes, and the scenarios name dimensions of the model.</summary>
    private async Task<(PolicyDraft Draft, Policy Policy)> Init(string model, string? policyFile = null)
    {
        PolicyDraft draft = Verbs.Init(model.StartsWith(folder.Path, StringComparison.Ordinal) || policyFile is not null ? model : Copy(model), policyFile, Options());
        string text = File.ReadAllText(draft.Policy);
        Assert.StartsWith("# yaml-language-server: $schema=policy.schema.json\n", text, StringComparison.Ordinal);
        Assert.True(File.Exists(draft.Schema));
        Assert.Equal(Path.GetDirectoryName(draft.Policy), Path.GetDirectoryName(draft.Schema));
        JsonSchema schema = await JsonSchema.FromJsonAsync(await File.ReadAllTextAsync(RepositoryRoot.Path("build/policy.schema.json"), TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        Assert.Empty(schema.Validate(PolicySchemaTests.Json(YamlReader.Parse(draft.Policy, text)!)!.ToJsonString()));
        Policy policy = Policy.Load(draft.Policy);
        Assert.Equal(Path.GetFullPath(model.StartsWith(folder.Path, StringComparison.Ordinal) || policyFile is not null ? model : folder.Combine("model.onnx")), policy.Resolve(policy.Model));

        if (!draft.IsAbridged)
        {
            using OnnxModel loaded = OnnxModel.Load(policy.Resolve(policy.Model));
            string data = policy.Resolve(policy.Calibration.Data!);
            await File.WriteAllTextAsync(data, draft.Sample + "\n", TestContext.Current.CancellationToken);
            Sample sample = Assert.Single(SampleReader.Read(data, data, [.. loaded.Inputs.Select(InputDeclaration.Of)], policy.Calibration.Labels, null));
            Assert.Equal(policy.Calibration.Labels is not null, sample.Label is not null);
            Assert.Equal(Math.Max(1, policy.Scenarios.Count), Scenarios.Make(loaded, policy.Scenarios, [sample.Inputs]).Count);
        }

        return (draft, policy);
    }
}
