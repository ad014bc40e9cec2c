namespace MixedPrecision.Onnx.Lowering;

/// <summary>Fused operators and functions of ONNX, written out in primitive operators.</summary>
internal static class Expansions
{
    public static readonly IReadOnlyDictionary<string, NodeRewrite> Table = Rows();

    private static Dictionary<string, NodeRewrite> Rows() => new()
    {
        ["Dropout"] = DropoutWithMask,
    };

    /// <summary>The gradient of training mode reads the mask: asks for it where the model does not.</summary>
    private static void DropoutWithMask(LoweringContext c)
    {
        if (c.HasInput(2) && !c.HasOutput(1))
        {
            string data = c.Node.Output[0];
            c.Node.Output.Clear();
            c.Node.Output.AddRange([data, c.B.Fresh("mask")]);
        }

        c.Keep();
    }
}
