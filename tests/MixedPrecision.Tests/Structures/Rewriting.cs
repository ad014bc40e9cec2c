using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

using Structure = MixedPrecision.Structures.Structure;

/// <summary>Applies a structure to all sub-graphs of a model in which it is found.</summary>
internal static class Rewriting
{
    /// <summary>The matches by sub-graph.</summary>
    public static IReadOnlyList<(StructureSite Site, StructureMatch Match)> Find(OnnxModel model, Structure structure)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        var sites = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
        return [.. partition.Subgraphs.Select(s => new StructureSite(model, partition, s, types, sites))
            .Select(s => (s, structure.Match(s))).Where(m => m.Item2 is not null).Select(m => (m.s, m.Item2!))];
    }

    /// <summary>The model with the matches in place of its own nodes.</summary>
    public static ModelProto Apply(OnnxModel model, IEnumerable<StructureMatch> matches) =>
        Quantizer.Emit(model, [], _ => throw new InvalidOperationException("no layer is rewritten"), structures: [.. matches]).Model;

    /// <summary>Values inside of a model for some inputs.</summary>
    public static IReadOnlyDictionary<string, Tensor> Values(OnnxModel model, IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyList<string> names)
    {
        ModelProto probe = model.Proto.Clone();
        probe.Graph.Output.Clear();
        probe.Graph.Output.AddRange(names.Where(n => !inputs.ContainsKey(n)).Select(n => new ValueInfoProto { Name = n }));
        using Session session = Session.Create(probe, SessionSettings.Plain, model.Folder);
        var values = new Dictionary<string, Tensor>(inputs);
        foreach ((string name, Tensor value) in session.Run(inputs))
        {
            values[name] = value;
        }

        return values;
    }

    /// <summary>Holds results against those expected: ‖difference‖ / ‖expected‖ of each.</summary>
    public static void AssertEqual(IReadOnlyDictionary<string, Tensor> expected, IReadOnlyDictionary<string, Tensor> actual, double tolerance)
    {
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        foreach ((string name, Tensor value) in expected)
        {
            Assert.Equal(value.Shape, actual[name].Shape);
            float[] wanted = value.Values<float>().ToArray(), found = actual[name].Values<float>().ToArray();
            double size = Math.Sqrt(wanted.Sum(v => (double)v * v)), difference = Math.Sqrt(wanted.Zip(found).Sum(p => Math.Pow((double)p.First - p.Second, 2)));
            Assert.True(difference <= tolerance * size, $"{name} {value}: differs by {difference / size:e1}");
        }
    }
}
