using System.Globalization;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Makes the inputs of scenarios from calibration samples: real values, brought to the sizes asked for. Along a dimension that leads some input
/// (a batch), different samples are stacked; along every other symbolic dimension (a sequence, a width), a sample is cropped or repeated in a cycle.
/// Dimensions without a symbol keep the sample's size.
/// </summary>
public static class Scenarios
{
    /// <param name="model">The model.</param>
    /// <param name="policies">The scenarios of the policy; when there are none, one is made with the sizes of the sample of median size.</param>
    /// <param name="samples">Inputs by name, at least one sample, each valid for the model.</param>
    /// <returns>At least one scenario; weights are normalised, and scenarios of weight 0 are left out.</returns>
    /// <exception cref="MixedPrecisionException">MPB5001: a scenario names a dimension that the model does not have. MPB5003: an input would be larger than 2 GB.</exception>
    public static IReadOnlyList<Scenario> Make(
        OnnxModel model, IReadOnlyList<ScenarioPolicy> policies, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples)
    {
        // Dimensions that share a name and differ in the data are sizes of their own.
        (string Name, TensorType Type)[] inputs = [.. DimensionNames.Independent([.. model.Inputs.Select(InputDeclaration.Of)], samples).Select(i => (i.Name, i.Type))];
        Dictionary<string, Tensor> median = Median(inputs, samples);
        SortedDictionary<string, long> defaults = Symbols(inputs, median);
        if (policies.Count == 0)
        {
            return [new Scenario(NameOf(defaults), defaults, 1, median)];
        }

        double total = policies.Sum(p => p.Weight);
        return [.. policies.Where(p => p.Weight > 0).Select(policy =>
        {
            var sizes = new SortedDictionary<string, long>(defaults, StringComparer.Ordinal);
            foreach ((string symbol, long size) in policy.Inputs)
            {
                sizes[symbol] = defaults.ContainsKey(symbol) ? size : throw Errors.ScenarioDimensionUnknown(policy.Place, symbol, [.. defaults.Keys]);
            }

            return new Scenario(policy.Name ?? NameOf(sizes), sizes, policy.Weight / total, Fill(inputs, sizes, median, samples, policy.Place));
        })];
    }

    /// <summary>The sample whose number of elements is the median, the lower one of two.</summary>
    private static Dictionary<string, Tensor> Median((string Name, TensorType Type)[] inputs, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples)
    {
        var bySize = samples.Select(s => inputs.ToDictionary(i => i.Name, i => s[i.Name])).OrderBy(s => s.Values.Sum(t => t.Count)).ToList();
        return bySize[(bySize.Count - 1) / 2];
    }

    /// <summary>The symbols of the inputs, each with the size that the sample has there, in the order of their names.</summary>
    private static SortedDictionary<string, long> Symbols((string Name, TensorType Type)[] inputs, Dictionary<string, Tensor> sample)
    {
        var symbols = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach ((string name, TensorType type) in inputs)
        {
            for (int axis = 0; axis < (type.Rank ?? 0); axis++)
            {
                if (type.Shape![axis].Symbol is { } symbol)
                {
                    symbols.TryAdd(symbol, sample[name].Shape[axis]);
                }
            }
        }

        return symbols;
    }

    private static string NameOf(SortedDictionary<string, long> sizes) =>
        sizes.Count == 0 ? "fixed sizes" : string.Join(", ", sizes.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key} {s.Value}")));

    private static Dictionary<string, Tensor> Fill(
        (string Name, TensorType Type)[] inputs,
        SortedDictionary<string, long> sizes,
        Dictionary<string, Tensor> median,
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples,
        Place place)
    {
        HashSet<string> stacked = [.. inputs.Where(i => i.Type.Rank > 0).Select(i => i.Type.Shape![0].Symbol).OfType<string>()];
        var filled = new Dictionary<string, Tensor>();
        foreach ((string name, TensorType type) in inputs)
        {
            Tensor reference = median[name];
            long[] shape = [.. reference.Shape.Select((size, axis) => type.Shape?[axis].Symbol is { } symbol ? sizes[symbol] : size)];
            if (!Fits(reference.ElementType, shape))
            {
                throw Errors.ScenarioTooLarge(place, name, shape);
            }

            int stackAxis = type.Shape is null ? -1 : type.Shape.ToList().FindIndex(d => d.Symbol is { } symbol && stacked.Contains(symbol));
            filled.Add(name, Stack([.. samples.Select(s => s[name])], shape, stackAxis));
        }

        return filled;
    }

    private static bool Fits(int elementType, long[] shape)
    {
        try
        {
            return Tensor.ByteCount(elementType, shape) <= int.MaxValue;
        }
        catch (OverflowException)
        {
            return false;
        }
    }

    /// <summary>Samples in their order, and again from the first, until the axis is filled; every other axis cropped or repeated.</summary>
    private static Tensor Stack(IReadOnlyList<Tensor> samples, long[] shape, int stackAxis)
    {
        Tensor Fit(Tensor tensor) => Enumerable.Range(0, shape.Length).Where(a => a != stackAxis).Aggregate(tensor, (t, axis) => Tiling.Resize(t, axis, shape[axis]));
        if (stackAxis < 0)
        {
            return Fit(samples[0]);
        }

        var parts = new List<Tensor>();
        for (long filled = 0, i = 0; i == 0 || (filled < shape[stackAxis] && i < shape[stackAxis]); i++)
        {
            Tensor part = Fit(samples[(int)(i % samples.Count)]);
            parts.Add(part);
            filled += part.Shape[stackAxis];
        }

        return Tiling.Resize(Tiling.Concatenate(parts, stackAxis), stackAxis, shape[stackAxis]);
    }
}
