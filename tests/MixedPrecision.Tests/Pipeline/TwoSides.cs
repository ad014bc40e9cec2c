using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>
/// A problem whose best plan depends on the scenario: left [m, 128] and right [n, 128] go through a layer each, which costs as much as there are rows, and their means through layers that are pinned. The budget
/// suffices for one of the two.
/// </summary>
internal static class TwoSides
{
    public const string Left = "model.Left-side.mixed.onnx";
    public const string Right = "model.right-side-2.mixed.onnx";
    public const string Data = "model.mixed.data";
    public const string Format = "int4-weight";

    private const int Width = 128;
    private const int Classes = 4;

    public const string Scenarios = """
        scenarios:
          - { name: "Left side", inputs: { m: 64, n: 1 } }
          - { name: "right: side/2", inputs: { m: 1, n: 64 }, weight: 2 }
        plans: per-scenario
        """;

    /// <summary>Writes model, data and policy, with a budget that suffices for one side.</summary>
    public static void Write(PipelineFolder folder)
    {
        WriteModel(folder);
        WriteData(folder);
        WritePolicy(folder, "1%");
        CalibrateReport report = Verbs.Calibrate(folder.PolicyFile, folder.Options());
        double LossOf(string layer) => report.Layers.Single(l => l.Name == layer).Formats.Where(f => f.Key.StartsWith(Format, StringComparison.Ordinal)).Sum(f => f.Value.Measured);
        double[] sides = [LossOf("left"), LossOf("right")];
        double tau = Math.Sqrt((sides.Max() + (sides.Min() / 2)) / report.MeanSquareLoss);
        WritePolicy(folder, string.Create(CultureInfo.InvariantCulture, $"{tau * 100:F6}%"));
    }

    public static void WritePolicy(PipelineFolder folder, string budget, string scenarios = Scenarios, string more = "objective: theoretical-time") => File.WriteAllText(folder.PolicyFile, $$"""
        model: model.onnx
        budget: {{budget}}
        calibration: { data: calibration.jsonl, loss: cross-entropy, labels: label }
        evaluation: { data: calibration.jsonl }
        formats: {{Format}}
        minimumGain: 0%
        layers: [ { match: common, format: fp32 }, { match: head, format: fp32 } ]
        runtime: { threads: 1 }
        {{scenarios}}
        {{more}}
        """);

    public static void WriteModel(PipelineFolder folder)
    {
        var graph = new GraphProto { Name = "sides" };
        foreach ((string side, string rows, int seed) in new[] { ("left", "m", 1), ("right", "n", 2) })
        {
            graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, rows), Dimension.Of(Width)]).ToProto(side));
            graph.Initializer.Add(Random(seed, Width, Width).ToProto($"{side}-w"));
            Add("MatMul", side, [side, $"{side}-w"]);
            Add("Tanh", $"{side}-tanh", [$"{side}-out"]);
            Add("ReduceMean", $"{side}-mean", [$"{side}-tanh-out"], Attributes.Of("axes", [0L]), Attributes.Of("keepdims", 1));
        }

        graph.Initializer.Add(Random(3, Width, Width).ToProto("common-w"));
        graph.Initializer.Add(Random(4, Width, Classes).ToProto("head-w"));
        Add("Add", "sum", ["left-mean-out", "right-mean-out"]);
        Add("MatMul", "common", ["sum-out", "common-w"]);
        Add("Tanh", "common-tanh", ["common-out"]);
        Add("MatMul", "head", ["common-tanh-out", "head-w"]);
        graph.Node[^1].Output[0] = "logits";
        graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(Classes)]).ToProto("logits"));
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        File.WriteAllBytes(folder["model.onnx"], model.ToByteArray());

        void Add(string operatorType, string name, string[] inputs, params AttributeProto[] attributes)
        {
            var node = new NodeProto { OpType = operatorType, Name = name, Output = { $"{name}-out" } };
            node.Input.AddRange(inputs);
            node.Attribute.AddRange(attributes);
            graph.Node.Add(node);
        }
    }

    private static void WriteData(PipelineFolder folder)
    {
        var random = new Random(5);
        File.WriteAllLines(folder["calibration.jsonl"], Enumerable.Range(0, 16).Select(_ => $$"""{"left": {{Rows()}}, "right": {{Rows()}}, "label": [{{random.Next(Classes)}}]}"""));

        string Rows() => $"[{string.Join(',', Enumerable.Range(0, 2).Select(_ => $"[{string.Join(',', Enumerable.Range(0, Width).Select(_ => (random.NextDouble() - 0.5).ToString("0.000", CultureInfo.InvariantCulture)))}]"))}]";
    }

    private static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => ((float)random.NextDouble() - 0.5f) / 3)], shape);
    }
}

/// <summary>The problem of <see cref="TwoSides"/>, solved and locked, so that tests which begin there take a copy of it.</summary>
public sealed class LockedTwoSides : IDisposable
{
    private readonly PipelineFolder folder = new();

    public LockedTwoSides()
    {
        TwoSides.Write(folder);
        Verbs.Lock(folder.PolicyFile, folder.Options());
    }

    /// <summary>A copy with its lock.</summary>
    internal PipelineFolder Locked() => new(folder);

    /// <summary>A copy without: what its cache has is known.</summary>
    internal PipelineFolder Solved()
    {
        PipelineFolder copy = Locked();
        File.Delete(copy["model.precision.lock.json"]);
        File.Delete(copy["model.precision.lock.bin"]);
        return copy;
    }

    public void Dispose() => folder.Dispose();
}
