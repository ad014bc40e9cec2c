using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>
/// <c>quantize_dynamic</c>, rebuilt from the tool's public behaviour: each layer's activation through DynamicQuantizeLinear, once for all that read it; MatMul with a constant becomes MatMulInteger and two multiplications by scales, Gemm such a MatMul and Add, Conv becomes
/// ConvInteger, whose weight always has one scale, LSTM becomes DynamicQuantizeLSTM. Branches of If are left alone, and so are Gather of tables and attention, which no model here has.
/// </summary>
internal static class DynamicIntegers
{
    /// <param name="prepared">See <see cref="RivalModel"/>; not changed.</param>
    /// <param name="perChannel">The tool's <c>per_channel</c>.</param>
    /// <param name="isSigned">Whether <c>weight_type</c> is QInt8, else QUInt8.</param>
    public static ModelProto Quantize(OnnxModel prepared, bool perChannel, bool isSigned)
    {
        using var model = new OnnxModel(prepared.Proto.Clone(), prepared.Folder, prepared.DisplayName);
        GraphProto graph = model.Graph;
        HashSet<string> floats = [.. TypeInference.Infer(model).Where(t => t.Value.ElementType == ElementType.Float).Select(t => t.Key)];
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        var activations = new Dictionary<string, string[]>();
        var weights = new List<string>();
        foreach (NodeProto node in graph.Node)
        {
            if (node.Domain is not ("" or "ai.onnx") || node.Input.Count < 2 || !floats.Contains(node.Input[0]) || !floats.Contains(node.Input[1]) || model.Initializer(node.Input[1]) is not { } weight)
            {
                builder.Nodes.Add(node);
                continue;
            }

            switch (node.OpType)
            {
                case "MatMul":
                    Product(node, weight, node.Input[0], node.Output[0]);
                    break;
                case "Gemm" when node.Float("alpha", 1) == 1 && node.Float("beta", 1) == 1 && node.Int("transA", 0) == 0:
                    string product = node.Input.Count > 2 ? builder.Fresh(node.Output[0] + "_MatMul") : node.Output[0];
                    Product(node, node.Int("transB", 0) != 0 ? Transposed(weight) : weight, node.Input[0], product);
                    if (node.Input.Count > 2)
                    {
                        builder.NodeTo([node.Output[0]], "Add", "", [product, node.Input[2]]);
                    }

                    break;
                case "Conv":
                    Convolution(node, weight);
                    break;
                case "LSTM" when model.Initializer(node.Input[2]) is { } recurrent:
                    weights.AddRange([node.Input[1], node.Input[2]]);
                    DynamicLstm.Write(builder, node, weight, recurrent, perChannel);
                    break;
                default:
                    builder.Nodes.Add(node);
                    break;
            }
        }

        graph.Node.Clear();
        graph.Node.AddRange(builder.Nodes);
        graph.Initializer.AddRange(builder.Constants.Select(c => c.Value.ToProto(c.Key)));
        foreach ((string domain, long version) in builder.Domains.Where(d => model.Proto.OpsetImport.All(o => o.Domain != d.Key)))
        {
            model.Proto.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version });
        }

        ValueReaders.Drop(graph, weights);
        return model.Proto;

        void Product(NodeProto node, Tensor weight, string input, string output)
        {
            RoundedConstant rounded = isSigned ? RoundedConstants.Signed(weight, perChannel ? weight.Rank - 1 : null) : RoundedConstants.Unsigned(weight);
            Integers("MatMulInteger", node, rounded, input, output, []);
        }

        void Convolution(NodeProto node, Tensor weight)
        {
            RoundedConstant rounded = isSigned ? RoundedConstants.Signed(weight, null) : RoundedConstants.Unsigned(weight);
            bool hasBias = node.Input.Count > 2 && node.Input[2].Length > 0;
            string result = hasBias ? builder.Fresh(node.Output[0] + "_scaled") : node.Output[0];
            Integers("ConvInteger", node, rounded, node.Input[0], result, [.. node.Attribute]);
            if (hasBias)
            {
                long[] shape = [.. Enumerable.Range(0, weight.Rank).Select(axis => axis == 1 ? -1L : 1)];
                builder.NodeTo([node.Output[0]], "Add", "", [result, builder.Node("Reshape", [node.Input[2], builder.Integers(shape)])]);
            }
        }

        void Integers(string operatorType, NodeProto node, RoundedConstant weight, string input, string output, AttributeProto[] attributes)
        {
            weights.Add(node.Input[1]);
            if (!activations.TryGetValue(input, out string[]? x))
            {
                activations.Add(input, x = builder.NodeWithOutputs("DynamicQuantizeLinear", 3, [input]));
            }

            string w = builder.Constant(weight.Values, node.Input[1] + "_quantized"), zeros = builder.Constant(weight.ZeroPoints, "zero_point");
            string sums = builder.Cast(builder.Node(operatorType, [x[0], w, x[2], zeros], attributes), ElementType.Float);
            builder.NodeTo([output], "Mul", "", [sums, builder.Mul(x[1], builder.Constant(weight.Scales, "scale"))]);
        }
    }

    private static Tensor Transposed(Tensor matrix)
    {
        int rows = (int)matrix.Shape[0], columns = (int)matrix.Shape[1];
        ReadOnlySpan<float> values = matrix.Values<float>();
        var turned = new float[values.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                turned[(column * rows) + row] = values[(row * columns) + column];
            }
        }

        return Tensor.Of<float>(turned, columns, rows);
    }
}
