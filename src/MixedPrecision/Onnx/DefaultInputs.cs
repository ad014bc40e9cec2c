namespace MixedPrecision.Onnx;

/// <summary>
/// Initializers that are listed as inputs of the graph. From version 4 of the format on that makes them defaults, which an app may replace by feeding them; in
/// earlier versions every initializer had to be listed, and was a constant all the same (ONNX specification, "Graphs").
/// </summary>
internal static class DefaultInputs
{
    /// <summary>The earliest version of the format in which an initializer need not be an input.</summary>
    private const int InitializersAlone = 4;

    /// <summary>Names of the initializers that are inputs.</summary>
    public static HashSet<string> Of(GraphProto graph)
    {
        HashSet<string> inputs = [.. graph.Input.Select(i => i.Name)];
        return [.. graph.Initializer.Select(i => i.Name).Where(inputs.Contains)];
    }

    /// <summary>
    /// Makes listed initializers constants where listing them is a habit of the exporter and no interface: in files of old versions, and where it lists all of them. What is
    /// then left in the list are inputs that a caller feeds.
    /// </summary>
    /// <param name="keep">Whether they are to stay defaults.</param>
    /// <returns>How many defaults became constants.</returns>
    public static int Unlist(ModelProto model, bool keep)
    {
        HashSet<string> listed = Of(model.Graph);
        bool isOld = model.IrVersion < InitializersAlone;
        if (listed.Count == 0 || (!isOld && (keep || listed.Count < model.Graph.Initializer.Count)))
        {
            return 0;
        }

        ValueInfoProto[] inputs = [.. model.Graph.Input.Where(i => !listed.Contains(i.Name))];
        model.Graph.Input.Clear();
        model.Graph.Input.AddRange(inputs);
        model.IrVersion = Math.Max(model.IrVersion, InitializersAlone);
        return isOld ? 0 : listed.Count;
    }
}
