using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Operators as older operator sets wrote them. The name of a row ends in the operator whose upgrade it checks.</summary>
internal static class OldFormCases
{
    public const string Prefix = "old form of ";

    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        .. new[] { "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare" }.Select(Reduction),
        Old("Squeeze", Draw.OneOf(1, 7, 11), from shape in Draw.Rank(0, 2) from x in Draw.Real([1, .. shape, 1]) select Node([x], [Attributes.Of("axes", [0, shape.Length + 1])])),
        Old("Unsqueeze", Draw.OneOf(1, 7, 11), from shape in Draw.Rank(0, 2) from x in Draw.Real(shape) select Node([x], [Attributes.Of("axes", [0, shape.Length + 1])])),
        Old("Reshape", Draw.OneOf(5, 13), from size in Draw.Size from x in Draw.Real(size, 2, 3) select Node([x, Operand.Of(0, -1)], [])),
        Old("Concat", Draw.OneOf(4, 7, 11), from size in Draw.Size.Array[3] from x in Draw.Real(size[0], size[1]) from y in Draw.Real(size[0], size[2]) select Node([x, y], [Attributes.Of("axis", 1)])),
        Old("Cast", Draw.OneOf(6, 9), from shape in Draw.Shape from x in Draw.Real(shape) select Node([x], [Attributes.Of("to", ElementType.Float)]), floatOnly: true),
        Old("Clip", Draw.OneOf(6, 10), from shape in Draw.Shape from x in Draw.Real(Values.AwayFrom(1, -0.5, 0.5), shape) select Node([x], [Attributes.Of("max", 0.5f), Attributes.Of("min", -0.5f)]), floatOnly: true),
        Old("Dropout", Draw.OneOf(7, 10), from shape in Draw.Rank(1, 3) from x in Draw.Real(shape) select Node([x], [Attributes.Of("ratio", 0.3f)])),
        Old("BatchNormalization", Draw.OneOf(7, 9), from x in Draw.Real(3, 2, 2) from p in Draw.Real(2).Array[3] from v in Draw.Real(Values.Positive, 2) select Node([x, .. p, v], [Attributes.Of("momentum", 0.8f)])),
        Old("Gemm", Draw.OneOf(7, 9), from a in Draw.Real(2, 3) from b in Draw.Real(3, 4) from c in Draw.Real(4) select Node([a, b, c], [Attributes.Of("alpha", 0.5f), Attributes.Of("beta", 1.5f)])),
        Old("Pad", Draw.OneOf(2, 10), from x in Draw.Real(2, 3) from mode in Draw.OneOf("constant", "reflect", "edge") select Node([x], [Attributes.Of("pads", [1, 0, 0, 2]), Attributes.Of("mode", mode), Attributes.Of("value", 0.7f)])),
        Old("Slice", Draw.OneOf(1, 9), from x in Draw.Real(3, 4) from axes in Gen.Bool select Node([x], [Attributes.Of("starts", [1, 0]), Attributes.Of("ends", [100, -1]), .. axes ? [Attributes.Of("axes", [0, 1])] : Array.Empty<AttributeProto>()])),
        Old("Split", Draw.OneOf(2, 11), from x in Draw.Real(2, 6) from given in Gen.Bool select Node([x], [Attributes.Of("axis", 1), .. given ? [Attributes.Of("split", [2, 3, 1])] : Array.Empty<AttributeProto>()]), outputs: 3),
        Old("TopK", Draw.OneOf(1, 9), from x in Draw.Distinct(3, 4) select Node([x], [Attributes.Of("k", 2), Attributes.Of("axis", 1)]), outputs: 2),
        Old("LpPool", Draw.OneOf(2, 11), from x in Draw.Real(Values.NotSmall, 1, 2, 4, 4) select Node([x], [Attributes.Of("kernel_shape", [2, 2]), Attributes.Of("p", 3)]), floatOnly: true),
        Old("GlobalLpPool", Draw.OneOf(2), from x in Draw.Real(Values.NotSmall, 1, 2, 4, 4) select Node([x], [Attributes.Of("p", 3)]), floatOnly: true),
        Old("GridSample", Draw.OneOf(16), from x in Draw.Real(1, 2, 3, 3) select Node([x, new Operand([1, 1, 1, 2], [0.23, -0.31], null)], [Attributes.Of("mode", "bilinear")]), floatOnly: true),
        Old("RoiAlign", Draw.OneOf(10), from x in Draw.Real(1, 2, 4, 4) select Node([x, new Operand([1, 4], [0.3, 0.4, 2.6, 2.7], null, Checked: false), Operand.Of(0)], [Attributes.Of("sampling_ratio", 2)]), floatOnly: true),
        Old("Scatter", Draw.OneOf(9), from x in Draw.Real(3, 4) from updates in Draw.Real(1, 2) select Node([x, Operand.Of(Tensor.Of<long>([1, 3], 1, 2)), updates], [Attributes.Of("axis", 1)])),
        Old("Upsample", Draw.OneOf(7), from x in Draw.Real(1, 2, 2, 3) from mode in Draw.OneOf("nearest", "linear") select Node([x], [Attributes.Of("mode", mode), Floats("scales", 1, 1, 2, 3)]), floatOnly: true),
        Old("Resize", Draw.OneOf(10), from x in Draw.Real(1, 2, 4, 4) from mode in Draw.OneOf("nearest", "linear") from factors in Draw.OneOf(0.5f, 0.75f, 1, 1.5f).Array[2] from constant in Gen.Bool select Node([x, Operand.Of(Tensor.Of<float>([1, 1, .. factors], 4), constant)], [Attributes.Of("mode", mode)]), floatOnly: true),
        .. new[] { "Softmax", "LogSoftmax" }.Select(name => Old(name, Draw.OneOf(1, 11), from shape in Draw.Rank(2, 4) from x in Draw.Real(shape) from axis in Gen.Long[0, shape.Length - 1] select Node([x], [Attributes.Of("axis", axis)]))),
        Old("Hardmax", Draw.OneOf(1, 11), from shape in Draw.Rank(2, 4) from x in Draw.Distinct(shape) from axis in Gen.Long[0, shape.Length - 1] select Node([x], [Attributes.Of("axis", axis)]), floatOnly: true),
        .. new[] { "Add", "Sub", "Mul" }.Select(name => Old(name, Draw.OneOf(7), from shapes in Draw.Broadcast(2) from x in Draw.Real(shapes[0]) from y in Draw.Real(shapes[1]) select Node([x, y], []))),
        Old("Div", Draw.OneOf(7), from shapes in Draw.Broadcast(2) from x in Draw.Real(shapes[0]) from y in Draw.Real(Values.NotSmall, shapes[1]) select Node([x, y], [])),
        Old("Pow", Draw.OneOf(7), from shapes in Draw.Broadcast(2) from x in Draw.Real(Values.Positive, shapes[0]) from y in Draw.Real(shapes[1]) select Node([x, y], [])),
        Old("PRelu", Draw.OneOf(7, 9), from x in Draw.Real(Values.AwayFrom(1, 0), 2, 3, 4) from slope in Draw.Real(3, 1) select Node([x, slope], []), floatOnly: true),
        .. new[] { "Equal", "Less", "Greater" }.Select(name => Old(name, Draw.OneOf(9), from shapes in Draw.Broadcast(2) from x in Draw.Integers(0, 2, shapes[0]) from y in Draw.Integers(0, 2, shapes[1]) select Node([x, y], []))),
        .. new[] { "And", "Or", "Xor" }.Select(name => Old(name, Draw.OneOf(7), from shapes in Draw.Broadcast(2) from x in Draw.Booleans(shapes[0]) from y in Draw.Booleans(shapes[1]) select Node([x, y], []))),
        Old("DFT", Draw.OneOf(17), from x in Draw.Real(2, 3, 1) select Node([x with { Declared = true }], [])),
        Old("GroupNormalization", Draw.OneOf(18), from x in Draw.Real(2, 4, 3) from p in Draw.Real(2).Array[2] select Node([x, .. p], [Attributes.Of("num_groups", 2)]), floatOnly: true),
        Old("Scan", Draw.OneOf(8), from states in Draw.Real(2, 3) from x in Draw.Real(2, 4, 3) from backwards in Gen.Long[0, 1]
                                   select Node([Operand.None, states, x], [Attributes.Of("body", Sums()), Attributes.Of("num_scan_inputs", 1), Attributes.Of("directions", [backwards])]), outputs: 2, floatOnly: true),
    ];

    private static (string Name, CaseRow Row) Reduction(string name) => Old(
        name,
        Draw.OneOf(1, 11, 13),
        from shape in Draw.Rank(1, 4)
        from x in name is "ReduceMax" or "ReduceMin" ? Draw.Distinct(shape) : Draw.Real(name is "ReduceLogSum" ? Values.Positive : Values.NotSmall, shape)
        from axes in Draw.Axes(shape.Length)
        from keep in Gen.Long[0, 1]
        from given in Gen.Int[0, 3]
        select Node(new[] { x }, new[] { Attributes.Of("keepdims", keep) }.Concat(given > 0 ? [Attributes.Of("axes", axes.Select(a => a < 0 ? a + shape.Length : a))] : Array.Empty<AttributeProto>()).ToArray()),
        name == "ReduceSum" ? 11 : null);

    /// <summary>Running sums: the state is added to each row.</summary>
    private static GraphProto Sums()
    {
        var builder = new GraphBuilder(["s", "x", "y"], "body/");
        string next = builder.Tanh(builder.Add("s", "x"));
        var graph = new GraphProto { Name = "sums" };
        graph.Input.AddRange(new[] { "s", "x" }.Select(name => new TensorType(ElementType.Float, [Dimension.Of(3)]).ToProto(name)));
        graph.Output.AddRange(new[] { next, builder.Mul(next, "s") }.Select(name => new TensorType(ElementType.Float, [Dimension.Of(3)]).ToProto(name)));
        builder.AppendTo(graph);
        return graph;
    }

    private static GradientCase Node(Operand[] operands, AttributeProto[] attributes) => new("", operands, attributes);

    private static (string Name, CaseRow Row) Old(
        string name, Gen<int> opset, Gen<GradientCase> node, int? latest = null, int outputs = 1, bool floatOnly = false) => Row(
        Prefix + name,
        from version in opset
        from drawn in node
        select drawn with { Operator = name, Opset = Math.Min(version, latest ?? version), Outputs = outputs },
        name,
        floatOnly);
}
