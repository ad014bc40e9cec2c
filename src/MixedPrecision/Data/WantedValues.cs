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

    /// <summary>Whether data may lack a key: a cache of a decoder can be empty.</summary>
    public bool MayLack(string name) => inputs.FirstOrDefault(input => input.Name == name) is { } input && EmptyCaches.Of(input, _ => null) is not null;

    /// <summary>Builds the sample of one line or row.</summary>
    /// <param name="id">The sample's id.</param>
    /// <param name="values">What the data holds of <see cref="Names"/>.</param>
    /// <param name="found">Every key that the data has there, for messages.</param>
    /// <param name="place">Where the sample stands.</param>
    public Sample Sample(string id, IReadOnlyDictionary<string, Tensor> values, IReadOnlyCollection<string> found, Place place)
    {
        Dictionary<string, long> sizes = SizesOf(values);
        long? SizeOf(string symbol) => sizes.TryGetValue(symbol, out long size) ? size : null;
        var all = new Dictionary<string, Tensor>(values, StringComparer.Ordinal);
        var filled = new List<string>();
        foreach (InputDeclaration input in inputs)
        {
            if (values.TryGetValue(input.Name, out Tensor? given))
            {
                all[input.Name] = WithRank(input, given, SizeOf);
            }
            else if (EmptyCaches.Of(input, SizeOf) is { } empty)
            {
                all[input.Name] = empty;
                filled.Add(input.Name);
            }
        }

        values = all;
        foreach (string name in Names)
        {
            if (!values.ContainsKey(name))
                throw Missing(name, found, place);
        }

        foreach (InputDeclaration input in inputs)
            Fit(input, values[input.Name].Shape, place);
        Tensor? label = labelKey is null ? null : values[labelKey];
        if (label is not null && label.ElementType != ElementType.Int64)
            throw Errors.DataWrongType(place, labelKey!, "a label that is an input of the model too, which is no int64", "another key for the label");
        return new Sample(id, inputs.ToDictionary(input => input.Name, input => values[input.Name], StringComparer.Ordinal), label)
        {
            Fields = fields.ToDictionary(field => field.Name, field => values[field.Name], StringComparer.Ordinal),
            Filled = filled,
        };
    }

    /// <summary>The error for a key that the data lacks.</summary>
    public MixedPrecisionException Missing(string name, IReadOnlyCollection<string> found, Place place) =>
        Errors.DataMissingKey(place, name, inputs.Any(input => input.Name == name) ? "the model's input" : name == labelKey ? "the label" : "what the loss reads,", found);

    /// <summary>Sizes of the symbolic dimensions, by those inputs that are given; of several under one name that of the first.</summary>
    private Dictionary<string, long> SizesOf(IReadOnlyDictionary<string, Tensor> values)
    {
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (InputDeclaration input in inputs)
        {
            if (!values.TryGetValue(input.Name, out Tensor? value) || value.Rank != input.Type.Rank)
                continue;
            for (int axis = 0; axis < value.Rank; axis++)
            {
                if (input.Type.Shape![axis].Symbol is { } symbol)
                    sizes.TryAdd(symbol, value.Shape[axis]);
            }
        }

        return sizes;
    }

    /// <summary>An empty value in the declared rank: nested arrays end where an axis is empty, and what would stand further in follows from the declaration.</summary>
    private static Tensor WithRank(InputDeclaration input, Tensor value, Func<string, long?> sizeOf)
    {
        if (value.Count > 0 || value.Rank == 0 || input.Type.Shape is not { } declared || value.Rank >= declared.Count)
            return value;
        if (value.Rank == 1)
            return EmptyCaches.Of(input, sizeOf) ?? value;
        long[] shape = [.. value.Shape, .. declared.Skip(value.Rank).Select(d => d.Size ?? (d.Symbol is null ? null : sizeOf(d.Symbol)) ?? 0)];
        return new Tensor(value.ElementType, shape, ReadOnlyMemory<byte>.Empty);
    }

    /// <summary>Holds a shape against the declaration. Dimensions of one name may differ: <see cref="DimensionNames"/> warns of them.</summary>
    private static void Fit(InputDeclaration input, long[] shape, Place place)
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
        }
    }
}
