using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>A floating value inside of a model that an output of another type is made from.</summary>
/// <param name="Value">Its name.</param>
/// <param name="Type">Its type in words.</param>
/// <param name="Operator">The operator that reads it, or gives it beside the output.</param>
internal sealed record InnerScore(string Value, string Type, string Operator);

/// <summary>Finds what a loss could read where a model's outputs are labels, maps or text: the scores that these were made from.</summary>
internal static class InnerScores
{
    /// <summary>The nearest floating values before the outputs that are not floating, each once: what ArgMax, TopK, Cast or ZipMap reads, or what a classifier gives beside its label.</summary>
    public static IReadOnlyList<InnerScore> Of(OnnxModel model, IReadOnlyDictionary<string, TensorType> types)
    {
        var makers = model.Graph.Node.SelectMany(n => n.Output.Select(o => (o, n))).Where(p => p.o.Length > 0).DistinctBy(p => p.o).ToDictionary(p => p.o, p => p.n);
        var found = new List<InnerScore>();
        var open = new Queue<string>(model.Graph.Output.Select(o => o.Name).Where(o => !IsFloating(o)));
        var seen = new HashSet<string>();
        while (open.TryDequeue(out string? value))
        {
            if (!makers.TryGetValue(value, out NodeProto? node))
            {
                continue;
            }

            string[] read = [.. node.Input.Where(i => makers.ContainsKey(i) && IsFloating(i))], beside = [.. node.Output.Where(IsFloating)];
            string[] scores = beside.Length > 0 ? beside : read;
            found.AddRange(scores.Where(seen.Add).Select(s => new InnerScore(s, types[s].ToString(), node.OpType)));
            foreach (string input in scores.Length > 0 ? [] : node.Input.Where(i => i.Length > 0 && seen.Add(i)))
            {
                open.Enqueue(input);
            }
        }

        return found;

        bool IsFloating(string name) => types.GetValueOrDefault(name) is { } type && ElementType.IsFloating(type.ElementType);
    }
}
