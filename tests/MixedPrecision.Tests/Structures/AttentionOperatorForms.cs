using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>
/// As builders write a decoder straight into operators of opset 23: heads side by side, rotation by RotaryEmbedding at given positions, the cache inside of a causal Attention that shares heads.
/// </summary>
internal sealed class BuilderForm : DecoderForm
{
    private string cosine = "", sine = "";

    public override string Name => "builder, opset 23";

    public override int Opset => 23;

    public override bool HasCache => true;

    public override bool HasPadding => true;

    protected override void Begin(string embedded)
    {
        string Half(Func<double, double> function) => B.Constant(Tensor.Of<float>([.. Table(64, function).Values<float>().ToArray().Where((_, i) => i % HeadSize < HeadSize / 2)], 64, HeadSize / 2), "table");
        (cosine, sine) = (Half(Math.Cos), Half(Math.Sin));
    }

    protected override string Attend(int block, string x, string query, string key, string value)
    {
        string Turn(string heads, int count) => B.Node("RotaryEmbedding", [heads, cosine, sine, "position_ids"], Attributes.Of("num_heads", count));
        string kept = B.Cast(B.Unsqueeze("attention_mask", 1, 2), ElementType.Bool);
        string mask = B.Expand(kept, B.Concat(0, B.Size("attention_mask", 0), B.Integers(1), B.Size("input_ids", 1), B.Size("attention_mask", 1)));
        string[] outputs = [B.Fresh("attention"), $"present.{block}.key", $"present.{block}.value"];
        return B.NodeTo(
            outputs, "Attention", "", [Turn(query, Heads), Turn(key, KeyHeads), value, mask, $"past_key_values.{block}.key", $"past_key_values.{block}.value"],
            Attributes.Of("is_causal", 1), Attributes.Of("q_num_heads", Heads), Attributes.Of("kv_num_heads", KeyHeads), Attributes.Of("scale", 0.3f))[0];
    }
}

/// <summary>
/// As torch's dynamo exporter writes scaled_dot_product_attention with a cache for opset 23: heads apart, rotation written out, keys and values joined to the past before a causal and padding mask of
/// truth values.
/// </summary>
internal sealed class TorchOperatorForm : DecoderForm
{
    private string cosine = "", sine = "", mask = "", batch = "", rows = "";

    public override string Name => "dynamo, opset 23";

    public override int Opset => 23;

    public override bool HasCache => true;

    public override bool HasPadding => true;

    protected override void Begin(string embedded)
    {
        (batch, rows) = (B.Size("input_ids", 0), B.Size("input_ids", 1));
        string past = B.Squeeze(B.Size("past_key_values.0.key", 2), 0), total = B.Size("attention_mask", 1);
        string angles = B.Mul(B.Unsqueeze(B.Cast("position_ids", ElementType.Float), 2), B.Constant(Frequencies(), "frequencies"));
        string both = B.Concat(-1, angles, angles);
        (cosine, sine) = (B.Unsqueeze(B.Cos(both), 1), B.Unsqueeze(B.Sin(both), 1));
        string places = B.Add(B.Range(B.Squeeze(rows, 0)), past);
        string causal = B.LessOrEqual(B.Range(B.Squeeze(total, 0)), B.Unsqueeze(places, 1));
        mask = B.And(B.Unsqueeze(causal, 0, 1), B.Cast(B.Unsqueeze("attention_mask", 1, 2), ElementType.Bool));
    }

    protected override string Attend(int block, string x, string query, string key, string value)
    {
        string q = Turn(Split(query, Heads)), k = Turn(Split(key, KeyHeads)), v = Split(value, KeyHeads);
        string keys = B.NodeTo([$"present.{block}.key"], "Concat", "", [$"past_key_values.{block}.key", k], Attributes.Of("axis", -2))[0];
        string values = B.NodeTo([$"present.{block}.value"], "Concat", "", [$"past_key_values.{block}.value", v], Attributes.Of("axis", -2))[0];
        string result = B.Node("Attention", [q, keys, values, mask], Attributes.Of("scale", 0.25f));
        return B.Reshape(B.Transpose(result, [0, 2, 1, 3]), B.Concat(0, batch, rows, B.Integers(Heads * HeadSize)));
    }

    private string Split(string value, int heads) => B.Transpose(B.Reshape(value, B.Concat(0, batch, rows, B.Integers(heads), B.Integers(HeadSize))), [0, 2, 1, 3]);

    private string Turn(string value)
    {
        string[] halves = B.Split(value, B.Integers(HeadSize / 2, HeadSize / 2), 2, -1);
        return B.Add(B.Mul(value, cosine), B.Mul(B.Concat(-1, B.Neg(halves[1]), halves[0]), sine));
    }
}

/// <summary>
/// Operators of opset 24 without a cache, heads apart: rotation by tables that hold a row for each row of a sequence, a mask that is an addend or none, and is_causal.
/// </summary>
internal sealed class PromptOperatorForm(bool hasMask) : DecoderForm
{
    private string cosine = "", sine = "", mask = "";

    public override string Name => hasMask ? "prompt with an addend, opset 24" : "prompt, opset 24";

    public override int Opset => 24;

    public override bool HasCache => false;

    public override bool HasPadding => hasMask;

    protected override void Begin(string embedded)
    {
        string rows = B.Size("input_ids", 1), batch = B.Size("input_ids", 0);
        string angles = B.Mul(B.Unsqueeze(B.Cast(B.Range(B.Squeeze(rows, 0)), ElementType.Float), 1), B.Constant(Frequencies(), "frequencies"));
        string Table(string values) => B.Expand(B.Unsqueeze(values, 0), B.Concat(0, batch, rows, B.Integers(HeadSize / 2)));
        (cosine, sine) = (Table(B.Cos(angles)), Table(B.Sin(angles)));
        if (hasMask)
        {
            string hidden = B.Mul(B.Sub(B.Scalar(1), B.Cast(B.Unsqueeze("attention_mask", 1, 2), ElementType.Float)), B.Scalar(float.MinValue));
            mask = B.Expand(hidden, B.Concat(0, batch, B.Integers(1), rows, rows));
        }
    }

    protected override string Attend(int block, string x, string query, string key, string value)
    {
        string Split(string heads, int count) => B.Transpose(B.Reshape0(heads, 0, 0, count, HeadSize), [0, 2, 1, 3]);
        string Turn(string heads) => B.Node("RotaryEmbedding", [heads, cosine, sine]);
        string[] masks = hasMask ? [mask] : [];
        string result = B.Node("Attention", [Turn(Split(query, Heads)), Turn(Split(key, KeyHeads)), Split(value, KeyHeads), .. masks], Attributes.Of("is_causal", 1));
        return B.Reshape0(B.Transpose(result, [0, 2, 1, 3]), 0, 0, Heads * HeadSize);
    }
}
