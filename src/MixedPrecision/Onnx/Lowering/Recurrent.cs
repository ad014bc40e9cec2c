namespace MixedPrecision.Onnx.Lowering;

/// <summary>
/// LSTM, GRU and RNN as a Scan per direction. The product of the whole input with W stands before the scan; its steps hold the product with R and the gates. Gates
/// are ordered as ONNX orders them: i o f c, and z r h.
/// </summary>
internal static class Recurrent
{
    public static void LongShortTermMemory(LoweringContext c) => Rewrite(c, gates: 4, cells: true, (b, step) =>
    {
        string[] parts = Gates(b, b.Add(step.Input, b.MatMul(step.States[0], step.Recurrence)), 4);
        string Peep(string gate, string cell, int index) => step.Peepholes is null ? gate : b.Add(gate, b.Mul(cell, step.Peepholes[index]));
        string cell = step.States[1];
        string input = step.Activate(0, Peep(parts[0], cell, 0));
        string forget = step.InputForget ? b.Sub(step.One, input) : step.Activate(0, Peep(parts[2], cell, 2));
        string next = b.Add(b.Mul(forget, cell), b.Mul(input, step.Activate(1, parts[3])));
        string output = step.Activate(0, Peep(parts[1], next, 1));
        return [b.Mul(output, step.Activate(2, next)), next];
    });

    public static void GatedUnit(LoweringContext c) => Rewrite(c, gates: 3, cells: false, (b, step) =>
    {
        string hidden = step.States[0];
        string[] inputs = Gates(b, step.Input, 3);
        string[] recurrences = Gates(b, step.Recurrence, 3);
        string update = step.Activate(0, b.Add(inputs[0], b.MatMul(hidden, recurrences[0])));
        string reset = step.Activate(0, b.Add(inputs[1], b.MatMul(hidden, recurrences[1])));
        string candidate = step.LinearBeforeReset
            ? b.Mul(reset, step.HiddenBias is null ? b.MatMul(hidden, recurrences[2]) : b.Add(b.MatMul(hidden, recurrences[2]), step.HiddenBias))
            : b.MatMul(b.Mul(reset, hidden), recurrences[2]);
        string proposed = step.Activate(1, b.Add(inputs[2], candidate));
        return [b.Add(b.Mul(b.Sub(step.One, update), proposed), b.Mul(update, hidden))];
    });

    public static void Plain(LoweringContext c) => Rewrite(c, gates: 1, cells: false, (b, step) =>
        [step.Activate(0, b.Add(step.Input, b.MatMul(step.States[0], step.Recurrence)))]);

    private static string[] Gates(GraphBuilder b, string joined, int count) =>
        b.NodeWithOutputs("Split", count, [joined], Attributes.Of("axis", -1), Attributes.Of("num_outputs", count));

    private static void Rewrite(LoweringContext c, int gates, bool cells, Func<GraphBuilder, Step, string[]> step)
    {
        GraphBuilder b = c.B;
        bool batchFirst = c.Node.Int("layout", 0) == 1;
        string direction = c.Node.Text("direction", "forward");
        int directions = direction == "bidirectional" ? 2 : 1;
        string x = batchFirst ? b.Transpose(c.X, [1, 0, 2]) : c.X;
        var results = new List<RecurrentDirection.Result>();
        for (int index = 0; index < directions; index++)
        {
            bool reverse = direction == "reverse" || index == 1;
            results.Add(new RecurrentDirection(c, gates, cells, index, reverse, batchFirst).Run(x, step));
        }

        // Y is [time, direction, batch, hidden]; the last states are [direction, batch, hidden].
        string Joined(IEnumerable<string> parts, long axis) => parts.Count() == 1 ? b.Unsqueeze(parts.First(), axis) : b.Concat(axis, [.. parts.Select(p => b.Unsqueeze(p, axis))]);
        string y = Joined(results.Select(r => r.Outputs), 1);
        string[] last = [.. Enumerable.Range(0, cells ? 2 : 1).Select(s => Joined(results.Select(r => r.Last[s]), 0))];
        c.Return(batchFirst ? b.Transpose(y, [2, 0, 1, 3]) : y);
        for (int state = 0; state < last.Length; state++)
        {
            c.Return(batchFirst ? b.Transpose(last[state], [1, 0, 2]) : last[state], 1 + state);
        }
    }

    /// <summary>What the gates of one step read: products with the input, states, weights [hidden, gates·hidden], activations by their place.</summary>
    internal sealed record Step(
        string Input, string[] States, string Recurrence, string? HiddenBias, string[]? Peepholes, Func<int, string, string> Activate, string One, bool InputForget, bool LinearBeforeReset);
}
