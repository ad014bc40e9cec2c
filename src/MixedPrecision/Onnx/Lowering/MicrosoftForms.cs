using MixedPrecision.Diagnostics;

namespace MixedPrecision.Onnx.Lowering;

/// <summary>Fused operators of com.microsoft except attention, as ONNX Runtime's operator documentation (ContribOperators) defines them.</summary>
internal static class MicrosoftForms
{
    public static void Gelu(LoweringContext c) => c.ReturnNode("Gelu", [c.X]);

    public static void BiasGelu(LoweringContext c) => c.ReturnNode("Gelu", [c.B.Add(c.X, c.Input(1))]);

    public static void FastGelu(LoweringContext c) =>
        c.ReturnNode("Gelu", [c.HasInput(1) ? c.B.Add(c.X, c.Input(1)) : c.X], Attributes.Of("approximate", "tanh"));

    /// <summary>x·σ(αx).</summary>
    public static void QuickGelu(LoweringContext c) => Swish(c, 1.702f);

    /// <summary>ONNX's own (24).</summary>
    public static void Swish(LoweringContext c) => Swish(c, 1);

    /// <summary>α·A′·B′: transBatch moves the first axis behind the batch, trans exchanges the last two.</summary>
    public static void FusedMatMul(LoweringContext c)
    {
        string product = c.B.MatMul(
            Transposed(c, c.X, c.Node.Int("transA", 0) == 1, c.Node.Int("transBatchA", 0) == 1),
            Transposed(c, c.Input(1), c.Node.Int("transB", 0) == 1, c.Node.Int("transBatchB", 0) == 1));
        float alpha = c.Node.Float("alpha", 1);
        if (alpha == 1)
        {
            c.B.Nodes[^1].Output[0] = c.Node.Output[0];
        }
        else
        {
            c.ReturnNode("Mul", [product, c.Scalar(alpha)]);
        }
    }

    /// <summary>Gemm, then an activation.</summary>
    public static void FusedGemm(LoweringContext c)
    {
        string[] kept = ["transA", "transB", "alpha", "beta"];
        string product = c.B.Node("Gemm", [.. c.Node.Input], [.. c.Node.Attribute.Where(a => kept.Contains(a.Name))]);
        string activation = c.Node.Text("activation", "");
        AttributeProto[] attributes = [.. c.Node.Attribute.Where(a => a.Name.StartsWith("activation_", StringComparison.Ordinal) && a.Type == 1)
            .Select(a => Attributes.Of(a.Name["activation_".Length..], a.F))];
        c.ReturnNode(activation.Length > 0 ? activation : "Identity", [product], attributes);
    }

    /// <summary>Conv, then an addend, then an activation with its parameters in order.</summary>
    public static void FusedConv(LoweringContext c)
    {
        string[] inputs = [.. c.Node.Input.Take(3)];
        AttributeProto[] attributes = [.. c.Node.Attribute.Where(a => a.Name is not ("activation" or "activation_params"))];
        string result = c.B.Node("Conv", inputs, attributes);
        result = c.HasInput(3) ? c.B.Add(result, c.Input(3)) : result;
        float[] parameters = [.. c.Node.Attribute("activation_params")?.Floats ?? []];
        string activation = c.Node.Text("activation", "");
        switch (activation)
        {
            case "Clip":
                c.ReturnNode("Clip", [result, c.Scalar(parameters[0]), c.Scalar(parameters[1])]);
                break;
            case "LeakyRelu":
                c.ReturnNode("LeakyRelu", [result], Attributes.Of("alpha", parameters[0]));
                break;
            case "HardSigmoid":
                c.ReturnNode("HardSigmoid", [result], Attributes.Of("alpha", parameters[0]), Attributes.Of("beta", parameters[1]));
                break;
            default:
                c.ReturnNode(activation.Length > 0 ? activation : "Identity", [result]);
                break;
        }
    }

    /// <summary>Inputs: input, skip, γ, β, bias; outputs: normalized, mean, inverse deviation, and the sum that was normalized.</summary>
    public static void SkipLayerNormalization(LoweringContext c)
    {
        string sum = SkipSum(c, bias: 4);
        string[] statistics = [c.HasOutput(1) ? c.Node.Output[1] : "", c.HasOutput(2) ? c.Node.Output[2] : ""];
        c.B.NodeTo(
            statistics.Any(s => s.Length > 0) ? [c.Node.Output[0], .. statistics] : [c.Node.Output[0]],
            "LayerNormalization",
            "",
            c.HasInput(3) ? [sum, c.Input(2), c.Input(3)] : [sum, c.Input(2)],
            Attributes.Of("axis", -1),
            Attributes.Of("epsilon", c.Node.Float("epsilon", 1e-12f)));
    }

    /// <summary>Inputs: input, skip, γ, bias.</summary>
    public static void SkipSimplifiedLayerNormalization(LoweringContext c)
    {
        string sum = SkipSum(c, bias: 3);
        c.ReturnNode("SimplifiedLayerNormalization", [sum, c.Input(2)], Attributes.Of("axis", -1), Attributes.Of("epsilon", c.Node.Float("epsilon", 1e-12f)));
    }

    /// <summary>Word, position and segment embeddings added and normalized; the second output counts each row's unmasked tokens, the third is the sum.</summary>
    public static void EmbedLayerNormalization(LoweringContext c)
    {
        GraphBuilder b = c.B;
        string words = b.Gather(c.Input(2), c.X, 0);
        string places = c.HasInput(8) ? c.Input(8) : b.Range(b.Squeeze(b.Size(c.X, 1), 0));
        string sum = b.Add(words, b.Gather(c.Input(3), places, 0));
        if (c.HasInput(1) && c.HasInput(4))
        {
            sum = b.Add(sum, b.Gather(c.Input(4), c.Input(1), 0));
        }

        c.ReturnNode("LayerNormalization", [sum, c.Input(5), c.Input(6)], Attributes.Of("axis", -1), Attributes.Of("epsilon", c.Node.Float("epsilon", 1e-12f)));
        if (c.HasOutput(1))
        {
            string ones = c.HasInput(7) ? c.Input(7) : b.Zeros(b.Shape(c.X), ElementType.Int32);
            c.Return(b.Cast(b.ReduceSum(ones, [1]), ElementType.Int32), 1);
        }

        c.Return(sum, 2);
    }

    private static void Swish(LoweringContext c, float alpha) =>
        c.ReturnNode("Mul", [c.X, c.B.Sigmoid(c.B.Mul(c.X, c.Scalar(c.Node.Float("alpha", alpha))))]);

    private static string SkipSum(LoweringContext c, int bias)
    {
        string sum = c.B.Add(c.X, c.Input(1));
        sum = c.HasInput(bias) ? c.B.Add(sum, c.Input(bias)) : sum;
        c.Return(sum, 3);
        return sum;
    }

    private static string Transposed(LoweringContext c, string value, bool matrix, bool batch)
    {
        if (!matrix && !batch)
        {
            return value;
        }

        int rank = c.Rank(value) ?? throw Errors.RankUnknown(c.Node.Operator(), c.Node.DisplayName(), value);
        var order = Enumerable.Range(0, rank).Select(a => (long)a).ToList();
        if (batch)
        {
            order.RemoveAt(0);
            order.Insert(rank - 2, 0);
        }

        if (matrix && rank > 1)
        {
            (order[rank - 2], order[rank - 1]) = (order[rank - 1], order[rank - 2]);
        }

        return c.B.Transpose(value, order);
    }
}
