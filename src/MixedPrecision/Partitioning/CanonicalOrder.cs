using System.Security.Cryptography;

namespace MixedPrecision.Partitioning;

/// <summary>One node as the canonical order sees it.</summary>
/// <param name="Description">All that defines the node besides its operands.</param>
/// <param name="Operands">Index of the value of each operand, in order.</param>
/// <param name="Results">Index of each value it computes, in order.</param>
internal sealed record OrderedNode(byte[] Description, IReadOnlyList<int> Operands, IReadOnlyList<int> Results);

/// <summary>
/// A topological order that depends on the structure of a graph and neither on names nor on the order given. Nodes are told apart by hashes
/// which spread from operands to results, back, and forward again (colour refinement, Weisfeiler and Leman 1968), and then by the
/// places of their operands in the order itself. Nodes that this cannot tell apart keep the order given: equal structures may then, rarely,
/// be ordered differently, but different ones never become equal, since the fingerprint covers the whole structure.
/// </summary>
internal static class CanonicalOrder
{
    /// <param name="nodes">In some topological order.</param>
    /// <param name="values">Description of each value; empty for values that a node computes.</param>
    /// <returns>Indices into <paramref name="nodes"/>.</returns>
    public static int[] Of(IReadOnlyList<OrderedNode> nodes, IReadOnlyList<byte[]> values)
    {
        UInt128[] described = [.. nodes.Select(n => Hash(n.Description))];
        UInt128[] leaves = [.. values.Select(v => Hash(v))];
        UInt128[] forward = Forward(nodes, described, leaves);
        (UInt128[] backward, UInt128[] uses) = Backward(nodes, forward, leaves);
        return Sort(nodes, values.Count, Forward(nodes, backward, uses));
    }

    /// <summary>Per node a hash of itself and everything before it.</summary>
    private static UInt128[] Forward(IReadOnlyList<OrderedNode> nodes, UInt128[] own, UInt128[] leaves)
    {
        var values = (UInt128[])leaves.Clone();
        var hashes = new UInt128[nodes.Count];
        for (int node = 0; node < hashes.Length; node++)
        {
            hashes[node] = Hash([own[node], .. nodes[node].Operands.Select(v => values[v])]);
            for (int result = 0; result < nodes[node].Results.Count; result++)
            {
                values[nodes[node].Results[result]] = Hash([hashes[node], (UInt128)result]);
            }
        }

        return hashes;
    }

    /// <summary>Per node and per value a hash of itself and everything behind it.</summary>
    private static (UInt128[] Nodes, UInt128[] Values) Backward(IReadOnlyList<OrderedNode> nodes, UInt128[] own, UInt128[] leaves)
    {
        var uses = new List<UInt128>?[leaves.Length];
        var hashes = new UInt128[nodes.Count];
        for (int node = hashes.Length - 1; node >= 0; node--)
        {
            hashes[node] = Hash([own[node], .. nodes[node].Results.Select(v => Combine(leaves[v], uses[v]))]);
            for (int operand = 0; operand < nodes[node].Operands.Count; operand++)
            {
                (uses[nodes[node].Operands[operand]] ??= []).Add(Hash([hashes[node], (UInt128)operand]));
            }
        }

        return (hashes, [.. leaves.Select((leaf, v) => Combine(leaf, uses[v]))]);
    }

    private static UInt128 Combine(UInt128 own, List<UInt128>? uses) => Hash([own, .. (uses ?? []).Order()]);

    private static int[] Sort(IReadOnlyList<OrderedNode> nodes, int values, UInt128[] hashes)
    {
        var readers = new List<int>?[values];
        var producer = new int[values];
        Array.Fill(producer, -1);
        for (int node = 0; node < nodes.Count; node++)
        {
            foreach (int result in nodes[node].Results)
            {
                producer[result] = node;
            }
        }

        var waiting = new int[nodes.Count];
        for (int node = 0; node < nodes.Count; node++)
        {
            foreach (int operand in nodes[node].Operands.Where(v => producer[v] >= 0).Distinct())
            {
                waiting[node]++;
                (readers[operand] ??= []).Add(node);
            }
        }

        var places = new int[values];
        var ready = new PriorityQueue<int, (UInt128 Hash, int[] Operands, int Given)>(Comparer<(UInt128 Hash, int[] Operands, int Given)>.Create(Compare));
        var order = new List<int>(nodes.Count);
        void Ready(int node) => ready.Enqueue(node, (hashes[node], [.. nodes[node].Operands.Select(v => places[v])], node));
        for (int node = 0; node < nodes.Count; node++)
        {
            if (waiting[node] == 0)
            {
                Ready(node);
            }
        }

        int place = 0;
        while (ready.TryDequeue(out int node, out _))
        {
            order.Add(node);
            foreach (int value in nodes[node].Operands.Concat(nodes[node].Results).Where(v => places[v] == 0))
            {
                places[value] = ++place;
            }

            foreach (int reader in nodes[node].Results.SelectMany(v => readers[v] ?? []))
            {
                if (--waiting[reader] == 0)
                {
                    Ready(reader);
                }
            }
        }

        return [.. order];
    }

    private static int Compare((UInt128 Hash, int[] Operands, int Given) x, (UInt128 Hash, int[] Operands, int Given) y)
    {
        int byHash = x.Hash.CompareTo(y.Hash);
        int byOperands = byHash != 0 ? byHash : x.Operands.AsSpan().SequenceCompareTo(y.Operands);
        return byOperands != 0 ? byOperands : x.Given.CompareTo(y.Given);
    }

    private static UInt128 Hash(UInt128[] parts) => Hash(System.Runtime.InteropServices.MemoryMarshal.AsBytes(parts.AsSpan()));

    private static UInt128 Hash(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}
