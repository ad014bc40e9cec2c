using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>Rotation of heads by position as exporters write it: heads from a layer, turned, and joined again.</summary>
internal static class RotaryForms
{
    private const int Heads = 3, Size = RewriteModel.Width / Heads, Places = 64;

    public static readonly IReadOnlyDictionary<string, RewriteForm> All = new Dictionary<string, RewriteForm>
    {
        ["TorchScript, stored tables"] = new(17, (m, x) => Apart(m, x, heads => Turned(m, heads, Stored(m, x, Math.Cos), Stored(m, x, Math.Sin)))),
        ["TorchScript, computed for each sequence"] = new(14, (m, x) => Apart(m, x, heads => Turned(m, heads, m.B.Unsqueeze(Computed(m, x, "Cos", isExpanded: true), 1), m.B.Unsqueeze(Computed(m, x, "Sin", isExpanded: true), 1)))),
        ["dynamo, computed once, Split"] = new(18, (m, x) => Apart(m, x, heads =>
        {
            string[] halves = m.B.Split(heads, m.B.Integers(Size / 2, Size / 2), 2, -1);
            string turned = m.B.Concat(-1, m.B.Neg(halves[1]), halves[0]);
            return m.B.Add(m.B.Mul(heads, Computed(m, x, "Cos", isExpanded: false)), m.B.Mul(turned, Computed(m, x, "Sin", isExpanded: false)));
        })),
        ["rows before heads, fixed sizes"] = new(13, (m, x) =>
        {
            string heads = m.B.Reshape0(x, 2, 7, Heads, Size);
            Tensor Shaped(Func<double, double> function) => new(ElementType.Float, [1, 7, 1, Size], Table(7, function).Bytes);
            return m.B.Reshape0(Turned(m, heads, m.B.Constant(Shaped(Math.Cos), "cos"), m.B.Constant(Shaped(Math.Sin), "sin")), 2, 7, -1);
        }, (2, 7)),
        ["rows before heads, for each sequence"] = new(17, (m, x) => m.B.Reshape0(
            Turned(m, m.B.Reshape0(x, 0, 0, Heads, Size), m.B.Unsqueeze(Computed(m, x, "Cos", isExpanded: true), 2), m.B.Unsqueeze(Computed(m, x, "Sin", isExpanded: true), 2)), 0, 0, -1)),
        ["half of each head"] = new(17, (m, x) => Apart(m, x, heads =>
        {
            string turned = Turned(m, m.B.Slice(heads, 3, 0, Size / 2), Stored(m, x, Math.Cos, Size / 2), Stored(m, x, Math.Sin, Size / 2), Size / 2);
            return m.B.Concat(-1, turned, m.B.Slice(heads, 3, Size / 2, Size));
        })),
    };

    /// <summary>What is no rotation that the kernel computes.</summary>
    public static readonly IReadOnlyDictionary<string, RewriteForm> Other = new Dictionary<string, RewriteForm>
    {
        ["halves that differ"] = new(17, (m, x) => Apart(m, x, heads => Turned(m, heads, Stored(m, x, Math.Cos), Stored(m, x, v => v == 0 ? 0 : Math.Sin(v) + 0.01, isUneven: true)))),
        ["heads that turn differently"] = new(17, (m, x) => Apart(m, x, heads => Turned(m, heads, m.Weight(Heads, 1, Size), m.Weight(Heads, 1, Size)))),
        ["the first half negated"] = new(17, (m, x) => Apart(m, x, heads => m.B.Add(
            m.B.Mul(heads, Stored(m, x, Math.Cos)), m.B.Mul(m.B.Concat(-1, m.B.Slice(heads, 3, Size / 2, Size), m.B.Neg(m.B.Slice(heads, 3, 0, Size / 2))), Stored(m, x, Math.Sin))))),
    };

    private static string Apart(RewriteModel m, string x, Func<string, string> turn) =>
        m.B.Reshape0(m.B.Transpose(turn(m.B.Transpose(m.B.Reshape0(x, 0, 0, Heads, Size), [0, 2, 1, 3])), [0, 2, 1, 3]), 0, 0, Heads * Size);

    private static string Turned(RewriteModel m, string heads, string cosine, string sine, int size = Size)
    {
        string first = m.B.Slice(heads, 3, 0, size / 2), second = m.B.Slice(heads, 3, size / 2, long.MaxValue);
        return m.B.Add(m.B.Mul(heads, cosine), m.B.Mul(m.B.Concat(-1, m.B.Neg(second), first), sine));
    }

    private static string Stored(RewriteModel m, string x, Func<double, double> function, int size = Size, bool isUneven = false)
    {
        Tensor table = Table(Places, function, size);
        float[] values = table.Values<float>().ToArray();
        values[^1] += isUneven ? 0.001f : 0;
        return m.B.Node("Slice", [m.B.Constant(Tensor.Of<float>(values, Places, size), "table"), m.B.Integers(0), m.B.Node("Reshape", [m.B.Gather(m.B.Shape(x), m.B.Integers(1), 0), m.B.Integers(1)]), m.B.Integers(0)]);
    }

    /// <summary>[rows, size], or expanded to [batch, rows, size].</summary>
    private static string Computed(RewriteModel m, string x, string function, bool isExpanded)
    {
        string rows = m.B.Gather(m.B.Shape(x), m.B.Integers(1), 0);
        string places = m.B.Cast(m.B.Unsqueeze(m.B.Range(m.B.Squeeze(rows, 0)), 1), ElementType.Float);
        string frequencies = m.B.Constant(Tensor.Of<float>([.. Enumerable.Range(0, Size / 2).Select(i => (float)Math.Pow(100, -2.0 * i / Size))], 1, Size / 2), "frequencies");
        string angles = m.B.Mul(places, frequencies);
        string table = m.B.Node(function, [m.B.Concat(-1, angles, angles)]);
        return isExpanded ? m.B.Expand(table, m.B.Concat(0, m.B.Gather(m.B.Shape(x), m.B.Integers(0), 0), rows, m.B.Integers(Size))) : table;
    }

    private static Tensor Table(int places, Func<double, double> function, int size = Size) => Tensor.Of<float>(
        [.. Enumerable.Range(0, places * size).Select(i => (float)function(i / size * Math.Pow(100, -2.0 * (i % (size / 2)) / size)))], places, size);
}
