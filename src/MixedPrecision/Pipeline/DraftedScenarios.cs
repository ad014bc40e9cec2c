using MixedPrecision.Data;
using MixedPrecision.Onnx;

namespace MixedPrecision.Pipeline;

/// <summary>Sizes to begin with for the dimensions that a model leaves open, by what their names and inputs say.</summary>
internal static class DraftedScenarios
{
    private const long Batch = 1;
    private const long Sequence = 128;
    private const long Side = 224;
    private const long AudioSamples = 16_000;

    private enum Kind
    {
        Batch,
        Side,
        Audio,
        Sequence,
        Past,
        Total,
    }

    /// <summary>Scenarios by name: a decoder with caches has one for prompts and one for single tokens. None where all sizes are fixed.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, long>> Of(IReadOnlyList<InputDeclaration> inputs)
    {
        var kinds = new Dictionary<string, Kind>(StringComparer.Ordinal);
        foreach (InputDeclaration input in inputs)
        {
            IReadOnlyList<Dimension> shape = input.Type.Shape ?? [];
            for (int axis = 0; axis < shape.Count; axis++)
            {
                // A name with control characters cannot stand in a policy.
                if (shape[axis].Symbol is { } symbol && !symbol.Any(char.IsControl))
                {
                    kinds.TryAdd(symbol, KindOf(symbol, input, axis));
                }
            }
        }

        if (kinds.Count == 0)
        {
            return new Dictionary<string, IReadOnlyDictionary<string, long>>();
        }

        if (!kinds.ContainsValue(Kind.Past))
        {
            return new Dictionary<string, IReadOnlyDictionary<string, long>> { ["one"] = Sizes(kinds, Sequence, 0) };
        }

        var scenarios = new Dictionary<string, IReadOnlyDictionary<string, long>>();
        // A decoder whose exporter fixed one token a run takes no prompt.
        if (kinds.ContainsValue(Kind.Sequence))
        {
            scenarios.Add("prefill", Sizes(kinds, Sequence, 0));
        }

        scenarios.Add("decode", Sizes(kinds, 1, Sequence));
        return scenarios;
    }

    private static Dictionary<string, long> Sizes(Dictionary<string, Kind> kinds, long sequence, long past) => kinds.ToDictionary(k => k.Key, k => k.Value switch
    {
        Kind.Batch => Batch,
        Kind.Side => Side,
        Kind.Audio => AudioSamples,
        Kind.Past => past,
        Kind.Total => past + sequence,
        _ => sequence,
    });

    private static Kind KindOf(string symbol, InputDeclaration input, int axis)
    {
        IReadOnlyList<Dimension> shape = input.Type.Shape!;
        bool Says(string word) => symbol.Contains(word, StringComparison.OrdinalIgnoreCase);
        return Says("batch") || (axis == 0 && shape.Count > 1) ? Kind.Batch
            : Says("total") || Says("+") ? Kind.Total
            : Says("past") || (EmptyCaches.IsCache(input) && axis == shape.Count - 2) ? Kind.Past
            : shape.Count == 4 && !EmptyCaches.IsCache(input) ? Kind.Side
            : shape.Count == 2 && Says("sample") ? Kind.Audio
            : Kind.Sequence;
    }
}
