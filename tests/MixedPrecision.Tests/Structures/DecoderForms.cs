using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>
/// As torch.onnx traces a model of its own making, without a cache: stored tables and a stored mask, cut to the length; sizes from Shape and Gather, each by itself; keys and values repeated by
/// Expand behind its own arithmetic.
/// </summary>
internal class TracedForm : DecoderForm
{
    private string cosine = "", sine = "", mask = "";

    public override string Name => "traced";

    public override int Opset => 17;

    public override bool HasCache => false;

    public override bool HasPadding => false;

    protected virtual int Places => 64;

    /// <summary>The mask's number at a place.</summary>
    protected virtual float Hides(int row, int column) => column > row ? -1e9f : 0;

    protected override void Begin(string embedded)
    {
        string length = B.Unsqueeze(Size("input_ids", 1), 0);
        string Cut(string table, long axis) => B.Node("Slice", [table, B.Integers(0), length, B.Integers(axis), B.Integers(1)]);
        cosine = Cut(B.Constant(Table(Places, Math.Cos), "cos"), 0);
        sine = Cut(B.Constant(SineTable(), "sin"), 0);
        mask = Cut(Cut(B.Constant(Tensor.Of<float>([.. Enumerable.Range(0, Places * Places).Select(i => Hides(i / Places, i % Places))], Places, Places), "mask"), 0), 1);
    }

    protected virtual Tensor SineTable() => Table(Places, Math.Sin);

    protected override string Attend(int block, string x, string query, string key, string value)
    {
        string q = Turn(Split(x, query, Heads)), k = Repeat(x, Turn(Split(x, key, KeyHeads))), v = Repeat(x, Split(x, value, KeyHeads));
        string scores = B.Add(B.Div(B.MatMul(q, B.Transpose(k, [0, 1, 3, 2])), B.Scalar(Math.Sqrt(HeadSize))), mask);
        string mixed = B.Transpose(B.MatMul(Weights(scores), v), [0, 2, 1, 3]);
        return Reshape(mixed, Size(x, 0), Size(x, 1), B.Integers(Heads * HeadSize));
    }

    protected virtual string Weights(string scores) => B.Node("Softmax", [scores], Attributes.Of("axis", -1));

    protected string Size(string value, long axis) => B.Gather(B.Shape(value), B.Constant(Tensor.Scalar(axis)), 0);

    private string Reshape(string value, string batch, string rows, params string[] rest) =>
        B.Node("Reshape", [value, B.Concat(0, [B.Unsqueeze(batch, 0), B.Unsqueeze(rows, 0), .. rest])], Attributes.Of("allowzero", 0));

    private string Split(string x, string value, int heads) =>
        B.Transpose(Reshape(value, Size(x, 0), Size(x, 1), B.Integers(heads), B.Integers(HeadSize)), [0, 2, 1, 3]);

    private string Turn(string value)
    {
        string Part(long from, long to) => B.Node("Slice", [value, B.Integers(from), B.Integers(to), B.Integers(3), B.Integers(1)]);
        string turned = B.Concat(-1, B.Neg(Part(HeadSize / 2, long.MaxValue)), Part(0, HeadSize / 2));
        return B.Add(B.Mul(value, cosine), B.Mul(turned, sine));
    }

    private string Repeat(string x, string value)
    {
        string batch = B.Unsqueeze(Size(x, 0), 0), rows = B.Unsqueeze(Size(x, 1), 0);
        string wanted = B.Node("Reshape", [B.Concat(0, batch, B.Integers(KeyHeads), B.Integers(Heads / KeyHeads), rows, B.Integers(HeadSize)), B.Integers(-1)]);
        string ones = B.Node("ConstantOfShape", [B.Shape(wanted)], Attributes.Of("value", Tensor.Of<long>([1], 1).ToProto("")));
        string sizes = B.Where(B.Equal(wanted, B.Mul(ones, B.Scalar(-1, ElementType.Int64))), ones, wanted);
        return B.Node("Reshape", [B.Expand(B.Unsqueeze(value, 2), sizes), B.Concat(0, batch, B.Integers(Heads), rows, B.Integers(HeadSize))]);
    }
}

/// <summary>The same with something that attention usually has not.</summary>
internal sealed class ChangedForm(Func<int, int, bool>? hides = null, bool hasUnequalHalves = false, bool readsWeights = false) : TracedForm
{
    protected override float Hides(int row, int column) => hides is null ? base.Hides(row, column) : hides(row, column) ? -1e9f : 0;

    protected override Tensor SineTable() => hasUnequalHalves
        ? Tensor.Of<float>([.. base.SineTable().Values<float>().ToArray().Select((value, index) => index % HeadSize < HeadSize / 2 ? value : value / 2)], Places, HeadSize)
        : base.SineTable();

