using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Formats;

/// <summary>Weights with values that no format can round: NaN and infinities. A range or a scale that is taken of one makes the whole column, or the tensor, worthless.</summary>
public static class WeightFaults
{
    /// <summary>Sites whose <see cref="LayerSite.Fault"/> says what is wrong with the values of their weights. Reads every weight once.</summary>
    public static IReadOnlyDictionary<string, LayerSite> Find(OnnxModel model, GraphView view, IReadOnlyDictionary<string, LayerSite> sites)
    {
        var known = new Dictionary<string, string?>();
        return sites.ToDictionary(s => s.Key, s => s.Value with { Fault = s.Value.Layer.ByWeight.Select(l => Of(model, view, l.Weight, known)).FirstOrDefault(f => f is not null) });
    }

    private static string? Of(OnnxModel model, GraphView view, string weight, Dictionary<string, string?> known)
    {
        if (!known.TryGetValue(weight, out string? fault))
        {
            // What nodes compute from stored constants, which is mostly their order, is only computed where one of these has such a value.
            string? found = view.Producer(weight) is null || AreStoredFaulty(model, view, weight) ? Weights.Read(model, view, weight) is { } tensor ? NonFinite.In(tensor) : null : null;
            known.Add(weight, fault = found is null ? null : $"the weight {Wording.Quote(weight)} holds {found}");
        }

        return fault;
    }

    /// <summary>Whether one of the stored constants that a constant is computed from has a value that is no finite number.</summary>
    private static bool AreStoredFaulty(OnnxModel model, GraphView view, string constant)
    {
        var open = new Stack<string>([constant]);
        var seen = new HashSet<string>();
        while (open.TryPop(out string? value))
        {
            if (!seen.Add(value))
            {
                continue;
            }

            if (view.Producer(value) is int node && !Weights.IsStored(view.Nodes[node]))
            {
                foreach (string input in view.Nodes[node].Input.Where(i => i.Length > 0))
                {
                    open.Push(input);
                }
            }
            else if (Weights.Proto(model, view, value) is { } stored && ElementType.IsFloating(stored.DataType) && NonFinite.In(TensorProtos.Read(stored, model.External)) is not null)
            {
                return true;
            }
        }

        return false;
    }
}
