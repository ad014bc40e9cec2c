using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>
/// Decoders of two blocks, as exporters write them: token ids → logits. Rotary positions, heads of keys and values that several heads of queries share; random weights. What differs from
/// exporter to exporter, positions, masks, heads and the product of attention, is for each form to write.
/// </summary>
internal abstract class DecoderForm
{
    public const int Blocks = 2, Width = 48, Heads = 4, KeyHeads = 2, HeadSize = 16, Vocabulary = 32;

    protected static readonly Dimension Batch = new(null, "batch"), Sequence = new(null, "sequence"), Past = new(null, "past"), Total = new(null, "total");

    private readonly Random random = new(7);

    /// <summary>What the form's tests are called.</summary>
    public abstract string Name { get; }

    public abstract int Opset { get; }

    /// <summary>Whether keys and values of earlier rows come in and those of all rows go out.</summary>
    public abstract bool HasCache { get; }

    /// <summary>Whether padding may be left out of sight.</summary>
    public abstract bool HasPadding { get; }

    /// <summary>Sizes that are fixed, or null.</summary>
    public virtual (int Batch, int Rows)? Fixed => null;

    protected GraphProto Graph { get; } = new() { Name = "main_graph" };

    protected GraphBuilder B { get; } = new(["input_ids", "attention_mask", "position_ids", "logits"]);

    public override string ToString() => Name;

    public ModelProto Build()
    {
        (Dimension batch, Dimension rows) = Fixed is var (b, r) ? (Dimension.Of(b), Dimension.Of(r)) : (Batch, Sequence);
        Graph.Input.Add(new TensorType(ElementType.Int64, [batch, rows]).ToProto("input_ids"));
        if (HasPadding)
        {
            Graph.Input.Add(new TensorType(ElementType.Int64, [batch, Total]).ToProto("attention_mask"));
            Graph.Input.Add(new TensorType(ElementType.Int64, [batch, rows]).ToProto("position_ids"));
        }

        foreach (string cache in HasCache ? Enumerable.Range(0, Blocks).SelectMany(n => new[] { $"past_key_values.{n}.key", $"past_key_values.{n}.value" }) : [])
        {
            Graph.Input.Add(new TensorType(ElementType.Float, [batch, Dimension.Of(KeyHeads), Past, Dimension.Of(HeadSize)]).ToProto(cache));
        }

        string x = B.Gather(Weight(Vocabulary, Width), "input_ids", 0);
        Begin(x);
        for (int block = 0; block < Blocks; block++)
        {
            string normal = Norm(x);
            string mixed = Attend(block, normal, Project(normal, Heads), Project(normal, KeyHeads), Project(normal, KeyHeads));
            x = B.Add(x, B.MatMul(mixed, Weight(Heads * HeadSize, Width)));
            normal = Norm(x);
            x = B.Add(x, B.MatMul(B.Mul(B.Sigmoid(B.MatMul(normal, Weight(Width, 64))), B.MatMul(normal, Weight(Width, 64))), Weight(64, Width)));
        }

        B.NodeTo(["logits"], "MatMul", "", [Norm(x), Weight(Width, Vocabulary)]);
        Graph.Output.Add(new TensorType(ElementType.Float, [batch, rows, Dimension.Of(Vocabulary)]).ToProto("logits"));
        foreach (string cache in HasCache ? Enumerable.Range(0, Blocks).SelectMany(n => new[] { $"present.{n}.key", $"present.{n}.value" }) : [])
        {
            Graph.Output.Add(new TensorType(ElementType.Float, [batch, Dimension.Of(KeyHeads), Total, Dimension.Of(HeadSize)]).ToProto(cache));
        }

        B.AppendTo(Graph);
        var model = new ModelProto { IrVersion = 8, Graph = Graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = Opset });
        foreach (string domain in B.Domains.Keys)
        {
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = 1 });
        }

        return model;
    }

    /// <summary>Inputs of these sizes, those of the model's own number.</summary>
    /// <param name="padded">Whether the first rows of the sequences but the first are padding.</param>
    public Dictionary<string, Tensor> Inputs(int batch, int rows, int past, bool padded)
    {
        var draw = new Random((((batch * 100) + rows) * 100) + past);
        int total = past + rows;
        long Padding(int sequence) => padded ? Math.Min(sequence, total - 1) : 0;
        var inputs = new Dictionary<string, Tensor>
        {
            ["input_ids"] = Tensor.Of<long>([.. Enumerable.Range(0, batch * rows).Select(_ => draw.NextInt64(Vocabulary))], batch, rows),
            ["attention_mask"] = Tensor.Of<long>([.. Enumerable.Range(0, batch * total).Select(i => i % total < Padding(i / total) ? 0L : 1)], batch, total),
            ["position_ids"] = Tensor.Of<long>([.. Enumerable.Range(0, batch * rows).Select(i => Math.Max(0, past + (i % rows) - Padding(i / rows)))], batch, rows),
        };
        foreach (string name in Enumerable.Range(0, Blocks).SelectMany(n => new[] { $"past_key_values.{n}.key", $"past_key_values.{n}.value" }))
        {
            inputs[name] = Tensor.Of<float>([.. Enumerable.Range(0, batch * KeyHeads * past * HeadSize).Select(_ => (float)((2 * draw.NextDouble()) - 1))], batch, KeyHeads, past, HeadSize);
        }

        return inputs;
    }

    /// <summary>What all blocks share: masks and tables.</summary>
    protected abstract void Begin(string embedded);

    /// <summary>Attention of [batch, rows, heads·size], with results under the names of the cache's outputs.</summary>
    protected abstract string Attend(int block, string x, string query, string key, string value);

    protected string Weight(params long[] shape)
    {
        double scale = 1 / Math.Sqrt(shape[0]);
        return B.Constant(Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)(((2 * random.NextDouble()) - 1) * 1.7 * scale))], shape), "weight");
    }

    protected virtual string Project(string x, int heads) => B.MatMul(x, Weight(Width, heads * HeadSize));

    /// <summary>Cosines or sines of place · frequency, [places, size of a head], of which the halves are equal.</summary>
    protected static Tensor Table(int places, Func<double, double> function) => Tensor.Of<float>(
        [.. Enumerable.Range(0, places * HeadSize).Select(i => (float)function((i / HeadSize) * Frequency(i % (HeadSize / 2))))], places, HeadSize);

    protected static Tensor Frequencies() => Tensor.Of<float>([.. Enumerable.Range(0, HeadSize / 2).Select(i => (float)Frequency(i))], 1, HeadSize / 2);

    private static double Frequency(int i) => Math.Pow(100, -2.0 * i / HeadSize);

    private string Norm(string x)
    {
        string mean = B.Node("ReduceMean", Opset < 18 ? [B.Square(x)] : [B.Square(x), B.Integers(-1)], Opset < 18 ? [Attributes.Of("axes", new long[] { -1 })] : []);
        return B.Mul(B.Div(x, B.Sqrt(B.Add(mean, B.Scalar(1e-5)))), Weight(Width));
    }
}
