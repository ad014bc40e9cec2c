using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>A temporary folder with a small classifier, its data, a policy and a cache; runs verbs and notes which stages worked.</summary>
internal sealed class PipelineFolder : IDisposable
{
    private const int Width = 64;
    private const int Classes = 4;
    private readonly string folder = Directory.CreateTempSubdirectory("mixed-precision-").FullName;

    public PipelineFolder()
    {
        WriteModel(weightSeed: 1);
        WriteData("calibration.jsonl", seed: 2, samples: 12);
        WriteData("evaluation.jsonl", seed: 3, samples: 20);
        WritePolicy("1%");
    }

    /// <summary>A copy of another one, with what is in its cache.</summary>
    public PipelineFolder(PipelineFolder other)
    {
        foreach (string file in Directory.EnumerateFiles(other.folder, "*", SearchOption.AllDirectories))
        {
            string copy = this[Path.GetRelativePath(other.folder, file)];
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    public string PolicyFile => this["model.policy.yaml"];

    /// <summary>What stages did in the last run, in order: "calibrate started", "solve reused" and so on.</summary>
    public List<string> Log { get; } = [];

    /// <summary>What a reader of the last run sees of stages, but for shares that are done: "calibrate: started" and so on.</summary>
    public List<string> Lines { get; } = [];

    public List<Diagnostic> Warnings { get; } = [];

    public string this[string file] => Path.Combine(folder, file);

    public RunOptions Options(CancellationToken? cancel = null)
    {
        Log.Clear();
        Lines.Clear();
        Warnings.Clear();
        return new RunOptions(
            this["cache"],
            null,
            update =>
            {
                if (update.Text is "started" or "reused")
                {
                    Log.Add($"{update.Stage} {update.Text}");
                }

                if (update is { IsPart: false, Fraction: null })
                {
                    Lines.Add($"{update.Stage}: {update.Text}");
                }
            },
            Warnings.Add,
            cancel ?? TestContext.Current.CancellationToken);
    }

    public QuantizeResult Quantize(string output = "out") => Verbs.Quantize(PolicyFile, this[output], Options());

    public void WritePolicy(string budget, string more = "") => File.WriteAllText(PolicyFile, $$"""
        model: model.onnx
        budget: {{budget}}
        calibration: { data: calibration.jsonl, loss: cross-entropy, labels: label, samples: 12 }
        evaluation: { data: evaluation.jsonl }
        scenarios: [ { inputs: { batch: 16 } } ]
        runtime: { threads: 1 }
        {{more}}
        """);

    /// <summary>x [batch, 64] → tanh(x·w₀) → tanh(·w₁) → ·w₂ → logits [batch, 4].</summary>
    /// <param name="isHalf">Whether it is a model of half precision.</param>
    /// <param name="hasUnique">Whether an operator without a gradient stands before the last layer.</param>
    /// <param name="isGated">Whether the layers before the last one are gated: tanh(x·w) ⊙ (x·v).</param>
    public void WriteModel(int weightSeed, float scale = 1, bool isHalf = false, bool hasUnique = false, bool isGated = false)
    {
        var graph = new GraphProto { Name = "classifier" };
        graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Width)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Classes)]).ToProto("logits"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string hidden = "x";
        for (int layer = 0; layer < 2; layer++)
        {
            string gate = b.Node("Tanh", [b.MatMul(hidden, b.Constant(Random(weightSeed + layer, scale / 8, Width, Width), "w"))]);
            hidden = isGated ? b.Mul(gate, b.MatMul(hidden, b.Constant(Random(weightSeed + layer + 20, scale, Width, Width), "v"))) : gate;
        }

        if (hasUnique)
        {
            // An operator without a gradient rule; what is unique, spread again, is what was there.
            b.Nodes.Add(new NodeProto { OpType = "Unique", Domain = "com.microsoft", Name = "unique", Input = { b.Vector(hidden) }, Output = { "values", "inverse", "counts" } });
            hidden = b.Reshape(b.Gather("values", "inverse", 0), b.Shape(hidden));
        }

        b.NodeTo(["logits"], "MatMul", "", [hidden, b.Constant(Random(weightSeed + 7, scale, Width, Classes), "w")]);
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        File.WriteAllBytes(this["model.onnx"], (isHalf ? HalfModels.Narrow(model) : model).ToByteArray());
    }

    /// <summary>x [batch, 64] as images of 8×8 → convolutions of 3×3 to 16 and 16 channels, each with Relu → mean over each channel → ·w → logits [batch, 4].</summary>
    /// <param name="factor">What convolutions are multiplied with, by an operator of its own; 1: there is none.</param>
    /// <param name="addend">What is added to them and subtracted again, likewise; 0: there is none.</param>
    public void WriteConvolutions(int weightSeed, float factor = 1, float addend = 0)
    {
        var graph = new GraphProto { Name = "convolutions" };
        graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Width)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Classes)]).ToProto("logits"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string hidden = b.Reshape("x", b.Integers(-1, 1, 8, 8));
        for (int layer = 0; layer < 2; layer++)
        {
            string w = b.Constant(Random(weightSeed + layer, layer == 0 ? 1 : 0.3f, 16, layer == 0 ? 1 : 16, 3, 3), "w"), c = b.Constant(Random(weightSeed + layer + 20, 0.1f, 16), "c");
            hidden = b.Node("Conv", [hidden, w, c], Attributes.Of("pads", [1L, 1, 1, 1]));
            hidden = factor == 1 ? hidden : b.Mul(b.Scalar(factor), hidden);
            hidden = addend == 0 ? hidden : b.Sub(b.Add(b.Scalar(addend), hidden), b.Scalar(addend));
            hidden = b.Node("Relu", [hidden]);
        }

        string pooled = b.Node("Flatten", [b.Node("GlobalAveragePool", [hidden])], Attributes.Of("axis", 1));
        b.NodeTo(["logits"], "MatMul", "", [pooled, b.Constant(Random(weightSeed + 7, 1, 16, Classes), "w")]);
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 14 });
        File.WriteAllBytes(this["model.onnx"], model.ToByteArray());
    }

    public void WriteData(string file, int seed, int samples)
    {
        var random = new Random(seed);
        File.WriteAllLines(this[file], Enumerable.Range(0, samples).Select(_ => string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"x": [[{{string.Join(',', Enumerable.Range(0, Width).Select(_ => (random.NextDouble() - 0.5).ToString("0.000", CultureInfo.InvariantCulture)))}}]], "label": [{{random.Next(Classes)}}]}""")));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static Tensor Random(int seed, float scale, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => ((float)random.NextDouble() - 0.5f) * 2 * scale)], shape);
    }
}
