using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>Steps through a model's graph that do not see operators which leave their input as it is.</summary>
internal sealed class GraphWalk(StructureSite site)
{
    private readonly GraphView view = site.Partition.View;

    public AttentionReader Reader { get; } = new(site.Model, site.Partition.View, site.Types);

    public SymbolicShapes Shapes => Reader.Shapes;

    /// <summary>The element type of a value; 0 when it is not known.</summary>
    public int ElementTypeOf(string value) => site.Types.GetValueOrDefault(value)?.ElementType ?? 0;

    /// <summary>The value behind Identity, Cast to its own type, and Dropout outside of training.</summary>
    public string Source(string value)
    {
        while (view.Producer(value) is int node && IsNothing(view.Nodes[node]) && view.Nodes[node].Output[0] == value)
        {
            value = view.Nodes[node].Input[0];
        }

        return value;
    }

    /// <summary>The node that computes a value, or the one that it is the same as.</summary>
    public NodeProto? Producer(string value) => view.Producer(Source(value)) is int node ? view.Nodes[node] : null;

    /// <summary>
    /// The nodes that read a value, or one that is the same. Shape does not count, since it reads no elements; what is read as an output of the model is null.
    /// </summary>
    public IReadOnlyList<NodeProto>? Readers(string value)
    {
        if (view.IsOutput(value))
        {
            return null;
        }

        var readers = new List<NodeProto>();
        foreach (NodeProto node in view.Consumers(value).Select(c => view.Nodes[c]).Where(n => n.Operator() is not "Shape" and not "Size"))
        {
            if (!IsNothing(node))
            {
                readers.Add(node);
            }
            else if (Readers(node.Output[0]) is { } further)
            {
                readers.AddRange(further);
            }
            else
            {
                return null;
            }
        }

        return readers;
    }

    /// <summary>The node that alone reads a value, or null.</summary>
    public NodeProto? ReaderOf(string value) => Readers(value) is [NodeProto single] ? single : null;

    /// <summary>Whether an operand of a node is a value, or the same as it.</summary>
    public bool Reads(NodeProto node, int input, string value) => input < node.Input.Count && Source(node.Input[input]) == Source(value);

    /// <summary>The number when a value is one, constant or computed from sizes that are.</summary>
    public double? Scalar(string value) => Reader.Number(Source(value));

    /// <summary>The values that nothing reads any more once some values are computed in another way, and these.</summary>
    public IReadOnlySet<string> Dropped(params string[] values)
    {
        var dropped = new HashSet<int>();
        var open = new Stack<int>(values.Select(view.Producer).OfType<int>());
        while (open.TryPop(out int node))
        {
            if (view.Nodes[node].Output.All(o => values.Contains(o) || o.Length == 0 || (!view.IsOutput(o) && view.Consumers(o).All(dropped.Contains))) && dropped.Add(node))
            {
                foreach (int source in view.Inputs[node].Select(view.Producer).OfType<int>())
                {
                    open.Push(source);
                }
            }
        }

        return dropped.SelectMany(n => view.Nodes[n].Output).Concat(values).ToHashSet();
    }

    private bool IsNothing(NodeProto node) => node.Operator() switch
    {
        "Identity" => true,
        "Cast" => ElementTypeOf(node.Input[0]) is int type && type != 0 && type == node.Int("to", 0),
        "Dropout" => node.Input.Count < 3 || node.Input[2].Length == 0,
        _ => false,
    };
}
