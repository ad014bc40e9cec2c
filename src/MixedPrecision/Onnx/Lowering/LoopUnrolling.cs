namespace MixedPrecision.Onnx.Lowering;

/// <summary>A Loop whose trip count is constant and which never breaks off, written out step by step. Other loops are left as they are.</summary>
internal static class LoopUnrolling
{
    /// <summary>Loops longer than this stay loops: the graph would grow without bound.</summary>
    private const long MaximumSteps = 256;

    public static void Loop(LoweringContext c)
    {
        GraphProto body = c.Node.Attribute("body")!.G;
        long? trips = c.HasInput(0) && c.Constants.Integers(c.X) is [long count] ? count : null;
        if (trips is null or < 1 or > MaximumSteps || !NeverBreaks(c, body))
        {
            c.Keep();
            return;
        }

        int carried = c.Node.Input.Count - 2;
        string[] states = [.. c.Node.Input.Skip(2)];
        string always = c.B.Constant(Tensor.Scalar(true));
        List<string>[] stacked = [.. Enumerable.Range(0, body.Output.Count - 1 - carried).Select(_ => new List<string>())];
        for (long step = 0; step < trips; step++)
        {
            string[] results = GraphCopy.Append(body, [c.B.Scalar(step, ElementType.Int64), always, .. states], c.B);
            states = results[1..(1 + carried)];
            for (int output = 0; output < stacked.Length; output++)
            {
                stacked[output].Add(c.B.Unsqueeze(results[1 + carried + output], 0));
            }
        }

        for (int output = 0; output < carried; output++)
        {
            c.Return(states[output], output);
        }

        for (int output = 0; output < stacked.Length; output++)
        {
            c.Return(c.B.Concat(0, [.. stacked[output]]), carried + output);
        }
    }

    /// <summary>The condition is true or absent at the start, and each step hands on the condition it got, or true.</summary>
    private static bool NeverBreaks(LoweringContext c, GraphProto body)
    {
        bool IsTrue(SmallConstants constants, string value) => constants.Find(value) is { ElementType: ElementType.Bool } tensor && tensor.Values<bool>()[0];
        if (c.HasInput(1) && !IsTrue(c.Constants, c.Input(1)))
        {
            return false;
        }

        string condition = body.Output[0].Name;
        string given = body.Input[1].Name;
        while (condition != given)
        {
            if (body.Node.FirstOrDefault(n => n.Output.Contains(condition)) is not { OpType: "Identity" or "Cast" } node)
            {
                return IsTrue(new SmallConstants(body, c.Constants), condition);
            }

            condition = node.Input[0];
        }

        return true;
    }
}
