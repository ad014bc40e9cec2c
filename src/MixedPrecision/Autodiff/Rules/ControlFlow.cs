using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>If and Scan. Inner graphs are computed again within their gradients, so nothing of the forward pass has to be kept but states.</summary>
internal static class ControlFlow
{
    /// <summary>An If on the same condition, whose branches give the gradients of all outer values that either branch reads.</summary>
    public static IReadOnlyList<string?> If(GradientContext c)
    {
        GraphProto[] branches = [c.Node.Attribute("then_branch")!.G, c.Node.Attribute("else_branch")!.G];
        string[] wanted = InnerGraph.Wanted(c, branches);
        GraphProto[] gradients = [.. branches.Select(b => Branch(c, b, wanted))];
        string[] outputs = c.B.NodeTo(
            [.. wanted.Select(w => c.B.Fresh("captured"))], "If", "", [c.X], Attributes.Of("then_branch", gradients[0]), Attributes.Of("else_branch", gradients[1]));
        foreach ((string value, string gradient) in wanted.Zip(outputs))
        {
            c.AddCaptured(value, gradient);
        }

        return [null];
    }

    /// <summary>
    /// The states that entered each step are found by running the scan once more; then a scan in the opposite direction carries the gradients of the states and sums
    /// those of outer values, such as weights.
    /// </summary>
    public static IReadOnlyList<string?> Scan(GradientContext c)
    {
        GraphProto body = c.Node.Attribute("body")!.G;
        int scanned = (int)c.Node.Int("num_scan_inputs", 0);
        int states = c.Node.Input.Count - scanned;
        int stacked = body.Output.Count - states;
        long[] inputAxes = c.Node.Ints("scan_input_axes") ?? new long[scanned];
        long[] inputDirections = c.Node.Ints("scan_input_directions") ?? new long[scanned];
        long[] outputAxes = c.Node.Ints("scan_output_axes") ?? new long[stacked];
        long[] outputDirections = c.Node.Ints("scan_output_directions") ?? new long[stacked];
        string[] entered = EnteredStates(c, body, states, scanned, inputAxes, inputDirections);

        TensorType StepType(int i) => i < states ? c.Type(c.Input(i)) : Slice(c.Type(c.Input(i)), inputAxes[i - states]);
        var inputTypes = body.Input.Select((input, i) => (input.Name, Type: Known(StepType(i), TensorType.Read(input.Type)))).ToDictionary(t => t.Name, t => t.Type);
        bool Floating(int input) => Onnx.ElementType.IsFloating(inputTypes[body.Input[input].Name].ElementType);
        int[] carried = [.. Enumerable.Range(0, states).Where(Floating)];
        int[] sliced = [.. Enumerable.Range(states, scanned).Where(i => Floating(i) && c.Needs(i))];
        int[] upstream = [.. Enumerable.Range(0, stacked).Where(k => c.UpstreamOf(states + k) is not null)];
        string[] wanted = InnerGraph.Wanted(c, body);

        GraphBuilder inner = c.B.Inner();
        string[] stateGradients = [.. carried.Select(_ => inner.Fresh("state_gradient"))];
        string[] sums = [.. wanted.Select(_ => inner.Fresh("sum"))];
        string[] slices = [.. upstream.Select(_ => inner.Fresh("output_gradient"))];
        IEnumerable<(string, string)> seeds = carried.Zip(stateGradients, (n, g) => (body.Output[n].Name, g)).Concat(upstream.Zip(slices, (k, g) => (body.Output[states + k].Name, g)));
        string[] targets = [.. carried.Concat(sliced).Select(i => body.Input[i].Name), .. wanted];
        IReadOnlyDictionary<string, string> found = InnerGraph.Differentiate(c.Scope, body, inputTypes, inner, seeds, targets);
        string Result(string value, int elementType) => inner.Node("Identity", [found.TryGetValue(value, out string? gradient) ? gradient : inner.Zeros(inner.Shape(value), elementType)]);
        int TypeOf(int input) => inputTypes[body.Input[input].Name].ElementType;
        string[] outputs =
        [
            .. carried.Select(n => Result(body.Input[n].Name, TypeOf(n))),
            .. wanted.Zip(sums, (w, sum) => found.TryGetValue(w, out string? gradient) ? inner.Add(sum, gradient) : inner.Node("Identity", [sum])),
            .. sliced.Select(i => Result(body.Input[i].Name, TypeOf(i))),
        ];
        IEnumerable<(string, int)> inputs =
        [
            .. carried.Zip(stateGradients, (n, g) => (g, TypeOf(n))),
            .. wanted.Zip(sums, (w, s) => (s, c.Type(w).ElementType)),
            .. body.Input.Select((input, i) => (input.Name, TypeOf(i))),
            .. upstream.Zip(slices, (k, g) => (g, c.Type(c.Output(states + k)).ElementType)),
        ];
        IEnumerable<TensorType> outputTypes = carried.Select(n => inputTypes[body.Input[n].Name]).Concat(wanted.Select(c.Type)).Concat(sliced.Select(i => inputTypes[body.Input[i].Name]));
        GraphProto gradientBody = InnerGraph.Complete(body, inner, inputs.Select(i => (i.Item1, new TensorType(i.Item2, null))), outputs.Zip(outputTypes));

        string[] results = c.B.NodeTo(
            [.. outputs.Select(_ => c.B.Fresh("scanned"))],
            "Scan",
            "",
            [
                .. carried.Select(n => c.UpstreamOf(n) ?? c.ZerosLike(c.Input(n))),
                .. wanted.Select(c.ZerosLike),
                .. entered,
                .. c.Node.Input.Skip(states),
                .. upstream.Select(k => c.UpstreamOf(states + k)!),
            ],
            Attributes.Of("body", gradientBody),
            Attributes.Of("num_scan_inputs", states + scanned + upstream.Length),
            Attributes.Of("scan_input_axes", [.. new long[states], .. inputAxes, .. upstream.Select(k => outputAxes[k])]),
            Attributes.Of("scan_input_directions", [.. Enumerable.Repeat(1L, states), .. inputDirections.Select(d => 1 - d), .. upstream.Select(k => 1 - outputDirections[k])]),
            Attributes.Of("scan_output_axes", sliced.Select(i => inputAxes[i - states])),
            Attributes.Of("scan_output_directions", sliced.Select(i => 1 - inputDirections[i - states])));
        for (int w = 0; w < wanted.Length; w++)
        {
            c.AddCaptured(wanted[w], results[carried.Length + w]);
        }

        return c.Gradients([
            .. carried.Select((n, i) => (n, (string?)results[i])),
            .. sliced.Select((input, i) => (input, (string?)results[carried.Length + wanted.Length + i]))]);
    }

