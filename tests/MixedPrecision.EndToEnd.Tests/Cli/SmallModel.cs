using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>A folder with a small classifier, its data and a policy, and beside them a cache, a home and a temporary folder that are empty.</summary>
internal sealed class SmallModel : IDisposable
{
    private const int Width = 64;
    private const int Classes = 4;

    private readonly string root = Directory.CreateTempSubdirectory("mixed précision model ").FullName;

    public SmallModel()
    {
        foreach (string folder in new[] { Folder, Home, Temporary })
        {
            Directory.CreateDirectory(folder);
        }
        WriteModel();
        var random = new Random(2);
        File.WriteAllLines(this["calibration.jsonl"], Enumerable.Range(0, 8).Select(_ =>
            $$"""{"x": [[{{string.Join(',', Enumerable.Range(0, Width).Select(_ => (random.NextDouble() - 0.5).ToString("0.000", CultureInfo.InvariantCulture)))}}]], "label": [{{random.Next(Classes)}}]}"""));
        WritePolicy();
    }

    public string Folder => Path.Combine(root, "app");

    public string Cache => Path.Combine(root, "cache");

    /// <summary>Folders of the cache that hold a file, half-written or whole, but for locks and what opening a model takes.</summary>
    public IEnumerable<string> CachedStages => Directory.Exists(Cache)
        ? Directory.GetFiles(Cache, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Cache, f).Split(Path.DirectorySeparatorChar)[0]).Distinct().Except(["locks", "types"]) : [];

    public string Home => Path.Combine(root, "home");

    public string Temporary => Path.Combine(root, "temporary");

    public string Output => Path.Combine(root, "out");

    public string Policy => this["model.policy.yaml"];

    public string this[string file] => Path.Combine(Folder, file);

    /// <summary>Nothing of the user who runs the tests; no sockets of .NET's own debugging service either.</summary>
    public IReadOnlyList<(string Name, string? Value)> Environment =>
        [("HOME", Home), ("XDG_CACHE_HOME", null), ("TMPDIR", Temporary), ("DOTNET_EnableDiagnostics", "0")];

    public void WritePolicy(string more = "", string file = "model.policy.yaml") => File.WriteAllText(this[file], $$"""
        model: model.onnx
        budget: 1%
        calibration: { data: calibration.jsonl, loss: cross-entropy, labels: label }
        scenarios: [ { inputs: { batch: 16 } } ]
        runtime: { threads: 1 }
        {{more}}
        """);

    /// <summary>Runs the tool in this environment.</summary>
    public ProcessRun Tool(params string[] arguments) => ProcessRun.Dotnet(Folder, Environment, [.. Command(arguments)]);

    /// <summary>Arguments of <c>quantize</c> for this model.</summary>
    public string[] Quantize(string? policy = null, string? output = null) => ["quantize", policy ?? Policy, "--output", output ?? Output, "--cache", Cache];

    public static string[] Command(params string[] arguments) => ["exec", Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll"), .. arguments];

    public void Dispose() => Directory.Delete(root, recursive: true);

    /// <summary>x [batch, 64] → tanh(x·w₀) → ·w₁ → logits [batch, 4].</summary>
    private void WriteModel()
    {
        var graph = new GraphProto { Name = "classifier" };
        graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Width)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Classes)]).ToProto("logits"));
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string hidden = builder.Node("Tanh", [builder.Node("MatMul", ["x", builder.Constant(Random(1, Width, Width), "w")])]);
        builder.NodeTo(["logits"], "MatMul", "", [hidden, builder.Constant(Random(2, Width, Classes), "w")]);
        builder.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        File.WriteAllBytes(this["model.onnx"], model.ToByteArray());
    }

    private static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => ((float)random.NextDouble() - 0.5f) / 4)], shape);
    }
}
