using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>
/// The gradient of a large weight matrix, ẇ = xᵀẏ (times Gemm's alpha), some output columns at a time, so that a weight's size is
/// never needed twice. Layers of equal shape share the session.
/// </summary>
internal sealed class WeightGradient(int threads, long tileBytes) : IDisposable
{
    private readonly Dictionary<(int Inputs, int Outputs, bool Transposed, float Alpha), Session> sessions = [];

    /// <summary>Gives the gradient of one sample, part by part.</summary>
    /// <param name="x">[…, K].</param>
    /// <param name="gradient">ẏ, […, N].</param>
    /// <param name="add">Takes some columns of ẇ, in the weight's layout, and the number of the first.</param>
    public void Add(LayerSite site, Tensor x, Tensor gradient, Action<ReadOnlySpan<float>, int> add, CancellationToken cancel)
    {
        int inputs = site.InputSize, outputs = site.OutputSize;
        float alpha = site.Node.OpType == "Gemm" ? site.Node.Float("alpha", 1) : 1;
        var key = (inputs, outputs, site.IsWeightTransposed, alpha);
        Session? session;
        lock (sessions)
        {
            if (!sessions.TryGetValue(key, out session))
            {
                sessions.Add(key, session = Build(site.IsWeightTransposed, alpha));
            }
        }

        int tile = (int)Math.Max(1, tileBytes / sizeof(float) / inputs);
        for (int first = 0; first < outputs; first += tile)
        {
            int last = Math.Min(first + tile, outputs);
            using RunResults results = session.RunInPlace(
                new Dictionary<string, Tensor>
                {
                    ["x"] = new(x.ElementType, [x.Count / inputs, inputs], x.Bytes),
                    ["upstream"] = new(gradient.ElementType, [gradient.Count / outputs, outputs], gradient.Bytes),
                    ["first"] = Tensor.Of<long>([first], 1),
                    ["last"] = Tensor.Of<long>([last], 1),
                },
                cancel);
            add(results.Tensors["gradient"].Values<float>(), first);
        }
    }

    public void Dispose()
    {
        foreach (Session session in sessions.Values)
        {
            session.Dispose();
        }
    }

    private Session Build(bool transposed, float alpha)
    {
        var matrix = new TensorType(ElementType.Float, [Dimension.Unknown, Dimension.Unknown]);
        var index = new TensorType(ElementType.Int64, [Dimension.Of(1)]);
        var graph = new GraphProto { Name = "weight gradient" };
        graph.Input.AddRange([matrix.ToProto("x"), matrix.ToProto("upstream"), index.ToProto("first"), index.ToProto("last")]);
        graph.Output.Add(matrix.ToProto("gradient"));
        var b = new GraphBuilder(["x", "upstream", "first", "last", "gradient"]);
        string columns = b.Node("Slice", ["upstream", "first", "last", b.Integers(1)]);
        b.NodeTo(["gradient"], "FusedMatMul", "com.microsoft", transposed ? [columns, "x"] : ["x", columns], Attributes.Of("transA", 1), Attributes.Of("alpha", alpha));
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 10, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 21 });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return Session.Create(model, SessionSettings.Default with { Threads = threads });
    }
}
