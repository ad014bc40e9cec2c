using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// Loop, whose number of steps and whose states' shapes may be known only when it runs. It is run once more with the states that enter each step kept in sequences,
/// in which shapes may differ; then a loop from the last step to the first carries the gradients of the states and sums those of outer values.
/// </summary>
internal static class Loops
{
    /// <summary>Inputs before the states: the number of steps and the condition. The body has as many.</summary>
    private const int First = 2;

    /// <summary>States that are sequences have no gradient rule.</summary>
    public static bool Covers(NodeProto node)
    {
        GraphProto body = node.Attribute("body")!.G;
        HashSet<string> sequences = [.. body.Node.Where(n => n.OpType is "SequenceInsert" or "SequenceErase" or "SequenceEmpty" or "SequenceConstruct" or "SplitToSequence" or "Optional").SelectMany(n => n.Output)];
        return body.Input.Concat(body.Output).All(v => v.Type is null or { TensorType: not null } or { ValueCase: TypeProto.ValueOneofCase.None }) && !body.Output.Any(o => sequences.Contains(o.Name));
    }

    public static IReadOnlyList<string?> Loop(GradientContext c)
    {
        GraphProto body = c.Node.Attribute("body")!.G;
        int states = c.Node.Input.Count - First;
        Dictionary<string, TensorType> types = Types(c, body, states);
        int TypeOf(int state) => types[body.Input[First + state].Name].ElementType;
        int[] carried = [.. Enumerable.Range(0, states).Where(s => Onnx.ElementType.IsFloating(TypeOf(s)))];
        int[] stacked = [.. Enumerable.Range(0, body.Output.Count - 1 - states).Where(k => c.UpstreamOf(states + k) is not null)];
        string[] wanted = InnerGraph.Wanted(c, body);
        (string[] last, string[] entered, string steps) = Recorded(c, body, states, TypeOf);

        GraphBuilder inner = c.B.Inner();
        string step = inner.Fresh("step"), go = inner.Fresh("go");
        string[] gradients = [.. carried.Select(_ => inner.Fresh("state_gradient"))];
        string[] sums = [.. wanted.Select(_ => inner.Fresh("sum"))];
        string one = inner.Scalar(1, Onnx.ElementType.Int64);
        inner.NodeTo([body.Input[0].Name], "Sub", "", [inner.Sub(steps, one), step]);
        inner.NodeTo([body.Input[1].Name], "Identity", "", [inner.Constant(Tensor.Scalar(true))]);
        for (int state = 0; state < states; state++)
        {
            inner.NodeTo([body.Input[First + state].Name], "SequenceAt", "", [entered[state], body.Input[0].Name]);
        }

        IEnumerable<(string, string)> seeds = carried.Zip(gradients, (s, g) => (body.Output[1 + s].Name, g))
            .Concat(stacked.Select(k => (body.Output[1 + states + k].Name, inner.Gather(c.UpstreamOf(states + k)!, body.Input[0].Name, 0))));
        string[] targets = [.. carried.Select(s => body.Input[First + s].Name), .. wanted];
        IReadOnlyDictionary<string, string> found = InnerGraph.Differentiate(c.Scope, body, types, inner, [.. seeds], targets);
        string[] outputs =
        [
            inner.Node("Identity", [go]),
            .. carried.Select(s => inner.Node("Identity", [found.GetValueOrDefault(body.Input[First + s].Name) ?? inner.Zeros(inner.Shape(body.Input[First + s].Name), TypeOf(s))])),
            .. wanted.Zip(sums, (w, sum) => found.TryGetValue(w, out string? gradient) ? inner.Add(sum, gradient) : inner.Node("Identity", [sum])),
        ];
        TensorType[] outputTypes = [new(Onnx.ElementType.Bool, []), .. carried.Select(s => types[body.Input[First + s].Name]), .. wanted.Select(c.Type)];
        GraphProto gradientBody = InnerGraph.Complete(
            body,
            inner,
            [
                (step, new TensorType(Onnx.ElementType.Int64, [])),
                (go, new TensorType(Onnx.ElementType.Bool, [])),
                .. carried.Zip(gradients, (s, g) => (g, new TensorType(TypeOf(s), null))),
                .. wanted.Zip(sums, (w, s) => (s, new TensorType(c.Type(w).ElementType, null))),
            ],
            outputs.Zip(outputTypes));
        string[] results = c.B.NodeTo(
            [.. outputs.Skip(1).Select(_ => c.B.Fresh("looped"))],
            "Loop",
            "",
            [
                steps,
                "",
                .. carried.Select(s => c.UpstreamOf(s) ?? c.B.Zeros(c.B.Shape(last[s]), TypeOf(s))),
                .. wanted.Select(c.ZerosLike),
            ],
            Attributes.Of("body", gradientBody));
        for (int w = 0; w < wanted.Length; w++)
        {
            c.AddCaptured(wanted[w], results[carried.Length + w]);
        }

        return c.Gradients([.. carried.Select((s, i) => (First + s, (string?)results[i]))]);
    }

