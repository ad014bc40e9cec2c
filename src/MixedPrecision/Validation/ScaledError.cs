using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Quantization;

namespace MixedPrecision.Validation;

/// <summary>
/// A model with the error of one layer in a format times a factor: y + k(y_f − y) in place of y. What calibration found of the format scales with it exactly, δ by k and the rise by k². As in calibration, y_f of a format that holds values in
/// ranges has the rounded weight alone, and one that balances channels reads its input divided.
/// </summary>
internal static class ScaledError
{
    /// <param name="model">The original; not changed.</param>
    /// <param name="site">The layer.</param>
    /// <param name="format">A format that it can run in; not the baseline.</param>
    /// <param name="factor">k, above 0.</param>
    /// <param name="weight">The tensor of a weight, by its value name.</param>
    /// <param name="preparations">Where prepared constants are kept.</param>
    public static ModelProto Emit(OnnxModel model, LayerSite site, NumberFormat format, double factor, Func<string, Tensor> weight, Preparations preparations)
    {
        ModelProto emitted = model.Proto.Clone();
        GraphProto graph = emitted.Graph;
        int opset = OperatorSets.Raise(emitted, format.Opset);
        string output = site.Layer.Output;
        int index = graph.Node.ToList().FindIndex(n => n.Output.Contains(output));
        NodeProto node = graph.Node[index];
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string exact = b.Fresh("exact"), rounded = b.Fresh("rounded");
        LayerSite own = site with { Node = node.Clone(), Opset = opset, Source = null };
        node.Output[0] = exact;
        Round(b, own, format, rounded, weight, preparations);
        string Scaled(string y, string rounded) => b.Mul(b.Sub(rounded, y), b.Scalar(factor));
        if (HalfPrecision.IsHalf(site.Input.ElementType))
        {
            string wide = b.Cast(exact, ElementType.Float);
            b.NodeTo([output], "Cast", "", [b.Add(wide, Scaled(wide, b.Cast(rounded, ElementType.Float)))], Attributes.Of("to", (long)site.Input.ElementType));
        }
        else
        {
            b.NodeTo([output], "Add", "", [exact, Scaled(exact, rounded)]);
        }

        List<NodeProto> nodes = [.. graph.Node];
        nodes.InsertRange(index + 1, b.Nodes);
        graph.Node.Clear();
        graph.Node.AddRange(nodes);
        graph.Initializer.AddRange(b.Constants.Select(c => c.Value.ToProto(c.Key)));
        emitted.OpsetImport.AddRange(b.Domains.Where(d => emitted.OpsetImport.All(o => o.Domain != d.Key)).Select(d => new OperatorSetIdProto { Domain = d.Key, Version = d.Value }));
        return emitted;
    }

    private static void Round(GraphBuilder b, LayerSite site, NumberFormat format, string rounded, Func<string, Tensor> weight, Preparations preparations)
    {
        if (format.BalancesChannels && site.Balance is not null)
        {
            string balanced = b.Node("Div", [site.Layer.Input, b.Constant(Tensor.Of<float>(site.Balance.Scales, site.InputSize), "channels")]);
            site = site.Balanced() with { Layer = site.Layer with { Input = balanced } };
        }

        if (format.HeldWeight is not { } held)
        {
            LayerRewriter.Emit(b, site, format, weight, [], rounded, preparations);
            return;
        }

        string constant = b.Constant(held(site, preparations.Get(site, format, weight(site.Layer.Weight))), "held");
        b.NodeTo([rounded], site.Node.OpType, "", site.Layer.Bias is string bias ? [site.Layer.Input, constant, bias] : [site.Layer.Input, constant], [.. site.Node.Attribute]);
    }
}
