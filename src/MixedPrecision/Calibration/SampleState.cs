using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>One sample on its way: values that cross cuts, and gradients that are not used up. Names are those of the model.</summary>
internal sealed class SampleState(int number, IReadOnlyDictionary<string, Tensor> inputs) : IDisposable
{
    private readonly Dictionary<SegmentInstance, RunResults> held = [];

    public int Number { get; } = number;

    public Dictionary<string, Tensor> Values { get; } = inputs.ToDictionary(i => i.Key, i => HalfPrecision.Widen(i.Value));

    public Dictionary<string, Tensor> Gradients { get; } = [];

    public Dictionary<string, Tensor> DrawnGradients { get; } = [];

    public SampleTerms Terms { get; } = new();

    /// <summary>Of values and gradients that are kept.</summary>
    public long Bytes => Values.Values.Concat(Gradients.Values).Concat(DrawnGradients.Values).Sum(v => (long)v.Bytes.Length);

    /// <summary>Takes what a segment's forward pass gave.</summary>
    public void Add(SegmentInstance segment, RunResults results)
    {
        held.Add(segment, results);
        foreach ((string name, Tensor value) in results.Tensors)
        {
            Values[segment.Originals[name]] = value;
        }
    }

    /// <summary>Drops what a segment's forward pass gave: nothing before it reads it.</summary>
    public void Release(SegmentInstance segment)
    {
        if (held.Remove(segment, out RunResults? results))
        {
            foreach (string name in results.Tensors.Keys)
            {
                Values.Remove(segment.Originals[name]);
            }

            results.Dispose();
        }
    }

    /// <summary>
    /// Drops what a segment's forward pass gave, once all gradients of it are there, unless its backward pass or a layer still reads it: logits can be as large as all else together.
    /// </summary>
    public void ReleaseUnread(SegmentInstance segment)
    {
        SegmentProgram program = segment.Program;
        IEnumerable<string> ofLayers = program.Layers.Values.SelectMany(l => l.Values).Except(program.Backward?.Outputs ?? []);
        bool isRead = program.Forward.Outputs.Intersect([.. program.Backward?.Inputs ?? [], .. ofLayers]).Any();
        if (!isRead && program.Forward.Outputs.All(o => Gradients.ContainsKey(segment.Originals[o])))
        {
            Release(segment);
        }
    }

    /// <summary>What a session of a segment takes from the sample.</summary>
    public Dictionary<string, Tensor> InputsOf(SegmentInstance segment, Session session, IReadOnlyDictionary<string, Tensor> weights) =>
        session.Inputs
            .Where(name => weights.ContainsKey(name) || segment.Originals.ContainsKey(name))
            .ToDictionary(name => name, name => weights.TryGetValue(name, out Tensor? weight) ? weight : Values[segment.Originals[name]]);

    /// <summary>Moves the gradients of a segment's outputs to the inputs of its backward model.</summary>
    public void Seed(SegmentInstance segment, GradientFlow flow, Dictionary<string, Tensor> gradients, Dictionary<string, Tensor> inputs)
    {
        foreach ((string output, string name) in flow.Seeds)
        {
            string original = segment.Originals[output];
            inputs[name] = gradients.Remove(original, out Tensor? gradient) ? gradient : Zeros(Values[original].Shape);
        }
    }

    /// <summary>Adds what a backward model gave for the segment's inputs.</summary>
    public static void Collect(SegmentInstance segment, GradientFlow flow, Dictionary<string, Tensor> gradients, IReadOnlyDictionary<string, Tensor> results)
    {
        foreach ((string input, string name) in flow.Results)
        {
            string original = segment.Originals[input];
            var sum = new float[results[name].Count];
            results[name].Values<float>().CopyTo(sum);
            if (gradients.TryGetValue(original, out Tensor? other))
            {
                TensorPrimitives.Add(other.Values<float>(), sum, sum);
            }

            gradients[original] = Tensor.Of<float>(sum, results[name].Shape);
        }
    }

    public void Dispose()
    {
        foreach (RunResults results in held.Values)
        {
            results.Dispose();
        }

        held.Clear();
    }

    private static Tensor Zeros(long[] shape) => new(ElementType.Float, shape, new byte[Tensor.ByteCount(ElementType.Float, shape)]);
}
