using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Losses;

/// <summary>Models whose outputs are their inputs or little more, so that a test chooses what a loss reads.</summary>
internal static class LossModels
{
    public static readonly Place PolicyPlace = new("policy.yaml");

    /// <param name="outputs">By output, its shape: symbols or sizes.</param>
    /// <param name="end">What makes the output of the input; Identity by default.</param>
    /// <param name="inputs">Further inputs, which nothing reads.</param>
    public static OnnxModel Of(IReadOnlyDictionary<string, string[]> outputs, Func<GraphBuilder, string, string>? end = null, params (string Name, int Type, int Rank)[] inputs)
    {
        var graph = new GraphProto { Name = "loss test" };
        var builder = new GraphBuilder([.. outputs.Keys, .. outputs.Keys.Select(o => o + ".in"), .. inputs.Select(i => i.Name)]);
        foreach ((string output, string[] shape) in outputs)
        {
            Dimension[] dimensions = [.. shape.Select(d => long.TryParse(d, out long size) ? Dimension.Of(size) : new Dimension(null, d))];
            graph.Input.Add(new TensorType(ElementType.Float, dimensions).ToProto(output + ".in"));
            graph.Output.Add(new ValueInfoProto { Name = output });
            builder.NodeTo([output], "Identity", "", [end is null ? output + ".in" : end(builder, output + ".in")]);
        }

        foreach ((string name, int type, int rank) in inputs)
        {
            graph.Input.Add(new TensorType(type, [.. Enumerable.Range(0, rank).Select(a => new Dimension(null, $"{name}{a}"))]).ToProto(name));
        }

        builder.AppendTo(graph);
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        return new OnnxModel(proto, "", "test");
    }

    /// <summary>A loss on such a model.</summary>
    public static LossFunction Loss(OnnxModel model, CalibrationPolicy policy, params string[] keys) =>
        LossFunction.Create(model, TypeInference.Infer(model), policy, "policy.yaml", keys);

    public static CalibrationPolicy Policy(params LossPolicy[] losses) => new(null, null, null, 1, null) { Losses = losses };

    public static Sample Sample(Tensor? label = null, IReadOnlyDictionary<string, Tensor>? inputs = null, params (string Name, Tensor Value)[] fields) =>
        new("data.jsonl:3", inputs ?? new Dictionary<string, Tensor>(), label) { Fields = fields.ToDictionary(f => f.Name, f => f.Value) };

    public static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        float[] values = [.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (random.NextSingle() * 4) - 2)];
        return Tensor.Of<float>(values, shape);
    }

    /// <summary>A tensor with its last axis made probabilities by the function.</summary>
    public static Tensor Map(Tensor scores, Func<float[], IEnumerable<double>> row)
    {
        int classes = (int)scores.Shape[^1];
        float[] values = [.. scores.Values<float>().ToArray().Chunk(classes).SelectMany(row).Select(v => (float)v)];
        return Tensor.Of<float>(values, scores.Shape);
    }

    public static IEnumerable<double> Softmax(float[] row)
    {
        double sum = row.Sum(v => Math.Exp(v));
        return row.Select(v => Math.Exp(v) / sum);
    }
}
