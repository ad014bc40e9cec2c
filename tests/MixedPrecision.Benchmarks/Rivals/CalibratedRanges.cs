using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>Least and largest elements of values over samples: the tool's <c>CalibrationMethod.MinMax</c>.</summary>
internal static class CalibratedRanges
{
    /// <param name="values">Values that nodes of the main graph compute, or inputs.</param>
    /// <returns>By value; one that is no finite number on some sample is left out.</returns>
    public static IReadOnlyDictionary<string, ValueRange> Of(OnnxModel model, IReadOnlyCollection<string> values, IReadOnlyList<Sample> samples)
    {
        var sums = values.ToDictionary(v => v, _ => new RangeSums());
        HashSet<string> inputs = [.. model.Inputs.Select(i => i.Name)];
        using (Session session = Session.Create(Instrumented.Of(model, [.. values.Where(v => !inputs.Contains(v))]), SessionSettings.Plain))
        {
            foreach (Sample sample in samples)
            {
                using RunResults results = session.RunInPlace(sample.Inputs, CancellationToken.None);
                foreach ((string value, RangeSums sum) in sums)
                {
                    if ((inputs.Contains(value) ? sample.Inputs : results.Tensors).GetValueOrDefault(value) is { } tensor)
                    {
                        sum.Add(tensor);
                    }
                }
            }
        }

        return sums.Where(s => s.Value.Samples == samples.Count).ToDictionary(s => s.Key, s => s.Value.Total);
    }
}
