using MixedPrecision.Calibration.Data;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>
/// Types of a model's values for the samples at hand: sizes that all samples share are known, sizes that always agree have one name. Gradient graphs
/// then hold few decisions about shapes that are taken at run time.
/// </summary>
internal static class SampleShapes
{
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