    /// <summary>The states that entered each step, stacked along axis 0.</summary>
    private static string[] EnteredStates(GradientContext c, GraphProto body, int states, int scanned, long[] axes, long[] directions)
    {
        if (states == 0)
        {
            return [];
        }

        GraphBuilder inner = c.B.Inner();
        inner.Nodes.AddRange(body.Node);
        string[] entered = [.. body.Input.Take(states).Select(s => inner.Node("Identity", [s.Name]))];
        var forward = new GraphProto { Name = body.Name + "_states" };
        forward.Input.AddRange(body.Input);
        forward.Initializer.AddRange(body.Initializer);
        inner.AppendTo(forward);
        forward.Output.AddRange(body.Output.Take(states).Concat(entered.Select(e => new ValueInfoProto { Name = e })));
        string[] outputs = c.B.NodeTo(
            [.. Enumerable.Range(0, 2 * states).Select(_ => c.B.Fresh("entered"))],
            "Scan",
            "",
            [.. c.Node.Input],
            Attributes.Of("body", forward),
            Attributes.Of("num_scan_inputs", scanned),
            Attributes.Of("scan_input_axes", axes),
            Attributes.Of("scan_input_directions", directions));
        return outputs[states..];
    }

    /// <summary>What the outer value tells, or else what the body declares.</summary>
    private static TensorType Known(TensorType outer, TensorType declared) => outer.Shape is null && declared.ElementType != 0 ? declared : outer;

    private static TensorType Slice(TensorType type, long axis) => type.Shape is null ? type
        : new TensorType(type.ElementType, [.. type.Shape.Where((_, a) => a != (axis < 0 ? axis + type.Shape.Count : axis))]);

    private static GraphProto Branch(GradientContext c, GraphProto branch, string[] wanted)
    {
        GraphBuilder inner = c.B.Inner();
        IEnumerable<(string, string)> seeds = branch.Output.Select((o, i) => (o.Name, Gradient: c.UpstreamOf(i))).Where(s => s.Gradient is not null).Select(s => (s.Name, s.Gradient!));
        IReadOnlyDictionary<string, string> found = InnerGraph.Differentiate(c.Scope, branch, new Dictionary<string, TensorType>(), inner, seeds, wanted);
        string[] outputs = [.. wanted.Select(w => inner.Node("Identity", [found.TryGetValue(w, out string? gradient) ? gradient : inner.Zeros(inner.Shape(w), c.Type(w).ElementType)]))];
        return InnerGraph.Complete(branch, inner, [], outputs.Zip(wanted.Select(c.Type)));
    }
}
