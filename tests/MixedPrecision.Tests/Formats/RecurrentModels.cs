using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Formats;

/// <summary>What an LSTM has besides its weights. Sizes are odd, so that no kernel meets full blocks.</summary>
/// <param name="Activations">Names of the functions of one direction; null: the operator's own.</param>
/// <param name="Outputs">Which of Y, Y_h and Y_c it gives.</param>
internal sealed record RecurrentCase(
    string Direction = "forward",
    bool HasBias = false,
    int[]? Lengths = null,
    bool HasStates = false,
    bool HasPeepholes = false,
    float Clip = 0,
    string[]? Activations = null,
    bool InputForget = false,
    string Outputs = "YHC",
    int Steps = 7,
    int Batch = 3,
    int Inputs = 13,
    int Hidden = 9)
{
    public int Directions => Direction == "bidirectional" ? 2 : 1;

    /// <summary>Tensors of the operator's inputs from W on, null where there is none: W, R, B, lengths, states, peepholes.</summary>
    public Tensor?[] Constants =>
    [
        LayerModels.Random(1, Directions, 4 * Hidden, Inputs),
        LayerModels.Random(2, Directions, 4 * Hidden, Hidden),
        HasBias ? LayerModels.Random(3, Directions, 8 * Hidden) : null,
        Lengths is null ? null : Tensor.Of<int>(Lengths, Lengths.Length),
        HasStates ? LayerModels.Random(4, Directions, Batch, Hidden) : null,
        HasStates ? LayerModels.Random(5, Directions, Batch, Hidden) : null,
        HasPeepholes ? LayerModels.Random(6, Directions, 3 * Hidden) : null,
    ];

    public Tensor X => LayerModels.Random(7, Steps, Batch, Inputs);

    /// <summary>The feeds of <see cref="Model"/>: x and, where it has them, its states.</summary>
    public Dictionary<string, Tensor> Feeds
    {
        get
        {
            var feeds = new Dictionary<string, Tensor> { ["x"] = X };
            if (HasStates)
            {
                (feeds["h0"], feeds["c0"]) = (Constants[4]!, Constants[5]!);
            }

            return feeds;
        }
    }

    /// <summary>The operator alone: inputs x, h0 and c0; outputs those of Y, H and C that it gives.</summary>
    public ModelProto Model()
    {
        var graph = new GraphProto { Name = "recurrent" };
        foreach ((string name, Tensor value) in Feeds)
        {
            graph.Input.Add(TensorType.Of(value).ToProto(name));
        }

        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string[] names = ["W", "R", "B", "lengths", "h0", "c0", "P"];
        string[] inputs = [.. Constants.Select((c, i) => c is null ? "" : names[i])];
        graph.Initializer.AddRange(Constants.Select((c, i) => c?.ToProto(names[i])).OfType<TensorProto>().Where(t => !Feeds.ContainsKey(t.Name)));
        var attributes = new List<AttributeProto> { Attributes.Of("hidden_size", Hidden), Attributes.Of("direction", Direction) };
        if (Clip > 0)
        {
            attributes.Add(Attributes.Of("clip", Clip));
        }

        if (InputForget)
        {
            attributes.Add(Attributes.Of("input_forget", 1));
        }

        if (Activations is not null)
        {
            var functions = new AttributeProto { Name = "activations", Type = 8 };
            functions.Strings.AddRange(Enumerable.Repeat(Activations, Directions).SelectMany(a => a).Select(Google.Protobuf.ByteString.CopyFromUtf8));
            attributes.Add(functions);
        }

        b.NodeTo([.. "YHC".Select(o => Outputs.Contains(o) ? $"{o}" : "")], "LSTM", "", ["x", .. inputs], [.. attributes]);
        b.AppendTo(graph);
        graph.Output.AddRange(Outputs.Select(o => new TensorType(ElementType.Float, null).ToProto($"{o}")));
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        return model;
    }
}