    protected override string Weights(string scores)
    {
        string weights = base.Weights(scores);
        if (readsWeights)
        {
            B.NodeTo([$"seen{Graph.Output.Count}"], "ReduceMean", "", [weights], Attributes.Of("keepdims", 0));
            Graph.Output.Add(new TensorType(ElementType.Float, []).ToProto($"seen{Graph.Output.Count}"));
        }

        return weights;
    }
}

/// <summary>
/// As optimum exports a decoder of transformers: a cache, an attention mask and positions come in; cosines and sines for each row of each sequence are computed from the positions; float's lowest
/// number where a token would see a later one or padding; torch's attention, which multiplies queries and keys by the root of the scale.
/// </summary>
internal sealed class OptimumForm : DecoderForm
{
    private string cosine = "", sine = "", mask = "";

    public override string Name => "optimum";

    public override int Opset => 14;

    public override bool HasCache => true;

    public override bool HasPadding => true;

    protected override void Begin(string embedded)
    {
        string column = B.Constant(new Tensor(ElementType.Float, [1, HeadSize / 2, 1], Frequencies().Bytes), "frequencies");
        string angles = B.Transpose(B.MatMul(column, B.Cast(B.Unsqueeze("position_ids", 1), ElementType.Float)), [0, 2, 1]);
        string both = B.Concat(-1, angles, angles);
        cosine = B.Mul(B.Cos(both), B.Scalar(1));
        sine = B.Mul(B.Sin(both), B.Scalar(1));
        string past = Size("past_key_values.0.key", 2), columns = Size("attention_mask", 1), rows = Size(embedded, 1);
        string places = B.Node("Range", [past, B.Add(past, rows), B.Scalar(1, ElementType.Int64)]);
        string full = B.Node("ConstantOfShape", [B.Concat(0, B.Unsqueeze(rows, 0), B.Unsqueeze(columns, 0))], Attributes.Of("value", Tensor.Of<float>([float.MinValue], 1).ToProto("")));
        string later = B.Cast(B.Greater(B.Range(columns), B.Reshape0(places, -1, 1)), ElementType.Float);
        string causal = B.Unsqueeze(B.Mul(full, later), 0, 1);
        string padding = B.Cast(B.Unsqueeze("attention_mask", 1, 2), ElementType.Float);
        mask = B.Where(B.Equal(B.Add(causal, padding), B.Scalar(0)), B.Scalar(float.MinValue), causal);
    }

    protected override string Attend(int block, string x, string query, string key, string value)
    {
        string q = Turn(Split(query, Heads)), k = Turn(Split(key, KeyHeads)), v = Split(value, KeyHeads);
        string keys = B.NodeTo([$"present.{block}.key"], "Concat", "", [$"past_key_values.{block}.key", k], Attributes.Of("axis", -2))[0];
        string values = B.NodeTo([$"present.{block}.value"], "Concat", "", [$"past_key_values.{block}.value", v], Attributes.Of("axis", -2))[0];
        string cut = B.Node("Slice", [mask, B.Integers(0), B.Unsqueeze(Size(keys, 2), 0), B.Integers(3)]);
        string head = B.Node("Slice", [B.Shape(q), B.Integers(-1), B.Integers(long.MaxValue)]);
        string root = B.Sqrt(B.Div(B.Constant(Tensor.Of<float>([1], 1)), B.Sqrt(B.Cast(head, ElementType.Float))));
        string scores = B.Add(B.MatMul(B.Mul(q, root), B.Mul(B.Transpose(Repeat(keys), [0, 1, 3, 2]), root)), cut);
        string weights = B.Cast(B.Node("Identity", [B.Node("Softmax", [scores], Attributes.Of("axis", -1))]), ElementType.Float);
        string mixed = B.Transpose(B.MatMul(weights, Repeat(values)), [0, 2, 1, 3]);
        return B.Node("Reshape", [mixed, B.Concat(0, B.Unsqueeze(Size(x, 0), 0), B.Unsqueeze(Size(x, 1), 0), B.Integers(-1))]);
    }

    private string Size(string value, long axis) => B.Gather(B.Shape(value), B.Constant(Tensor.Scalar(axis)), 0);

    private string Split(string value, int heads) => B.Transpose(
        B.Node("Reshape", [value, B.Concat(0, B.Unsqueeze(Size(value, 0), 0), B.Unsqueeze(Size(value, 1), 0), B.Integers(heads), B.Integers(HeadSize))]), [0, 2, 1, 3]);

    private string Turn(string value)
    {
        string half = B.Unsqueeze(B.Div(Size(value, 3), B.Scalar(2, ElementType.Int64)), 0);
        string first = B.Node("Slice", [value, B.Integers(0), half, B.Integers(3)]), second = B.Node("Slice", [value, half, B.Integers(long.MaxValue), B.Integers(3)]);
        return B.Add(B.Mul(value, B.Unsqueeze(cosine, 1)), B.Mul(B.Concat(-1, B.Neg(second), first), B.Unsqueeze(sine, 1)));
    }

