using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Inner graphs that read outer values, and the recurrent operators, which lowering writes as scans.</summary>
internal static class ControlFlowCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("If", from shape in Draw.Shape
                  from x in Draw.Real(shape)
                  from y in Draw.Real(shape)
                  from condition in Gen.Bool
                  select new GradientCase(
                      "If",
                      [Operand.Of(Tensor.Scalar(condition)), x with { Captured = true }, y with { Captured = true }],
                      Attributes.Of("then_branch", Branch("then", b => [b.Mul("x1", b.Sin("x2")), b.Exp("x1")])),
                      Attributes.Of("else_branch", Branch("else", b => [b.Sub("x2", "x1"), b.Tanh("x2")]))) { Outputs = 2 }),
        Row("Scan", from steps in Gen.Long[1, 3]
                    from width in Draw.Size
                    from reversed in Gen.Long[0, 1].Array[2]
                    from axis in Gen.Long[0, 1]
                    from state in Draw.Real(width)
                    from x in Draw.Real(axis == 0 ? [steps, width] : [width, steps])
                    from weight in Draw.Real(1)
                    select new GradientCase(
                        "Scan",
                        [state, x, weight with { Captured = true }],
                        Attributes.Of("body", Body(["s", "x"], b =>
                        {
                            string next = b.Tanh(b.Add(b.Mul("s", "x2"), "x"));
                            return [next, b.Mul(next, "s")];
                        })),
                        Attributes.Of("num_scan_inputs", 1),
                        Attributes.Of("scan_input_axes", [axis]),
                        Attributes.Of("scan_input_directions", [reversed[0]]),
                        Attributes.Of("scan_output_axes", [axis]),
                        Attributes.Of("scan_output_directions", [reversed[1]])) { Outputs = 2 }),
        Row("Loop", from steps in Gen.Long[1, 3]
                    from state in Draw.Real(2)
                    from weight in Draw.Real(2)
                    select new GradientCase(
                        "Loop",
                        [Operand.Of(Tensor.Scalar(steps), constant: true), Operand.None, state, weight with { Captured = true }],
                        Attributes.Of("body", Body(["i", "go", "s"], b =>
                        {
                            string next = b.Sin(b.Add(b.Mul("s", "x3"), b.CastLike("i", "s")));
                            return [b.Node("Identity", ["go"]), next, b.Mul(next, "x3")];
                        }))) { Outputs = 2 }),
        Row("Loop of a number of steps that is computed", from steps in Gen.Long[0, 3]
                                                          from limit in Gen.Bool
                                                          from state in Draw.Real(2)
                                                          from weight in Draw.Real(2)
                                                          select new GradientCase(
                                                              "Loop",
                                                              [Operand.Of(Tensor.Scalar(limit ? steps : 3L)), Operand.Of(Tensor.Scalar(!limit || steps > 0)), state, weight with { Captured = true }],
                                                              Attributes.Of("body", Body(["i", "go", "s"], b =>
                                                              {
                                                                  string next = b.Sin(b.Add(b.Mul("s", "x3"), b.CastLike("i", "s")));
                                                                  return [b.Less("i", b.Scalar(limit ? 9 : steps, ElementType.Int64)), next, b.Mul(next, b.Tanh("s"))];
                                                              }))) { Outputs = 2 }, "Loop"),
        Row("Loop with a state that grows", from steps in Gen.Long[1, 3]
                                            from state in Draw.Real(2, 3)
                                            from other in Draw.Real(3)
                                            from weight in Draw.Real(1, 3)
                                            select new GradientCase(
                                                "Loop",
                                                [Operand.Of(Tensor.Scalar(steps)), Operand.None, state, other, weight with { Captured = true }],
                                                Attributes.Of("body", Body(["i", "go", "s", "t"], b =>
                                                {
                                                    string grown = b.Concat(0, b.Tanh("s"), b.Mul("x4", "t"));
                                                    return [b.Node("Identity", ["go"]), grown, b.ReduceMean(b.Mul("s", "t"), [0]), b.ReduceSum(grown, [0])];
                                                }))) { Outputs = 3 }, "Loop"),
        Row("LSTM", Recurrent("LSTM", 4, from p in Gen.Bool select p), floatOnly: true),
        Row("GRU", Recurrent("GRU", 3, Gen.Const(false)), floatOnly: true),
        Row("RNN", Recurrent("RNN", 1, Gen.Const(false)), floatOnly: true),
        .. new[] { ("LSTM", 3), ("GRU", 2), ("RNN", 1) }.Select(kind => Row(kind.Item1 + " with functions", Functions(kind.Item1, kind.Item2), kind.Item1, floatOnly: true)),
    ];

    /// <summary>Smooth functions, some with parameters of their own, and a bound on what enters them that is not met.</summary>
    private static Gen<GradientCase> Functions(string name, int places) =>
        from test in Recurrent(name, name switch { "LSTM" => 4, "GRU" => 3, _ => 1 }, Gen.Const(false))
        let directions = test.Attributes.Any(a => a.S.ToStringUtf8() == "bidirectional") ? 2 : 1
        from functions in Draw.OneOf("Tanh", "Sigmoid", "ScaledTanh").Array[places * directions]
        from alpha in Gen.Float[0.3f, 1.2f].Array[places * directions]
        from beta in Gen.Float[0.3f, 1.2f].Array[places * directions]
        from clip in Gen.Bool
        from couples in Gen.Bool
        let scaled = functions.Select((f, i) => (f, i)).Where(x => x.f is "ScaledTanh").Select(x => alpha[x.i]).ToArray()
        let shifted = functions.Select((f, i) => (f, i)).Where(x => x.f is "ScaledTanh").Select(x => beta[x.i]).ToArray()
        select test with
        {
            Attributes =
            [
                .. test.Attributes,
                Strings("activations", functions),
                Floats("activation_alpha", scaled),
                Floats("activation_beta", shifted),
                .. clip ? [MixedPrecision.Onnx.Attributes.Of("clip", 30f)] : Array.Empty<AttributeProto>(),
                .. name == "LSTM" && couples ? [MixedPrecision.Onnx.Attributes.Of("input_forget", 1)] : Array.Empty<AttributeProto>(),
            ],
        };

    private static AttributeProto Strings(string name, string[] values)
    {
        var attribute = new AttributeProto { Name = name, Type = 8 };
        attribute.Strings.AddRange(values.Select(Google.Protobuf.ByteString.CopyFromUtf8));
        return attribute;
    }

    private static GraphProto Branch(string name, Func<GraphBuilder, string[]> make) => Graph(name, [], make);

    private static GraphProto Body(string[] inputs, Func<GraphBuilder, string[]> make) => Graph("body", inputs, make);

    private static GraphProto Graph(string name, string[] inputs, Func<GraphBuilder, string[]> make)
    {
        var builder = new GraphBuilder(["x0", "x1", "x2", "x3", "x4", "y0", "y1", "y2", .. inputs], name + "/");
        string[] outputs = make(builder);
        var graph = new GraphProto { Name = name };

        // A loop's number of the step and its condition have to be declared; other types are inferred.
        graph.Input.AddRange(inputs.Select(i => i switch
        {
            "i" => new TensorType(ElementType.Int64, []).ToProto(i),
            "go" => new TensorType(ElementType.Bool, []).ToProto(i),
            _ => new ValueInfoProto { Name = i },
        }));
        builder.AppendTo(graph);
        graph.Output.AddRange(outputs.Select(o => new ValueInfoProto { Name = o }));
        return graph;
    }

    private static Gen<GradientCase> Recurrent(string name, long gates, Gen<bool> peepholes) =>
        from sizes in Gen.Long[1, 3].Array[4]
        let time = sizes[0]
        let batch = sizes[1]
        let width = sizes[2]
        let hidden = sizes[3]
        from direction in Draw.OneOf("forward", "reverse", "bidirectional")
        let directions = direction == "bidirectional" ? 2 : 1
        from x in Draw.Real(time, batch, width)
        from w in Draw.Real(directions, gates * hidden, width)
        from r in Draw.Real(directions, gates * hidden, hidden)
        from bias in Draw.Real(directions, 2 * gates * hidden)
        from lengths in Gen.Int[1, (int)time].Array[(int)batch]
        from states in Draw.Real(directions, batch, hidden).Array[2]
        from peephole in Draw.Real(directions, 3 * hidden)
        from given in Gen.Bool.Array[4]
        from peeps in peepholes
        let sequence = given[1] ? Operand.Of(Tensor.Of<int>(lengths, batch)) : Operand.None
        let operands = new[] { x, w, r, given[0] ? bias : Operand.None, sequence, given[2] ? states[0] : Operand.None }
        select new GradientCase(
            name,
            name == "LSTM" ? [.. operands, given[2] ? states[1] : Operand.None, peeps ? peephole : Operand.None] : operands,
            [
                Attributes.Of("hidden_size", hidden),
                Attributes.Of("direction", direction),
                .. name == "GRU" ? [Attributes.Of("linear_before_reset", given[3] ? 1 : 0)] : Array.Empty<AttributeProto>(),
            ])
        { Outputs = name == "LSTM" ? 3 : 2 };
}
