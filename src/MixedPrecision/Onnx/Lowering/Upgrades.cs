namespace MixedPrecision.Onnx.Lowering;

/// <summary>Old forms of operators, written in the form of <see cref="GraphLowering.TargetOpset"/>.</summary>
internal static class Upgrades
{
    public static readonly IReadOnlyDictionary<string, NodeRewrite> Table = Rows();

    private static Dictionary<string, NodeRewrite> Rows()
    {
        var rows = new Dictionary<string, NodeRewrite>();
        void Row(string operators, NodeRewrite rewrite)
        {
            foreach (string name in operators.Split(' '))
            {
                rows.Add(name, rewrite);
            }
        }

        Row("ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare Squeeze Unsqueeze", AxesToInput);
        return rows;
    }

    /// <summary>Axes were an attribute: Squeeze, Unsqueeze and ReduceSum below 13, other reductions below 18.</summary>
    private static void AxesToInput(LoweringContext c)
    {
        if (c.Node.Ints("axes") is { } axes)
        {
            c.Change([c.X, c.B.Integers(axes)], "axes");
        }
        else
        {
            c.Keep();
        }
    }
}