    private string Repeat(string value)
    {
        string[] sizes = [.. Enumerable.Range(0, 4).Select(axis => Size(value, axis))];
        string wide = B.Expand(B.Unsqueeze(value, 2), B.Concat(0, B.Unsqueeze(sizes[0], 0), B.Unsqueeze(sizes[1], 0), B.Integers(Heads / KeyHeads), B.Unsqueeze(sizes[2], 0), B.Unsqueeze(sizes[3], 0)));
        string heads = B.Unsqueeze(B.Mul(sizes[1], B.Scalar(Heads / KeyHeads, ElementType.Int64)), 0);
        return B.Node("Reshape", [wide, B.Concat(0, B.Unsqueeze(sizes[0], 0), heads, B.Unsqueeze(sizes[2], 0), B.Unsqueeze(sizes[3], 0))]);
    }
}

/// <summary>
/// As torch's dynamo exporter writes a decoder with a cache and no padding: angles and mask from a Range of places, shared by all sequences; the mask is a condition; keys are transposed as matrices of three axes;
/// rows that see nothing are set to 0 behind the softmax.
/// </summary>
internal sealed class DynamoForm : DecoderForm
{
    private string cosine = "", sine = "", mask = "", batch = "", rows = "", total = "";

    public override string Name => "dynamo";

    public override int Opset => 18;

    public override bool HasCache => true;

    public override bool HasPadding => false;

    protected override void Begin(string embedded)
    {
        (batch, rows) = (B.Size("input_ids", 0), B.Size("input_ids", 1));
        string past = B.Size("past_key_values.0.key", 2);
        total = B.Add(past, rows);
        string columns = B.Range(B.Squeeze(total, 0));
        string places = B.Add(B.Range(B.Squeeze(rows, 0)), past);
        string angles = B.Mul(B.Cast(B.Unsqueeze(places, 1), ElementType.Float), B.Constant(Frequencies(), "frequencies"));
        string both = B.Concat(-1, angles, angles);
        (cosine, sine) = (B.Unsqueeze(B.Cos(both), 0, 1), B.Unsqueeze(B.Sin(both), 0, 1));
        mask = B.Expand(B.LessOrEqual(B.Unsqueeze(columns, 0), B.Unsqueeze(places, 1)), B.Concat(0, batch, B.Integers(1), rows, total));
    }

    protected override string Attend(int block, string x, string query, string key, string value)
    {
        string q = Turn(Split(query, Heads)), k = Turn(Split(key, KeyHeads)), v = Split(value, KeyHeads);
        string keys = B.NodeTo([$"present.{block}.key"], "Concat", "", [$"past_key_values.{block}.key", k], Attributes.Of("axis", 2))[0];
        string values = B.NodeTo([$"present.{block}.value"], "Concat", "", [$"past_key_values.{block}.value", v], Attributes.Of("axis", 2))[0];
        string root = B.Scalar(Math.Pow(HeadSize, -0.25));
        string scores = B.MatMul(B.Mul(q, root), B.Mul(Transposed(Repeat(keys)), root));
        string weights = B.Node("Softmax", [B.Add(scores, B.Where(mask, B.Scalar(0), B.Scalar(float.NegativeInfinity)))], Attributes.Of("axis", -1));
        string guarded = B.Where(B.Node("IsNaN", [weights]), B.Scalar(0), weights);
        string mixed = B.Transpose(B.MatMul(guarded, Repeat(values)), [0, 2, 1, 3]);
        return B.Reshape(mixed, B.Concat(0, batch, rows, B.Integers(Heads * HeadSize)));
    }

    private string Split(string value, int heads) => B.Transpose(B.Reshape(value, B.Concat(0, batch, rows, B.Integers(heads), B.Integers(HeadSize))), [0, 2, 1, 3]);

    private string Turn(string value)
    {
        string[] halves = B.Split(value, B.Integers(HeadSize / 2, HeadSize / 2), 2, -1);
        return B.Add(B.Mul(value, cosine), B.Mul(B.Concat(-1, B.Neg(halves[1]), halves[0]), sine));
    }

    private string Repeat(string value)
    {
        string wide = B.Expand(B.Unsqueeze(value, 2), B.Concat(0, batch, B.Integers(KeyHeads, Heads / KeyHeads), total, B.Integers(HeadSize)));
        return B.Reshape(wide, B.Concat(0, batch, B.Integers(Heads), total, B.Integers(HeadSize)));
    }

    /// <summary>The last two axes exchanged, as matrices [heads of all sequences, rows, size].</summary>
    private string Transposed(string keys)
    {
        string shape = B.Shape(keys);
        string Part(long from, long to) => B.Node("Slice", [shape, B.Integers(from), B.Integers(to)]);
        string matrices = B.Reshape(keys, B.Concat(0, B.Integers(-1), Part(-2, -1), Part(-1, long.MaxValue)));
        return B.Reshape(B.Transpose(matrices, [0, 2, 1]), B.Concat(0, Part(0, -2), Part(-1, long.MaxValue), Part(-2, -1)));
    }
}
