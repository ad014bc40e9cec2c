using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>
/// Masks and tables beside an attention. Exporters read sizes that these depend on from the attention's own values, which its kernel does not make before it has the mask: such parts are written anew
/// with sizes from elsewhere. What each block of a model has for itself, with the same content, is written once.
/// </summary>
internal sealed class SideValues
{
    private const int Deepest = 40;

    /// <summary>Operators that exporters repeat in each block.</summary>
    private static readonly HashSet<string> Views = ["Unsqueeze", "Squeeze", "Slice", "Identity", "Cast"];

    private readonly AttentionReader reader;
    private readonly ScoreSizes sizes;
    private readonly HashSet<string> reached;

    public SideValues(AttentionReader reader, Attention attention, ScoreSizes sizes)
    {
        this.reader = reader;
        this.sizes = sizes;
        reached = [attention.Query.Rows, attention.Key.Rows, attention.Value.Rows];
        int last = reader.View.Producer(attention.Output)!.Value;
        for (int node = 0; node < last; node++)
        {
            if (reader.View.Inputs[node].Any(reached.Contains))
            {
                reached.UnionWith(reader.View.Nodes[node].Output);
            }
        }
    }

    /// <summary>Whether a value can be written without the attention's own.</summary>
    public bool Has(string value) => Has(value, 0);

    /// <summary>The value, or one of the same content.</summary>
    public string Write(string value, StructureEmission emission, SizeValues numbers)
    {
        if (reader.View.Producer(value) is not int index)
        {
            return value;
        }

        if (Known(value) is { } elements && (reached.Contains(value) || elements.All(e => e.Constant is not null)))
        {
            string[] parts = [.. elements.Select(numbers.Of)];
            string vector = parts.Length == 1 ? parts[0] : numbers.Made($"sizes {string.Join(' ', parts)}", b => b.Concat(0, parts));
            vector = reader.Types[value].ElementType == ElementType.Int64 ? vector : numbers.Made($"int32 {vector}", b => b.Cast(vector, ElementType.Int32));
            return reader.Shapes.Of(value) is { Length: 0 } ? numbers.Made($"scalar {vector}", b => b.Node("Reshape", [vector, b.Constant(Tensor.Of<long>([], 0), "scalar")])) : vector;
        }

        NodeProto node = reader.View.Nodes[index];
        bool isRepeated = Views.Contains(node.OpType) && reader.View.Inputs[index].All(emission.Has);
        if (!reached.Contains(value) && !isRepeated)
        {
            return value;
        }

        string[] inputs = [.. node.Input.Select(i => i.Length == 0 ? "" : Write(i, emission, numbers))];
        string attributes = string.Join(' ', node.Attribute.Select(a => a.ToByteString().ToBase64()));
        return numbers.Made(
            string.Create(CultureInfo.InvariantCulture, $"side {node.Operator()} {attributes} {string.Join(' ', inputs)} {node.Output.IndexOf(value)}"),
            b => b.NodeTo([.. node.Output.Select(o => o.Length == 0 ? "" : b.Fresh(o))], node.OpType, node.Domain, inputs, [.. node.Attribute.Select(a => a.Clone())])[node.Output.IndexOf(value)]);
    }

    private bool Has(string value, int depth) =>
        !reached.Contains(value)
        || (Known(value) is { } elements && elements.All(e => SizeValues.Has(sizes, e)))
        || (depth < Deepest && reader.View.Producer(value) is int node && reader.View.Nodes[node].Attribute.All(a => a.G is null && a.Graphs.Count == 0)
            && reader.View.Nodes[node].OpType != "Shape" && reader.View.Inputs[node].All(i => Has(i, depth + 1)));

    /// <summary>The formulas of a vector of integers, where all are known.</summary>
    private Size[]? Known(string value) =>
        reader.Types.TryGetValue(value, out TensorType? type) && type.ElementType is ElementType.Int64 or ElementType.Int32 && reader.Shapes.Elements(value) is { Length: > 0 } elements && elements.All(e => e is not null)
            ? [.. elements.Select(e => e!)] : null;
}
