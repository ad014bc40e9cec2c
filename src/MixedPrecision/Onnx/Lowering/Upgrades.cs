namespace MixedPrecision.Onnx.Lowering;

/// <summary>Old forms of operators, written in the form of <see cref="GraphLowering.TargetOpset"/>. Which version changed what is ONNX's Changelog.</summary>
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

        Row("ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare Squeeze Unsqueeze", AttributeForms.Axes);
        Row("Reshape", AttributeForms.Reshape);
        Row("Concat", AttributeForms.Concat);
        Row("Cast", AttributeForms.Cast);
        Row("Clip", AttributeForms.Clip);
        Row("Dropout", AttributeForms.Dropout);
        Row("BatchNormalization", AttributeForms.BatchNormalization);
        Row("Gemm", AttributeForms.Gemm);
        Row("Pad", AttributeForms.Pad);
        Row("Slice", AttributeForms.Slice);
        Row("Split", AttributeForms.Split);
        Row("TopK", AttributeForms.TopK);
        Row("LpPool GlobalLpPool", AttributeForms.LpPool);
        Row("GridSample", AttributeForms.GridSample);
        Row("RoiAlign", AttributeForms.RoiAlign);
        Row("Scatter", c => c.ReturnNode("ScatterElements", [.. c.Node.Input], [.. c.Node.Attribute]));
        Row("Upsample", ResizeForms.Upsample);
        Row("Resize", ResizeForms.Resize);
        Row("Softmax LogSoftmax Hardmax", Coercion.ToMatrix);
        Row("Add Sub Mul Div Pow And Or Xor Equal Less Greater", Coercion.Broadcast);
        Row("PRelu", Coercion.Slope);
        Row("DFT", FourierForms.UpgradeAxis);
        Row("Scan", BatchedScan.Upgrade);
        Row("GroupNormalization", NormalizationForms.GroupNormalizationPerGroup);
        return rows;
    }
}
