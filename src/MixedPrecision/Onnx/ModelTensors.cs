namespace MixedPrecision.Onnx;

/// <summary>
/// Every tensor that a model stores, wherever it stands: initializers, attributes (repeated and sparse ones too), graphs inside nodes at any
/// depth, and the model's own functions.
/// </summary>
public static class ModelTensors
{
    /// <summary>The tensors in the file's order.</summary>
    public static IEnumerable<TensorProto> Of(ModelProto model) => Of(model.Graph).Concat(model.Functions.SelectMany(f => f.AttributeProto.Concat(f.Node.SelectMany(n => n.Attribute)).SelectMany(Of)));

    /// <summary>Those whose data lies in files beside the model.</summary>
    public static IEnumerable<TensorProto> External(ModelProto model) => Of(model).Where(IsExternal);

    /// <summary>The tensors that nodes of a graph hold, in attributes and in graphs inside of them.</summary>
    public static IEnumerable<TensorProto> OfNodes(GraphProto graph) => graph.Node.SelectMany(n => n.Attribute).SelectMany(Of);

    /// <summary>Whether the data lies in a file beside the model.</summary>
    public static bool IsExternal(TensorProto tensor) => tensor.DataLocation == 1;

    private static IEnumerable<TensorProto> Of(GraphProto graph) =>
        graph.Initializer.Concat(graph.SparseInitializer.SelectMany(Of)).Concat(OfNodes(graph));

    private static IEnumerable<TensorProto> Of(AttributeProto attribute)
    {
        IEnumerable<TensorProto> tensors = attribute.T is null ? attribute.Tensors : attribute.Tensors.Prepend(attribute.T);
        IEnumerable<SparseTensorProto> sparse = attribute.SparseTensor is null ? attribute.SparseTensors : attribute.SparseTensors.Prepend(attribute.SparseTensor);
        IEnumerable<GraphProto> graphs = attribute.G is null ? attribute.Graphs : attribute.Graphs.Prepend(attribute.G);
        return tensors.Concat(sparse.SelectMany(Of)).Concat(graphs.SelectMany(Of));
    }

    private static IEnumerable<TensorProto> Of(SparseTensorProto sparse) => new[] { sparse.Values, sparse.Indices }.OfType<TensorProto>();
}
