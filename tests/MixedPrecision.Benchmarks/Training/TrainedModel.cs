using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Training;

/// <summary>Puts a model together.</summary>
internal static class TrainedModel
{
    /// <param name="graph">Has inputs and outputs; takes the nodes and constants.</param>
    public static ModelProto Of(GraphBuilder builder, GraphProto graph, int opset)
    {
        builder.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, ProducerName = "MixedPrecision.Benchmarks", Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = opset });
        return model;
    }
}
