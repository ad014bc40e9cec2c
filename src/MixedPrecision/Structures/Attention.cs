using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>A mask on scores.</summary>
/// <param name="Value">What is added, or the condition.</param>
/// <param name="Form">How it is applied.</param>
/// <param name="Else">For a condition, the number that stands in place of hidden scores.</param>
internal sealed record Mask(string Value, MaskForm Form, double Else);

/// <summary>Attention as exporters write it out: softmax(q·kᵀ·scale + mask)·v, as [batch, rows, heads·size].</summary>
/// <param name="Scores">Node of q·kᵀ.</param>
/// <param name="Mixed">Node of the product with v.</param>
/// <param name="Query">Path of the queries.</param>
/// <param name="Key">Path of the keys.</param>
/// <param name="Value">Path of the values.</param>
/// <param name="Scale">All that scores are multiplied by.</param>
/// <param name="Masks">What hides scores, none or several.</param>
/// <param name="Output">The result.</param>
/// <param name="EmptyFrom">A row becomes zeros when this or less is added to all of its scores; null: it is what softmax gives.</param>
/// <param name="Inner">Values from q·kᵀ to the result, the result not included.</param>
internal sealed record Attention(
    int Scores, int Mixed, HeadPath Query, HeadPath Key, HeadPath Value, double Scale, IReadOnlyList<Mask> Masks, string Output, float? EmptyFrom, IReadOnlyList<string> Inner)
{
    /// <summary>Whether later rows are hidden, besides what masks hide.</summary>
    public bool IsCausal { get; init; }

    /// <summary>Attention around the Softmax at a node, or null where it is none.</summary>
    public static Attention? Around(AttentionReader reader, int softmax)
    {
        NodeProto node = reader.View.Nodes[softmax];
        if (node.Operator() != "Softmax" || reader.Shape(node.Input[0], 4) is null || node.Int("axis", reader.Model.Opset < 13 ? 1 : -1) is not (-1 or 3))
        {
            return null;
        }

        var inner = new List<string>();
        if (Forward(reader, node.Output[0], inner) is not var (mixed, output, hasGuard) || Backward(reader, node.Input[0], inner) is not var (scores, scale, masks))
        {
            return null;
        }

        HeadPath? query = HeadPath.To(reader, reader.View.Nodes[scores].Input[0], [0, 1, 2, 3]);
        HeadPath? key = HeadPath.To(reader, reader.View.Nodes[scores].Input[1], [0, 1, 3, 2]);
        HeadPath? value = HeadPath.To(reader, reader.View.Nodes[mixed].Input[1], [0, 1, 2, 3]);
        return query is null || key is null || value is null ? null : new Attention(scores, mixed, query, key, value, scale * query.Scale * key.Scale, masks, output, hasGuard ? float.NegativeInfinity : null, inner);
    }

    /// <summary>From the softmax to the result: [a guard], the product with v, Transpose, Reshape.</summary>
    private static (int Mixed, string Output, bool HasGuard)? Forward(AttentionReader reader, string weights, List<string> inner)
    {
        bool hasGuard = false;
        inner.Add(weights);
        while (true)
        {
            int[] readers = [.. reader.View.Consumers(weights)];
            if (readers.Length == 2 && readers.Select(r => reader.View.Nodes[r]).ToArray() is [{ OpType: "IsNaN" } isNaN, { OpType: "Where" } guarded]
                && guarded.Input[0] == isNaN.Output[0] && guarded.Input[2] == weights && reader.Number(guarded.Input[1]) == 0)
            {
                inner.Add(isNaN.Output[0]);
                (weights, hasGuard) = (guarded.Output[0], true);
            }
            else if (readers.Length == 1 && reader.View.Nodes[readers[0]] is { Output.Count: 1 } next && next.OpType is "Identity" or "Cast" && reader.Behind(next.Output[0]) == reader.Behind(weights))
            {
                weights = next.Output[0];
            }
            else
            {
                break;
            }

            inner.Add(weights);
        }

        return reader.View.Consumers(weights) is [var mixed] && reader.View.Nodes[mixed] is { } product && product.Operator() == "MatMul" && product.Input[0] == weights
            && Joined(reader, product.Output[0], inner) is string output ? (mixed, output, hasGuard) : null;
    }

    /// <summary>[batch, rows, heads·size] that heads [batch, heads, rows, size] are joined to, by Transpose and Reshape alone, or null; values before it go into a list.</summary>
    public static string? Joined(AttentionReader reader, string heads, List<string> inner)
    {
        if (Only(reader, heads) is not { } transpose || reader.Permutation(transpose) is not [0, 2, 1, 3] || Only(reader, transpose.Output[0]) is not { } reshape
            || reshape.Operator() != "Reshape" || reader.Shape(transpose.Output[0], 4) is not { } apart || reader.Shape(reshape.Output[0], 3) is not { } flat
            || !flat[0].Equals(apart[0]) || !flat[1].Equals(apart[1]) || !flat[2].Equals(apart[2] * apart[3]))
        {
            return null;
        }

        inner.AddRange([heads, transpose.Output[0]]);
        return reshape.Output[0];
    }

    /// <summary>From the softmax back to q·kᵀ: masks and scales.</summary>
    private static (int Scores, double Scale, IReadOnlyList<Mask> Masks)? Backward(AttentionReader reader, string scores, List<string> inner)
    {
        double scale = 1;
        var masks = new List<Mask>();
        while (true)
        {
            inner.Add(scores);
            if (reader.View.Producer(scores) is not int index || reader.View.Nodes[index] is not { Domain: "" or "ai.onnx" } node)
            {
                return null;
            }

            if (node.OpType == "MatMul")
            {
                return (index, scale, masks);
            }

            if (reader.Behind(scores) != scores)
            {
                scores = node.Input[0];
            }
            else if (scale == 1 && Masked(reader, node) is var (mask, masked))
            {
                masks.Add(mask);
                scores = masked;
            }
            else if (HeadPath.Factor(reader, node) is var (factor, rest))
            {
                // Masks further up are multiplied too: those of this far below 0 stay so, and others are not read.
                scale *= factor;
                scores = rest;
            }
            else
            {
                return null;
            }
        }
    }

    private static (Mask Mask, string Scores)? Masked(AttentionReader reader, NodeProto node) => node.OpType switch
    {
        "Add" when LeadsToProduct(reader, node.Input[0]) => (new Mask(node.Input[1], MaskForm.Added, 0), node.Input[0]),
        "Add" when LeadsToProduct(reader, node.Input[1]) => (new Mask(node.Input[0], MaskForm.Added, 0), node.Input[1]),
        "Where" when reader.Number(node.Input[2]) is double number && LeadsToProduct(reader, node.Input[1]) => (new Mask(node.Input[0], MaskForm.Keeps, number), node.Input[1]),
        "Where" when reader.Number(node.Input[1]) is double number && LeadsToProduct(reader, node.Input[2]) => (new Mask(node.Input[0], MaskForm.Hides, number), node.Input[2]),
        _ => null,
    };

    /// <summary>Whether a value comes from a product of two activations by masks and scales alone, of which there are a few.</summary>
    private static bool LeadsToProduct(AttentionReader reader, string value, int steps = 6) => steps > 0 && reader.Maker(value) is { } node && node.OpType switch
    {
        "MatMul" => true,
        "Mul" or "Div" => HeadPath.Factor(reader, node) is var (_, rest) && LeadsToProduct(reader, rest, steps - 1),
        "Add" => node.Input.Any(i => LeadsToProduct(reader, i, steps - 1)),
        "Where" => node.Input.Skip(1).Any(i => LeadsToProduct(reader, i, steps - 1)),
        _ => false,
    };

    /// <summary>The only reader of a value that is no output of the model, behind nodes that change nothing.</summary>
    private static NodeProto? Only(AttentionReader reader, string value)
    {
        while (!reader.View.IsOutput(value) && reader.View.Consumers(value) is [var index])
        {
            NodeProto node = reader.View.Nodes[index];
            if (node.OpType is not ("Identity" or "Cast") || reader.Behind(node.Output[0]) != reader.Behind(value))
            {
                return node;
            }

            value = node.Output[0];
        }

        return null;
    }
}
