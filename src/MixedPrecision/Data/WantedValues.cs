using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>What is taken from the data, and whether a sample made of it fits the model.</summary>
internal sealed class WantedValues(IReadOnlyList<InputDeclaration> inputs, string? labelKey, IReadOnlyList<DataField> fields)
{
    private static readonly TensorType LabelType = new(ElementType.Int64, null);

    /// <summary>Every key that is read, each once; a label may be an input at the same time.</summary>
    public IReadOnlyList<string> Names { get; } = [.. inputs.Select(input => input.Name).Concat(labelKey is null ? [] : [labelKey]).Concat(fields.Select(field => field.Name)).Distinct(StringComparer.Ordinal)];

    public IReadOnlyList<InputDeclaration> Inputs => inputs;

    /// <summary>The element type that a key's values are read in.</summary>
    public int TypeOf(string name) => inputs.FirstOrDefault(input => input.Name == name)?.Type.ElementType ?? fields.FirstOrDefault(field => field.Name == name)?.ElementType ?? LabelType.ElementType;

    /// <summary>Whether a key holds labels or a mask, and no input: whole numbers, however they are written.</summary>
    public bool IsLabel(string name) => inputs.All(input => input.Name != name) && TypeOf(name) == ElementType.Int64;

    /// <summary>Builds the sample of one line or row.</summary>
    /// <param name="id">The sample's id.</param>
    /// <param name="values">What the data holds of <see cref="Names"/>.</param>
    /// <param name="found">Every key that the data has there, for messages.</param>
    /// <param name="place">Where the sample stands.</param>
    public Sample Sample(string id, IReadOnlyDictionary<string, Tensor> values, IReadOnlyCollection<string> found, Place place)
    {
        foreach (string name in Names)
        {
            if (!values.ContainsKey(name))
                throw Missing(name, found, place);
        }

        var sizes = new Dictionary<string, (long Size, string Input)>(StringComparer.Ordinal);
        foreach (InputDeclaration input in inputs)
            Fit(input, values[input.Name].Shape, sizes, place);
        Tensor? label = labelKey is null ? null : values[labelKey];
        if (label is not null && label.ElementType != ElementType.Int64)
            throw Errors.DataWrongType(place, labelKey!, "a label that is an input of the model too, which is no int64", "another key for the label");
        return new Sample(id, inputs.ToDictionary(input => input.Name, input => values[input.Name], StringComparer.Ordinal), label)
        {
            Fields = fields.ToDictionary(field => field.Name, field => values[field.Name], StringComparer.Ordinal),
        };
    }

    /// <summary>The error for a key that the data lacks.</summary>
    public MixedPrecisionException Missing(string name, IReadOnlyCollection<string> found, Place place) =>
        Errors.DataMissingKey(place, name, inputs.Any(input => input.Name == name) ? "the model's input" : name == labelKey ? "the label" : "what the loss reads,", found);

    private static void Fit(InputDeclaration input, long[] shape, Dictionary<string, (long Size, string Input)> sizes, Place place)
    {
        if (input.Type.Shape is not { } declared)
            return;
        string expected = $"[{string.Join(", ", declared)}]";
        if (declared.Count != shape.Length)
        {
            string batch = shape.Length == declared.Count - 1 ? "; a sample includes its batch axis" : "";
            throw Errors.DataWrongShape(place, input.Name, shape, $"{declared.Count} dimensions as the model declares, {expected}{batch}");
        }

        for (int axis = 0; axis < shape.Length; axis++)
        {
            // Converters write sizes of 0 or less for "not known".
            if (declared[axis].Size is > 0 and long size && size != shape[axis])
                throw Errors.DataWrongShape(place, input.Name, shape, $"{size} along axis {axis} as the model declares, {expected}");
            if (declared[axis].Symbol is not { } symbol || sizes.TryAdd(symbol, (shape[axis], input.Name)) || sizes[symbol].Size == shape[axis])
                continue;
            (long otherSize, string other) = sizes[symbol];
            throw Errors.DataWrongShape(place, input.Name, shape, $"{otherSize} along axis {axis}, which the model names {Wording.Quote(symbol)}, as in {Wording.Quote(other)}");
        }
    }
}
