using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Execution;

/// <summary>Models with values that a probe of types cannot hand out, or sizes that it must not assume.</summary>
internal static class TypeModels
{
    /// <summary>chosen = wide ? x·a : x·b, where a has 64 rows and b has 32; y = chosen·w.</summary>
    public static ModelProto Branches()
    {
        ModelProto model = Model(17, [("x", ElementType.Float, [-1, -1]), ("wide", ElementType.Bool, [])], "y");
        model.Graph.Initializer.Add(Weight("w", 16, 8));
        GraphProto Branch(string weight, int rows)
        {
            var branch = new GraphProto { Name = weight, Initializer = { Weight(weight, rows, 16) } };
            branch.Node.Add(new NodeProto { OpType = "MatMul", Name = $"inner {weight}", Input = { "x", weight }, Output = { $"of {weight}" } });
            branch.Output.Add(new ValueInfoProto { Name = $"of {weight}", Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = ElementType.Float } } });
            return branch;
        }

        model.Graph.Node.Add(new NodeProto
        {
            OpType = "If",
            Input = { "wide" },
            Output = { "chosen" },
            Attribute = { Attributes.Of("then_branch", Branch("a", 64)), Attributes.Of("else_branch", Branch("b", 32)) },
        });
        model.Graph.Node.Add(new NodeProto { OpType = "MatMul", Name = "layer", Input = { "chosen", "w" }, Output = { "y" } });
        return model;
    }

    /// <summary>x → narrow, of 4 bits → wide, a float again; y = wide·w.</summary>
    public static ModelProto FourBits()
    {
        ModelProto model = Model(21, [("x", ElementType.Float, [-1, 32])], "y");
        model.Graph.Initializer.Add(Tensor.Scalar(0.1f).ToProto("scale"));
        model.Graph.Initializer.Add(new TensorProto { Name = "zero", DataType = ElementType.Int4, RawData = ByteString.CopyFrom(0) });
        model.Graph.Initializer.Add(Weight("w", 32, 16));
        model.Graph.Node.Add(new NodeProto { OpType = "QuantizeLinear", Input = { "x", "scale", "zero" }, Output = { "narrow" } });
        model.Graph.Node.Add(new NodeProto { OpType = "Transpose", Input = { "narrow" }, Output = { "turned" }, Attribute = { Attributes.Of("perm", [0L, 1L]) } });
        model.Graph.Node.Add(new NodeProto { OpType = "DequantizeLinear", Input = { "turned", "scale", "zero" }, Output = { "wide" } });
        model.Graph.Node.Add(new NodeProto { OpType = "MatMul", Name = "layer", Input = { "wide", "w" }, Output = { "y" } });
        return model;
    }

    /// <summary>y = relu(x·dequantized(w4))·w.</summary>
    public static ModelProto FourBitWeight()
    {
        ModelProto model = Model(21, [("x", ElementType.Float, [-1, 32])], "y");
        var packed = new TensorProto { Name = "w4", DataType = ElementType.Int4, Dims = { 32, 16 } };
        packed.Int32Data.AddRange(Enumerable.Range(0, 256));
        model.Graph.Initializer.Add(packed);
        model.Graph.Initializer.Add(Tensor.Of<float>([.. Enumerable.Repeat(0.1f, 2 * 16)], 2, 16).ToProto("scale"));
        model.Graph.Initializer.Add(Weight("w", 16, 8));
        model.Graph.Node.Add(new NodeProto { OpType = "DequantizeLinear", Input = { "w4", "scale" }, Output = { "dense" }, Attribute = { Attributes.Of("axis", 0), Attributes.Of("block_size", 16) } });
        model.Graph.Node.Add(new NodeProto { OpType = "MatMul", Name = "quantized", Input = { "x", "dense" }, Output = { "a" } });
        model.Graph.Node.Add(new NodeProto { OpType = "Relu", Input = { "a" }, Output = { "b" } });
        model.Graph.Node.Add(new NodeProto { OpType = "MatMul", Name = "layer", Input = { "b", "w" }, Output = { "y" } });
        return model;
    }

    /// <summary>y = x·w, and the name of the largest score.</summary>
    public static ModelProto Labels()
    {
        ModelProto model = Model(17, [("x", ElementType.Float, [-1, 32])], "y");
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx.ml", Version = 3 });
        var names = new TensorProto { Name = "names", DataType = ElementType.String, Dims = { 3 } };
        names.StringData.AddRange(new[] { "a", "b", "c" }.Select(ByteString.CopyFromUtf8));
        model.Graph.Initializer.Add(names);
        model.Graph.Initializer.Add(Weight("w", 32, 3));
        model.Graph.Node.Add(new NodeProto { OpType = "MatMul", Name = "layer", Input = { "x", "w" }, Output = { "y" } });
        model.Graph.Node.Add(new NodeProto { OpType = "ArgMax", Input = { "y" }, Output = { "largest" }, Attribute = { Attributes.Of("axis", 1), Attributes.Of("keepdims", 0) } });
        model.Graph.Node.Add(new NodeProto { OpType = "ArrayFeatureExtractor", Domain = "ai.onnx.ml", Input = { "names", "largest" }, Output = { "label" } });
        model.Graph.Output.Add(new ValueInfoProto { Name = "label", Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = ElementType.String } } });
        return model;
    }

    private static ModelProto Model(int opset, (string Name, int Type, long[] Shape)[] inputs, string output)
    {
        var graph = new GraphProto { Name = "types" };
        graph.Input.AddRange(inputs.Select(i => new TensorType(i.Type, [.. i.Shape.Select((s, d) => s < 0 ? new Dimension(null, $"{i.Name}{d}") : Dimension.Of(s))]).ToProto(i.Name)));
        graph.Output.Add(new ValueInfoProto { Name = output, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = ElementType.Float } } });
        var model = new ModelProto { IrVersion = 10, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = opset });
        return model;
    }

    private static TensorProto Weight(string name, params long[] shape)
    {
        var random = new Random(name[0]);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => random.NextSingle() - 0.5f)], shape).ToProto(name);
    }
}
