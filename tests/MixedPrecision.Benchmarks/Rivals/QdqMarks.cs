using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>A value that is to be held in 8 bits.</summary>
/// <param name="IsWeight">Whether it is rounded as a weight is.</param>
/// <param name="Axis">For a weight, the axis with scales of its own.</param>
/// <param name="SameAs">The value whose range it shares, or null.</param>
internal sealed record QdqMark(bool IsWeight, int? Axis, string? SameAs);

/// <summary>A bias that is to be held in 32 bits.</summary>
internal sealed record QdqBias(NodeProto Node, string Input, string Weight);

/// <summary>Values of a graph that are to be held in 8 bits, as the operators that read and give them ask for it one after the other.</summary>
/// <param name="graph">Changed in place where an activation goes.</param>
/// <param name="floats">Its values of 32-bit floats.</param>
internal sealed class QdqMarks(GraphProto graph, IReadOnlySet<string> floats)
{
    private readonly Dictionary<string, QdqMark> marks = [];
    private readonly HashSet<string> biases = [];
    private readonly Dictionary<string, TensorProto> constants = graph.Initializer.ToDictionary(i => i.Name);
    private readonly Dictionary<string, int> readers = graph.Node.SelectMany(GraphView.InputsOf).CountBy(v => v).ToDictionary();
    private readonly HashSet<string> ends = [.. graph.Input.Concat(graph.Output).Select(v => v.Name)];

    public IReadOnlyDictionary<string, QdqMark> Marks => marks;

    public List<QdqBias> Biases { get; } = [];

    /// <summary>Activations that rounding makes superfluous.</summary>
    public HashSet<NodeProto> Removed { get; } = new(ReferenceEqualityComparer.Instance);

    public bool IsConstant(string value) => constants.ContainsKey(value);

    public int RankOf(string constant) => constants[constant].Dims.Count;

    public bool IsMarked(string value) => marks.ContainsKey(value) || biases.Contains(value);

    /// <summary>A value in a range of its own, if it is one of floats.</summary>
    public void Value(string value)
    {
        if (floats.Contains(value))
        {
            marks.TryAdd(value, new QdqMark(false, null, null));
        }
    }

    public void Values(IEnumerable<string> values)
    {
        foreach (string value in values.Where(v => v.Length > 0))
        {
            Value(value);
        }
    }

    /// <summary>A value in the range of another one.</summary>
    public void Same(string value, string other)
    {
        if (floats.Contains(value))
        {
            marks[value] = new QdqMark(false, null, other);
        }
    }

    /// <summary>A weight with scales along an axis that it has, else with one; a value that is computed gets a range.</summary>
    public void Weight(string value, int axis)
    {
        if (!IsConstant(value))
        {
            Value(value);
        }
        else if (floats.Contains(value))
        {
            marks[value] = new QdqMark(true, axis < RankOf(value) ? axis : null, null);
        }
    }

    /// <summary>The third input of a node, if it is a constant.</summary>
    public void Bias(NodeProto node)
    {
        if (node.Input.Count > 2 && node.Input[2].Length > 0 && IsConstant(node.Input[2]) && floats.Contains(node.Input[2]))
        {
            biases.Add(node.Input[2]);
            Biases.Add(new QdqBias(node, node.Input[0], node.Input[1]));
        }
    }

    /// <summary>Lets the node before an activation give the activation's result, which rounding to its range makes of it, where nothing else reads what is between.</summary>
    /// <returns>Whether it did.</returns>
    public bool Absorb(NodeProto activation)
    {
        string before = activation.Input[0];
        NodeProto? producer = graph.Node.FirstOrDefault(n => n.Output.Contains(before));
        if (producer is null || readers[before] != 1 || ends.Contains(before))
        {
            return false;
        }

        producer.Output[producer.Output.IndexOf(before)] = activation.Output[0];
        marks.Remove(before);
        Removed.Add(activation);
        return true;
    }
}
