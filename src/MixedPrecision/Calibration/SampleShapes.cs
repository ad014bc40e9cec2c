using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>
/// Types of a model's values for the samples at hand: sizes that all samples share are known, sizes that always agree have one name. Gradient graphs
/// then hold few decisions about shapes that are taken at run time.
/// </summary>
internal static class SampleShapes
{
    private const int ObservedSamples = 16;

    /// <param name="types">What is known of the model's values for any input.</param>
    public static IReadOnlyDictionary<string, TensorType> Types(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, IReadOnlyList<Sample> samples)
    {
        var names = new Dictionary<string, string>();
        var known = new Dictionary<string, TensorType>();
        foreach ((string name, TensorType type) in types)
        {
            // A symbol of the declaration may stand for what is a number now.
            known[name] = type.Shape is null ? type : type with { Shape = [.. type.Shape.Select(d => d.Size is null ? Dimension.Unknown : d)] };
        }

        foreach (string input in model.Inputs.Select(i => i.Name).Where(samples[0].Inputs.ContainsKey))
        {
            if (samples.Select(s => s.Inputs[input].Rank).Distinct().Count() > 1)
            {
                continue;
            }

            Dimension[] shape = [.. samples[0].Inputs[input].Shape.Select((_, axis) =>
            {
                long[] sizes = [.. samples.Select(s => s.Inputs[input].Shape[axis])];
                string all = string.Join(' ', sizes);
                return sizes.Distinct().Count() == 1 ? Dimension.Of(sizes[0])
                    : new Dimension(null, names.TryGetValue(all, out string? symbol) ? symbol : names[all] = Symbol(names.Count));
            })];
            known[input] = new TensorType(samples[0].Inputs[input].ElementType, shape);
        }

        return TypeInference.Infer(model, known);
    }

    /// <summary>
    /// The types with sizes that only runs show, because shapes are computed: of values with an open size, sizes that some samples agree in, or that
    /// follow an input's in all of them. Runs the whole model, hence only for small ones.
    /// </summary>
    /// <param name="types">What <see cref="Types"/> gave.</param>
    public static IReadOnlyDictionary<string, TensorType> Observe(
        OnnxModel model, IReadOnlyDictionary<string, TensorType> types, IReadOnlyList<Sample> samples, CancellationToken cancel)
    {
        HashSet<string> computed = [.. model.Graph.Node.SelectMany(n => n.Output)];
        string[] open = [.. types.Where(t => computed.Contains(t.Key) && t.Value.ElementType != 0 && t.Value.Shape?.All(d => d.Size is not null || d.Symbol is not null) != true).Select(t => t.Key)];
        Sample[] distinct = [.. samples.DistinctBy(s => string.Join(' ', s.Inputs.Values.SelectMany(i => i.Shape)))];
        Sample[] observed = [.. distinct.Where((_, i) => i * ObservedSamples / distinct.Length != (i - 1) * ObservedSamples / distinct.Length || i == 0)];
        if (open.Length == 0 || observed.Length == 0)
        {
            return types;
        }

        using Session session = Session.Create(Instrumented.Of(model, open), SessionSettings.Plain, model.Folder);
        var shapes = new List<IReadOnlyDictionary<string, long[]>>();
        foreach (Sample sample in observed)
        {
            using RunResults results = session.RunInPlace(sample.Inputs, cancel);
            shapes.Add(results.Tensors.ToDictionary(t => t.Key, t => t.Value.Shape));
        }

        var symbols = new Dictionary<string, string>();
        foreach ((string input, TensorType type) in types.Where(t => observed[0].Inputs.ContainsKey(t.Key)))
        {
            for (int axis = 0; axis < type.Rank; axis++)
            {
                if (type.Shape![axis].Symbol is string symbol)
                {
                    symbols.TryAdd(string.Join(' ', observed.Select(s => s.Inputs[input].Shape[axis])), symbol);
                }
            }
        }

        var result = new Dictionary<string, TensorType>(types);
        foreach (string value in open.Where(v => shapes.All(s => s.TryGetValue(v, out long[]? shape) && shape.Length == shapes[0][v].Length)))
        {
            result[value] = types[value] with
            {
                Shape = [.. shapes[0][value].Select((_, axis) =>
                {
                    if (types[value].Shape?[axis] is { } known && known != Dimension.Unknown)
                    {
                        return known;
                    }

                    long[] sizes = [.. shapes.Select(s => s[value][axis])];
                    return sizes.Distinct().Count() == 1 ? Dimension.Of(sizes[0]) : new Dimension(null, symbols.GetValueOrDefault(string.Join(' ', sizes)));
                })],
            };
        }

        return result;
    }

    /// <summary>Bytes of a value in the largest sample, as far as its type tells; 0 where it does not.</summary>
    public static long Bytes(TensorType? type, IReadOnlyList<Sample> samples)
    {
        if (type?.Shape is null || ElementType.BitsOf(type.ElementType) == 0)
        {
            return 0;
        }

        // A size that samples differ in is at most the largest size of any input.
        long largest = samples.Max(s => s.Inputs.Values.SelectMany(i => i.Shape).Append(1).Max());
        return Tensor.ByteCount(type.ElementType, [.. type.Shape.Select(d => d.Size ?? largest)]);
    }

    private static string Symbol(int number) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"sample size {number}");
}
