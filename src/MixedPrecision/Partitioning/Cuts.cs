using System.Numerics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>A value that every layer either reaches or is reached from.</summary>
/// <param name="Node">The node that computes it.</param>
/// <param name="LayersBefore">How many layers reach it.</param>
/// <param name="Depth">Nodes on the longest path that ends in it.</param>
internal sealed record Cut(string Value, int Node, int LayersBefore, int Depth);

/// <summary>
/// Finds cuts by counting, for each value, the layers before and behind it: it is a cut when that makes all. Sets of layers are bit sets, taken
/// in blocks so that memory stays bounded; each block is one sweep up and one down the graph.
/// </summary>
internal static class Cuts
{
    /// <summary>Bounds the bit sets of one sweep to 64 MB.</summary>
    private const int WordsAtOnce = 8_000_000;

    /// <summary>All cuts that a node computes and that are of floating type, in topological order.</summary>
    /// <param name="layers">Indices of the layers' nodes, ascending.</param>
    public static IReadOnlyList<Cut> Find(GraphView view, IReadOnlyDictionary<string, TensorType> types, IReadOnlyList<int> layers)
    {
        int nodes = view.Nodes.Count;
        int[][] predecessors = [.. view.Inputs.Select(values => values.Select(view.Producer).OfType<int>().Distinct().ToArray())];
        int[][][] readers = [.. view.Nodes.Select(n => n.Output.Select(v => v.Length == 0 ? [] : view.Consumers(v).ToArray()).ToArray())];
        var before = new int[nodes];
        int[][] behind = [.. readers.Select(r => new int[r.Length])];
        int words = Math.Clamp(WordsAtOnce / Math.Max(nodes, 1), 1, Math.Max(1, (layers.Count + 63) / 64));
        var sets = new ulong[checked(nodes * words)];
        for (int first = 0; first < layers.Count; first += words * 64)
        {
            int[] block = [.. layers.Skip(first).Take(words * 64)];
            Mark(sets, words, block);
            for (int node = 0; node < nodes; node++)
            {
                Span<ulong> own = sets.AsSpan(node * words, words);
                foreach (int predecessor in predecessors[node])
                {
                    Unite(own, sets.AsSpan(predecessor * words, words));
                }

                before[node] += Count(own);
            }

            Mark(sets, words, block);
            var reached = new ulong[words];
            for (int node = nodes - 1; node >= 0; node--)
            {
                for (int output = 0; output < readers[node].Length; output++)
                {
                    Array.Clear(reached);
                    foreach (int reader in readers[node][output])
                    {
                        Unite(reached, sets.AsSpan(reader * words, words));
                    }

                    behind[node][output] += Count(reached);
                    Unite(sets.AsSpan(node * words, words), reached);
                }
            }
        }

        int[] depths = Depths(predecessors);
        return
        [
            .. from node in Enumerable.Range(0, nodes)
               from output in Enumerable.Range(0, readers[node].Length)
               let value = view.Nodes[node].Output[output]
               where before[node] + behind[node][output] == layers.Count && value.Length > 0 && !view.Constants.Contains(value)
                   && types.TryGetValue(value, out TensorType? type) && ElementType.IsFloating(type.ElementType)
               select new Cut(value, node, before[node], depths[node]),
        ];
    }

    private static int[] Depths(int[][] predecessors)
    {
        var depths = new int[predecessors.Length];
        for (int node = 0; node < depths.Length; node++)
        {
            depths[node] = 1 + predecessors[node].Select(p => depths[p]).DefaultIfEmpty(0).Max();
        }

        return depths;
    }

    /// <summary>Each layer of the block in its own node's set, all other sets empty.</summary>
    private static void Mark(ulong[] sets, int words, int[] block)
    {
        Array.Clear(sets);
        for (int i = 0; i < block.Length; i++)
        {
            sets[(block[i] * words) + (i / 64)] |= 1UL << (i % 64);
        }
    }

    private static void Unite(Span<ulong> target, ReadOnlySpan<ulong> source)
    {
        for (int i = 0; i < target.Length; i++)
        {
            target[i] |= source[i];
        }
    }

    private static int Count(ReadOnlySpan<ulong> set)
    {
        int count = 0;
        foreach (ulong word in set)
        {
            count += BitOperations.PopCount(word);
        }

        return count;
    }
}
