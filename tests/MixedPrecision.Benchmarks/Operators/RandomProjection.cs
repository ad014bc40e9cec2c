using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Operators;

/// <summary>The ways in which a caller may write the loss.</summary>
internal enum LossForm
{
    /// <summary>ReduceSum over all axes, none named.</summary>
    AllAxes,

    /// <summary>ReduceSum with its axes named: an attribute before operator set 13, an input from then on.</summary>
    NamedAxes,

    /// <summary>An inner product of flattened values.</summary>
    InnerProduct,
}

/// <summary>A random projection of all floating outputs of a model, as its loss.</summary>
/// <param name="weights">Output → weights, of the output's shape and type.</param>
internal sealed class RandomProjection(IReadOnlyDictionary<string, Tensor> weights)
{
    public const string Loss = "projected loss";

    public static RandomProjection Draw(IReadOnlyDictionary<string, Tensor> outputs, int seed)
    {
        var random = new Random(seed);
        return new RandomProjection(outputs.Where(o => ElementType.IsFloating(o.Value.ElementType)).ToDictionary(
            o => o.Key, o => Reals.ToTensor([.. Enumerable.Range(0, (int)o.Value.Count).Select(_ => Reals.Normal(random))], o.Value.Shape, o.Value.ElementType)));
    }

    public bool IsEmpty => weights.Count == 0;

    /// <summary>The terms whose sum is the loss.</summary>
    public double[] Terms(IReadOnlyDictionary<string, Tensor> outputs) =>
        [.. weights.SelectMany(w => Reals.Of(outputs[w.Key]).Zip(Reals.Of(w.Value), (y, r) => y * r))];

    /// <summary>The model with the loss as its only output, in the operators of its own set.</summary>
    public ModelProto AppendTo(ModelProto model, int opset, LossForm form)
    {
        ModelProto projected = model.Clone();
        var builder = new GraphBuilder(GraphBuilder.NamesIn(projected.Graph), "projection/");
        bool same = weights.Values.Select(w => w.ElementType).Distinct().Count() == 1;
        string[] sums = [.. weights.Select(w => Sum(builder, w.Key, w.Value, opset, form)).Select(s => same ? s : builder.Cast(s, ElementType.Double))];
        string total = sums.Aggregate((a, b) => builder.Node("Add", [a, b]));
        builder.NodeTo([Loss], "Identity", "", [total]);
        builder.AppendTo(projected.Graph);
        projected.Graph.Output.Clear();
        projected.Graph.Output.Add(new TensorType(same ? weights.Values.First().ElementType : ElementType.Double, []).ToProto(Loss));
        return projected;
    }

    private static string Sum(GraphBuilder b, string value, Tensor weight, int opset, LossForm form)
    {
        const int ReshapeByInput = 5, AxesByInput = 13;
        string Flat(string tensor) => opset < ReshapeByInput ? b.Node("Reshape", [tensor], Attributes.Of("shape", [-1L])) : b.Node("Reshape", [tensor, b.Integers(-1)]);
        if (form == LossForm.InnerProduct && weight.Count > 0)
        {
            return b.Node("MatMul", [Flat(value), b.Constant(new Tensor(weight.ElementType, [weight.Count], weight.Bytes), "weights")]);
        }

        string product = b.Node("Mul", [value, b.Constant(weight, "weights")]);
        long[] axes = [.. Enumerable.Range(0, weight.Rank).Select(a => (long)a)];
        AttributeProto keep = Attributes.Of("keepdims", 0);
        return form != LossForm.NamedAxes || axes.Length == 0 ? b.Node("ReduceSum", [product], keep)
            : opset < AxesByInput ? b.Node("ReduceSum", [product], keep, Attributes.Of("axes", axes))
            : b.Node("ReduceSum", [product, b.Integers(axes)], keep);
    }
}
