using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>
/// Names of symbolic dimensions. An exporter may give one name to dimensions that have nothing to do with each other, such as the lengths of an encoder's and a decoder's input; ONNX
/// Runtime takes any sizes. Where the sizes of samples differ under one name, they are taken as independent.
/// </summary>
public static class DimensionNames
{
    /// <summary>The inputs under names that hold: of the dimensions that share one and differ in some sample, all but the first are called <c>input.name</c>.</summary>
    /// <param name="inputs">The model's inputs as declared.</param>
    /// <param name="samples">Inputs by name, each sample of the declared ranks.</param>
    public static IReadOnlyList<InputDeclaration> Independent(IReadOnlyList<InputDeclaration> inputs, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples)
    {
        var names = new Dictionary<(string Input, int Axis), string>();
        foreach (IGrouping<string, Use> shared in Uses(inputs).GroupBy(u => u.Name))
        {
            // Those that agree in all samples keep one name.
            foreach (IGrouping<string, Use> same in shared.GroupBy(u => string.Join(' ', samples.Select(s => u.SizeIn(s)))).Skip(1))
            {
                Use first = same.First();
                string own = $"{first.Input}.{first.Name}";
                own = names.ContainsValue(own) ? $"{own}.{first.Axis}" : own;
                foreach (Use use in same)
                {
                    names.Add((use.Input, use.Axis), own);
                }
            }
        }

        return names.Count == 0 ? inputs : [.. inputs.Select(i => i.Type.Shape is not { } shape ? i : i with
        {
            Type = i.Type with { Shape = [.. shape.Select((d, axis) => names.TryGetValue((i.Name, axis), out string? own) ? new Dimension(null, own) : d)] },
        })];
    }

    /// <summary>The types of a model's values where the names of its inputs' dimensions hold for the samples; as they were when they hold anyway.</summary>
    public static IReadOnlyDictionary<string, TensorType> Types(
        OnnxModel model, IReadOnlyDictionary<string, TensorType> types, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples)
    {
        InputDeclaration[] inputs = [.. model.Inputs.Select(InputDeclaration.Of)];
        IReadOnlyList<InputDeclaration> independent = Independent(inputs, samples);
        if (ReferenceEquals(independent, inputs))
        {
            return types;
        }

        // What was known by a run besides stays.
        var renamed = new Dictionary<string, TensorType>(types);
        foreach ((string value, TensorType type) in TypeInference.Infer(model, independent.ToDictionary(i => i.Name, i => i.Type)).Where(t => t.Value.Shape is not null))
        {
            renamed[value] = type;
        }

        return renamed;
    }

    /// <summary>A warning for each name that has two sizes within a sample.</summary>
    /// <param name="model">The model as the user named it.</param>
    public static IReadOnlyList<Diagnostic> Warnings(string model, IReadOnlyList<InputDeclaration> inputs, IReadOnlyList<Sample> samples)
    {
        var warnings = new List<Diagnostic>();
        foreach (IGrouping<string, Use> shared in Uses(inputs).GroupBy(u => u.Name))
        {
            Use first = shared.First();
            (Sample Sample, Use Other)? found = samples
                .SelectMany(s => shared.Skip(1).Where(u => u.SizeIn(s.Inputs) != first.SizeIn(s.Inputs)).Select(u => ((Sample, Use)?)(s, u)))
                .FirstOrDefault();
            if (found is var (sample, other))
            {
                warnings.Add(Errors.DimensionSizesDiffer(
                    model, first.Name, (first.Input, first.Axis, first.SizeIn(sample.Inputs)!.Value), (other.Input, other.Axis, other.SizeIn(sample.Inputs)!.Value), sample.Id));
            }
        }

        return warnings;
    }

    private static IEnumerable<Use> Uses(IReadOnlyList<InputDeclaration> inputs) =>
        inputs.SelectMany(input => (input.Type.Shape ?? []).Select((d, axis) => (d.Symbol, Axis: axis)).Where(d => d.Symbol is not null).Select(d => new Use(d.Symbol!, input.Name, d.Axis)));

    /// <summary>A dimension that has a name.</summary>
    private sealed record Use(string Name, string Input, int Axis)
    {
        public long? SizeIn(IReadOnlyDictionary<string, Tensor> sample) => sample.TryGetValue(Input, out Tensor? value) && Axis < value.Rank ? value.Shape[Axis] : null;
    }
}
