using MixedPrecision.Onnx;

namespace MixedPrecision.Structures;

/// <summary>
/// HardSigmoid, and its product with x (HardSwish), in place of Clip(x + 3, 0, 6) / 6 and what exporters write for it. ONNX Runtime joins the operators with the convolution before them and keeps its
/// blocked layout, which single numbers as operands break.
/// </summary>
internal sealed class HardSigmoidRewrite
{
    private const double Tolerance = 1e-6;

    private readonly AttentionReader reader;
    private readonly HashSet<int> timed;

    private HardSigmoidRewrite(AttentionReader reader, IEnumerable<int> nodes)
    {
        this.reader = reader;
        timed = [.. nodes];
    }

    public static IEnumerable<Rewrite> Find(StructureSite site) => In(new AttentionReader(site.Model, site.Partition.View, site.Types), site.Subgraph.Timed).Select(f => f.Rewrite);

    /// <summary>What the steps of such rewrites compute in a whole model.</summary>
    public static IReadOnlySet<string> Steps(AttentionReader reader) => In(reader, Enumerable.Range(0, reader.View.Nodes.Count)).SelectMany(f => f.Steps).ToHashSet();

    private static IEnumerable<(Rewrite Rewrite, IReadOnlyList<string> Steps)> In(AttentionReader reader, IEnumerable<int> nodes)
    {
        var finder = new HardSigmoidRewrite(reader, nodes);
        return finder.timed.Select(n => finder.At(finder.reader.View.Nodes[n])).OfType<(Rewrite, IReadOnlyList<string>)>();
    }

    /// <summary>What begins with a limit of a sum.</summary>
    private (Rewrite Rewrite, IReadOnlyList<string> Steps)? At(NodeProto node)
    {
        if (Limited(node) is not var (sum, low, high) || low >= high || Sum(sum) is not var (x, scale, shift, inner)
            || !reader.Types.TryGetValue(x, out TensorType? type) || type.ElementType != ElementType.Float)
        {
            return null;
        }

        string value = node.Output[0];
        var passed = new List<string>(inner);
        (string Output, bool IsProduct, double Factor, int Steps)? found = null;
        bool isProduct = false;
        double factor = 1;
        while (true)
        {
            passed.Add(value);
            if (Math.Abs(low * factor) <= Tolerance && Math.Abs((high * factor) - 1) <= Tolerance)
            {
                found = (value, isProduct, factor, passed.Count);
            }

            if (reader.View.IsOutput(value) || reader.View.Consumers(value) is not [int index] || !timed.Contains(index) || reader.View.Nodes[index] is not { Domain: "" or "ai.onnx", Input.Count: 2 } next)
            {
                break;
            }

            bool isFirst = next.Input[0] == value;
            string other = next.Input[isFirst ? 1 : 0];
            if (next.OpType == "Mul" && !isProduct && other == x)
            {
                isProduct = true;
            }
            else if ((next.OpType == "Mul" || (next.OpType == "Div" && isFirst)) && found?.IsProduct != true && Fixed(other) is double number and > 0)
            {
                factor = next.OpType == "Mul" ? factor * number : factor / number;
            }
            else
            {
                break;
            }

            value = next.Output[0];
        }

        return found is not var (output, withX, by, count) ? null : (new Rewrite(output, null, e =>
        {
            string sigmoid = withX ? e.Builder.Fresh("HardSigmoid") : output;
            e.Builder.NodeTo([sigmoid], "HardSigmoid", "", [x], Attributes.Of("alpha", (float)(scale * by)), Attributes.Of("beta", (float)(shift * by)));
            if (withX)
            {
                e.Builder.NodeTo([output], "Mul", "", [x, sigmoid]);
            }
        }), passed[..count]);
    }

    /// <summary>What a node limits to an interval, by Clip, or by Min of a Relu or Max.</summary>
    private (string Sum, double Low, double High)? Limited(NodeProto node)
    {
        if (node.Domain is not ("" or "ai.onnx"))
        {
            return null;
        }

        double? Limit(int input, string attribute) => node.Input.Count > input && node.Input[input].Length > 0 ? Fixed(node.Input[input]) : node.Attribute(attribute)?.F;
        if (node.OpType == "Clip")
        {
            return Limit(1, "min") is double low && Limit(2, "max") is double high ? (node.Input[0], low, high) : null;
        }

        if (node.OpType != "Min" || Operand(node) is not var (lower, most))
        {
            return null;
        }

        return Maker(lower) is { OpType: "Relu" } relu ? (relu.Input[0], 0, most)
            : Maker(lower) is { OpType: "Max" } max && Operand(max) is var (sum, least) ? (sum, least, most) : null;
    }

    /// <summary>x · scale + shift, where a value is an addend behind x or behind a factor of x; and the values between.</summary>
    private (string X, double Scale, double Shift, IReadOnlyList<string> Inner)? Sum(string sum) =>
        Maker(sum) is not { OpType: "Add" } add || Operand(add) is not var (value, shift) ? null
        : Maker(value) is { OpType: "Mul" or "Div" } scaled && Operand(scaled) is var (x, factor) && factor > 0 ? (x, scaled.OpType == "Mul" ? factor : 1 / factor, shift, [sum, value])
        : (value, 1, shift, [sum]);

    /// <summary>The node that computes a value which is read once; one of those that are cut out.</summary>
    private NodeProto? Maker(string value) =>
        !reader.View.IsOutput(value) && reader.View.Consumers(value).Count == 1 && reader.View.Producer(value) is int maker && timed.Contains(maker) && reader.View.Nodes[maker] is { Domain: "" or "ai.onnx" } node ? node : null;

    /// <summary>The operand and the number of a node of two inputs, one of them a number.</summary>
    private (string X, double Number)? Operand(NodeProto node) => node.Input.Count != 2 ? null
        : Fixed(node.Input[1]) is double second ? (node.Input[0], second)
        : node.OpType != "Div" && Fixed(node.Input[0]) is double first ? (node.Input[1], first) : null;

    /// <summary>A number that no app may replace.</summary>
    private double? Fixed(string value) => reader.View.Constants.Contains(value) && ChannelAffine.Fixed(reader, value) is { Count: 1, Rank: <= 1 } tensor ? tensor.Values<float>()[0] : null;
}
