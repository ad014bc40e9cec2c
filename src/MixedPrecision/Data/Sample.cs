using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>One run of the model: a value for every input, batch axis included, and possibly a label.</summary>
/// <param name="Id">Where it comes from: <c>calibration.jsonl:17</c> is line 17 (from 1), <c>calibration.npz[16]</c> the 17th row.</param>
/// <param name="Inputs">Each input by its name, in the element type that the model declares.</param>
/// <param name="Label">The label as int64 in the shape of the data, or null when no label was asked for.</param>
public sealed record Sample(string Id, IReadOnlyDictionary<string, Tensor> Inputs, Tensor? Label)
{
    /// <summary>Further values of the data that the loss asked for, by key: labels of several losses, masks.</summary>
    public IReadOnlyDictionary<string, Tensor> Fields { get; init; } = new Dictionary<string, Tensor>();

    /// <summary>Inputs that the data does not give and that were filled in: caches of a decoder, which are empty at the first token.</summary>
    public IReadOnlyList<string> Filled { get; init; } = [];

    /// <summary>A field or an input of this name, or null.</summary>
    public Tensor? Find(string name) => Fields.TryGetValue(name, out Tensor? field) ? field : Inputs.GetValueOrDefault(name);

    /// <summary>Where it comes from, as diagnostics point to it.</summary>
    public Place Place => Id.LastIndexOf(':') is int colon and > 0 && int.TryParse(Id.AsSpan(colon + 1), out int line)
        ? new Place(Id[..colon], line)
        : new Place(Id);
}

/// <summary>An input that every sample has to give.</summary>
/// <param name="Name">The model's name of it.</param>
/// <param name="Type">Element type, and dimensions where the model declares them.</param>
public sealed record InputDeclaration(string Name, TensorType Type)
{
    /// <summary>The type in words, also of a sequence, a map or an optional value.</summary>
    public string TypeInWords { get; private init; } = ElementType.Name(Type.ElementType);

    public static InputDeclaration Of(ValueInfoProto input) => new(input.Name, TensorType.Read(input.Type)) { TypeInWords = TypeText.Of(input.Type) };
}

/// <summary>A key of the data that is read besides the model's inputs.</summary>
/// <param name="Name">The key.</param>
/// <param name="ElementType">The type its values are read in.</param>
public sealed record DataField(string Name, int ElementType);
