using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>
/// As an exporter that folds constants writes a model of fixed sizes: targets of Reshape, tables and mask are constants of the sequence's length, and one factor stands for the scale, behind the mask's place.
/// </summary>
internal sealed class FixedForm : DecoderForm
{
    private const int Length = 24;

    public override string Name => "fixed";

    public override int Opset => 13;

    public override bool HasCache => false;

    public override bool HasPadding => false;

    public override (int Batch, int Rows)? Fixed => (2, Length);

    protected override void Begin(string embedded)
    {
    }

    protected override string Attend(int block, string x, string query, string key, string value)
    {
        string cosine = B.Constant(Shaped(Table(Length, Math.Cos)), "cos"), sine = B.Constant(Shaped(Table(Length, Math.Sin)), "sin");
        string Split(string rows, int heads) => B.Reshape0(rows, 2, Length, heads, HeadSize);

        // Turned as [batch, rows, heads, size], before heads are brought to the front.
        string Turn(string heads) =>
            B.Transpose(B.Add(B.Mul(sine, B.Concat(3, B.Neg(B.Slice(heads, 3, HeadSize / 2, HeadSize)), B.Slice(heads, 3, 0, HeadSize / 2))), B.Mul(heads, cosine)), [0, 2, 1, 3]);
        string Repeat(string heads) => B.Reshape0(B.Node("Tile", [B.Reshape0(heads, 2, KeyHeads, 1, Length, HeadSize), B.Integers(1, 1, Heads / KeyHeads, 1, 1)]), 2, Heads, Length, HeadSize);
        string mask = B.Constant(Tensor.Of<float>([.. Enumerable.Range(0, Length * Length).Select(i => i % Length > i / Length ? -10000f : 0)], 1, 1, Length, Length), "mask");
        string keys = B.Transpose(Repeat(Turn(Split(key, KeyHeads))), [0, 1, 3, 2]);
        string scores = B.Add(mask, B.MatMul(B.Mul(Turn(Split(query, Heads)), B.Scalar(0.3)), keys));
        string values = Repeat(B.Transpose(Split(value, KeyHeads), [0, 2, 1, 3]));
        string weights = B.Node("Softmax", [scores], Attributes.Of("axis", 3));
        return B.Reshape0(B.Transpose(B.MatMul(weights, values), [0, 2, 1, 3]), 2, Length, Heads * HeadSize);
    }

    private static Tensor Shaped(Tensor table) => new(table.ElementType, [1, Length, 1, HeadSize], table.Bytes);
}

/// <summary>
/// A decoder of which parts are fused already, and whose projections have a bias and whose queries and keys a norm of each head: com.microsoft's RotaryEmbedding with stored tables, heads repeated by an
/// index, and a condition that puts the lowest number in place of scores.
/// </summary>
internal sealed class OperatorForm : DecoderForm
{
    private string hidden = "", place = "", cosine = "", sine = "";

    public override string Name => "operators";

    public override int Opset => 17;

    public override bool HasCache => false;

    public override bool HasPadding => false;

    protected override void Begin(string embedded)
    {
        string places = B.Range(B.Squeeze(B.Size("input_ids", 1), 0));
        hidden = B.Less(B.Unsqueeze(places, 1), B.Unsqueeze(places, 0));
        place = B.Integers(0);
        string Half(Func<double, double> function) => B.Constant(Tensor.Of<float>([.. Table(64, function).Values<float>().ToArray().Where((_, i) => i % HeadSize < HeadSize / 2)], 64, HeadSize / 2), "table");
        (cosine, sine) = (Half(Math.Cos), Half(Math.Sin));
    }

    protected override string Project(string x, int heads) => B.Add(base.Project(x, heads), Weight(heads * HeadSize));

    protected override string Attend(int block, string x, string query, string key, string value)
    {
        string q = Turned(Normed(query, Heads)), k = Turned(Normed(key, KeyHeads));
        string v = B.Transpose(B.Reshape0(value, 0, 0, KeyHeads, HeadSize), [0, 2, 1, 3]);
        string Repeat(string heads) => B.Gather(heads, B.Integers([.. Enumerable.Range(0, Heads).Select(h => (long)(h / (Heads / KeyHeads)))]), 1);
        string scores = B.Div(B.MatMul(q, B.Transpose(Repeat(k), [0, 1, 3, 2])), B.Scalar(Math.Sqrt(HeadSize)));
        string weights = B.Node("Softmax", [B.Where(hidden, B.Scalar(float.MinValue), scores)], Attributes.Of("axis", -1));
        return B.Reshape0(B.Transpose(B.MatMul(weights, Repeat(v)), [0, 2, 1, 3]), 0, 0, -1);
    }

    /// <summary>Each head divided by its root mean square.</summary>
    private string Normed(string rows, int heads)
    {
        string split = B.Reshape0(rows, 0, 0, heads, HeadSize);
        string mean = B.Node("ReduceMean", [B.Square(split)], Attributes.Of("axes", new long[] { -1 }));
        return B.Mul(B.Div(split, B.Sqrt(B.Add(mean, B.Scalar(1e-5)))), Weight(HeadSize));
    }

    private string Turned(string heads) => B.MicrosoftNode("RotaryEmbedding", [B.Transpose(heads, [0, 2, 1, 3]), place, cosine, sine]);
}