    /// <summary>The loop once more: the states it ends with, those that entered each step as sequences, and the number of steps as a scalar.</summary>
    private static (string[] Last, string[] Entered, string Steps) Recorded(GradientContext c, GraphProto body, int states, Func<int, int> elementType)
    {
        GraphBuilder inner = c.B.Inner();
        string[] kept = [.. Enumerable.Range(0, states).Select(_ => inner.Fresh("kept"))];
        inner.Nodes.AddRange(body.Node);
        string[] outputs =
        [
            .. body.Output.Take(1 + states).Select(o => o.Name),
            .. kept.Select((k, s) => inner.Node("SequenceInsert", [k, body.Input[First + s].Name])),
            inner.Node("Identity", [body.Input[0].Name]),
        ];
        var recorded = new GraphProto { Name = body.Name + "_states" };
        recorded.Input.AddRange(body.Input);
        recorded.Input.AddRange(kept.Select((k, s) => new ValueInfoProto
        {
            Name = k,
            Type = new TypeProto { SequenceType = new TypeProto.Types.Sequence { ElemType = new TensorType(elementType(s), null).ToProto(k).Type } },
        }));
        recorded.Initializer.AddRange(body.Initializer);
        inner.AppendTo(recorded);
        recorded.Output.AddRange(outputs.Select(o => new ValueInfoProto { Name = o }));
        string[] empty = [.. kept.Select((_, s) => c.B.Node("SequenceEmpty", [], Attributes.Of("dtype", elementType(s))))];
        string[] results = c.B.NodeTo([.. outputs.Skip(1).Select(_ => c.B.Fresh("entered"))], "Loop", "", [.. c.Node.Input, .. empty], Attributes.Of("body", recorded));
        return (results[..states], results[states..(2 * states)], c.B.Squeeze(c.B.Shape(results[^1]), 0));
    }

    /// <summary>Types of the body's inputs: what the states are at the start, less what a step changes.</summary>
    private static Dictionary<string, TensorType> Types(GradientContext c, GraphProto body, int states)
    {
        TensorType[] types = [.. Enumerable.Range(0, states).Select(s => Known(c.Type(c.Input(First + s)), TensorType.Read(body.Input[First + s].Type), c.Type(c.Output(s))))];
        Dictionary<string, TensorType> Inputs() => new(types.Select((t, s) => KeyValuePair.Create(body.Input[First + s].Name, t)))
        {
            [body.Input[0].Name] = new TensorType(Onnx.ElementType.Int64, []),
            [body.Input[1].Name] = new TensorType(Onnx.ElementType.Bool, []),
        };
        bool changed;
        do
        {
            IReadOnlyDictionary<string, TensorType> inferred = InnerGraph.Types(c.Scope, body, Inputs(), [.. GraphView.Captured(body).Distinct()]);
            TensorType[] common = [.. types.Select((t, s) => Common(t, inferred.GetValueOrDefault(body.Output[1 + s].Name) ?? new TensorType(0, null)))];
            changed = common.Zip(types).Any(p => p.First.Rank != p.Second.Rank || p.First.Shape?.SequenceEqual(p.Second.Shape!) == false);
            types = common;
        }
        while (changed);

        return Inputs();
    }

    private static TensorType Known(TensorType outer, TensorType declared, TensorType result)
    {
        int elementType = new[] { outer.ElementType, declared.ElementType, result.ElementType, Onnx.ElementType.Float }.First(t => t != 0);
        return new TensorType(elementType, outer.Shape);
    }

    /// <summary>What holds of both.</summary>
    private static TensorType Common(TensorType before, TensorType after) => before with
    {
        Shape = before.Shape is null || after.Rank != before.Rank ? null : [.. before.Shape.Zip(after.Shape!, (b, a) => a == b ? b : Dimension.Unknown)],
    };
}
