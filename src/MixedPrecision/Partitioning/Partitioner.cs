using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>
/// Divides a model into sequential sub-graphs, after arXiv 2505.13060. Of the cuts that separate the same layers the last one
/// is the boundary, so that what follows a layer (bias, activation, residual sum, normalization) stays with it, as ONNX Runtime
/// fuses it, and equal blocks become equal sub-graphs. A product of activations stays with the layers that its operands come from: <see cref="ProductsOfActivations"/>.
/// Embeddings decide on no cut: those before the first one make a sub-graph of their own, so that all others are as without them.
/// </summary>
public static class Partitioner
{
    private const string NoTime = "fewer bits gain memory in tables to look up in, but no time";
    private const string Beside = "layers run before or beside it, so that it belongs to no sub-graph of its own";

    /// <param name="types">Types of all values, as <see cref="Execution.TypeInference"/> gives them.</param>
    /// <param name="withEmbeddings">Whether tables to look up in are layers.</param>
    /// <exception cref="Diagnostics.MixedPrecisionException">MPB2007: the graph is not valid.</exception>
    public static Partition Partition(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, bool withEmbeddings = false)
    {
        var view = new GraphView(model.Graph);
        (IReadOnlyList<Layer> layers, IReadOnlyList<Layer> embeddings, IReadOnlyList<Excluded> excluded) = LayerFinder.Find(model, view, types);
        var hashes = new Lazy<UInt128[]>(() => AncestorHash.Of(view));
        Cut[] last = [.. Cuts.Find(view, types, [.. layers.Select(l => l.Node)])
            .GroupBy(c => c.LayersBefore)
            .Select(g => Last(view, [.. g], hashes))
            .Where(c => c.LayersBefore < layers.Count)
            .OrderBy(c => c.LayersBefore)];
        Cut? entry = last.FirstOrDefault(c => c.LayersBefore == 0);
        Cut[] boundaries = ProductsOfActivations.Joined(view, layers, [.. last.Where(c => c.LayersBefore > 0)]);
        Layer[] first = !withEmbeddings ? [] : layers.Count == 0 ? [.. embeddings] : Before(view, entry, embeddings);
        if (entry is not null && first.Length > 0)
        {
            (boundaries, entry) = ([entry, .. boundaries], null);
        }

        string?[] entries = [entry?.Value, .. boundaries.Select(c => c.Value)];
        int[] owners = Owners(view, boundaries);
        bool[] timed = Timed(view, owners, entries);

        ILookup<int, int> nodes = Enumerable.Range(0, owners.Length).ToLookup(n => owners[n]);
        ILookup<int, Layer> owned = first.Concat(layers).ToLookup(l => owners[l.Node]);
        var canonical = new CanonicalForm(model, view, types);
        var subgraphs = new List<Subgraph>();
        for (int index = 0; index < entries.Length; index++)
        {
            int[] cutOut = [.. nodes[index].Where(n => timed[n])];
            string? exit = index < boundaries.Length ? boundaries[index].Value : null;
            subgraphs.Add(new Subgraph(index, entries[index], exit, [.. nodes[index]], cutOut, [.. owned[index]], canonical.Fingerprint(cutOut)));
        }

        return new Partition(view, subgraphs, [.. excluded, .. embeddings.Except(first).Select(e => new Excluded(e.Name, e.Operator, withEmbeddings ? Beside : NoTime))]);
    }

    /// <summary>Two sub-graphs of a partition that follow each other, as one that belongs to none: its index is negative.</summary>
    public static Subgraph Join(OnnxModel model, Partition partition, IReadOnlyDictionary<string, TensorType> types, Subgraph first, Subgraph second)
    {
        int[] timed = [.. first.Timed.Concat(second.Timed).Order()];
        return new Subgraph(
            -1 - first.Index, first.Entry, second.Exit, [.. first.Nodes.Concat(second.Nodes).Order()], timed, [.. first.Layers, .. second.Layers],
            new CanonicalForm(model, partition.View, types).Fingerprint(timed));
    }

    /// <summary>The embeddings that lead to a cut before all layers.</summary>
    private static Layer[] Before(GraphView view, Cut? entry, IReadOnlyList<Layer> embeddings)
    {
        int[] owners = Owners(view, entry is null ? [] : [entry]);
        return [.. embeddings.Where(e => entry is not null && owners[e.Node] == 0)];
    }

    /// <summary>The deepest of some cuts; of those that run beside each other, one that neither names nor the file's order decide on.</summary>
    private static Cut Last(GraphView view, Cut[] cuts, Lazy<UInt128[]> hashes)
    {
        int depth = cuts.Max(c => c.Depth);
        Cut[] deepest = [.. cuts.Where(c => c.Depth == depth)];
        return deepest.Length == 1 ? deepest[0] : deepest.MaxBy(c => (hashes.Value[c.Node], view.Consumers(c.Value).Count, c.Node))!;
    }

    /// <summary>Per node the first boundary that it computes or leads to; the last sub-graph has what leads to none.</summary>
    private static int[] Owners(GraphView view, Cut[] boundaries)
    {
        var owners = new int[view.Nodes.Count];
        Array.Fill(owners, boundaries.Length);
        for (int index = 0; index < boundaries.Length; index++)
        {
            owners[boundaries[index].Node] = index;
        }

        for (int node = owners.Length - 1; node >= 0; node--)
        {
            foreach (string output in view.Nodes[node].Output.Where(o => o.Length > 0))
            {
                foreach (int reader in view.Consumers(output))
                {
                    owners[node] = Math.Min(owners[node], owners[reader]);
                }
            }
        }

        return owners;
    }

    /// <summary>
    /// Per node whether it depends on the entry of its own sub-graph. A path from the entry to such a node stays in the sub-graph, so one
    /// sweep suffices.
    /// </summary>
    private static bool[] Timed(GraphView view, int[] owners, string?[] entries)
    {
        var timed = new bool[owners.Length];
        for (int node = 0; node < timed.Length; node++)
        {
            int owner = owners[node];
            timed[node] = entries[owner] is not string entry
                || view.Inputs[node].Any(v => v == entry || (view.Producer(v) is int source && owners[source] == owner && timed[source]));
        }

        return timed;
    }
}
