using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>Which inputs of a model pick rows of a table, and how many rows there are.</summary>
internal static class TokenTables
{
    private static readonly HashSet<string> Passed = ["Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze"];

    /// <summary>Rows of the smallest table that an input picks from, or null when it goes straight into none.</summary>
    public static long? RowsOf(OnnxModel model, string input)
    {
        var constants = model.Graph.Node.Where(n => n.OpType == "Constant" && n.Output.Count == 1)
            .ToDictionary(n => n.Output[0], n => n.Attribute.FirstOrDefault(a => a.Name == "value")?.T);
        HashSet<string> same = [input];
        long? rows = null;
        foreach (NodeProto node in model.Graph.Node)
        {
            if (Passed.Contains(node.OpType) && same.Contains(node.Input[0]))
            {
                same.Add(node.Output[0]);
            }
            else if (node.OpType == "Gather" && same.Contains(node.Input[1])
                && (model.Initializers.GetValueOrDefault(node.Input[0]) ?? constants.GetValueOrDefault(node.Input[0])) is { } table && table.Dims.Count == 2)
            {
                rows = Math.Min(rows ?? long.MaxValue, table.Dims[0]);
            }
            else if (node.OpType == "EmbedLayerNormalization" && same.Contains(node.Input[0]) && model.Initializers.GetValueOrDefault(node.Input[2]) is { } words)
            {
                rows = Math.Min(rows ?? long.MaxValue, words.Dims[0]);
            }
        }

        return rows;
    }
}
