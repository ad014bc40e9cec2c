using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>Small models written by hand.</summary>
internal static class TestModels
{
    /// <summary>A model of float inputs with symbolic sizes; the body names its outputs.</summary>
    public static OnnxModel Of(string[] inputs, string[] outputs, Action<GraphBuilder> body, int opset = 21, int rank = 2, int elementType = ElementType.Float)
    {
        var builder = new GraphBuilder([.. inputs, .. outputs]);
        body(builder);
        var graph = new GraphProto { Name = "test" };
        graph.Input.AddRange(inputs.Select(i => new TensorType(elementType, [.. Enumerable.Range(0, rank).Select(a => new Dimension(null, $"size{a}"))]).ToProto(i)));
        graph.Output.AddRange(outputs.Select(o => new ValueInfoProto { Name = o }));
        builder.AppendTo(graph);
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = opset });
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return new OnnxModel(proto, "", "test");
    }
}
