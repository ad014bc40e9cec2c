using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Partitioning;

/// <summary>What holds for every partition.</summary>
internal static class PartitionChecks
{
    /// <summary>Each node is in exactly one sub-graph, in topological order, and reads nothing from a later one.</summary>
    public static void Sequential(Partition partition)
    {
        GraphView view = partition.View;
        Assert.Equal(Enumerable.Range(0, view.Nodes.Count), partition.Subgraphs.SelectMany(s => s.Nodes).Order());
        int[] owner = new int[view.Nodes.Count];
        foreach (Subgraph subgraph in partition.Subgraphs)
        {
            Assert.Equal(subgraph.Nodes.Order(), subgraph.Nodes);
            Assert.Equal(subgraph.Timed.Order(), subgraph.Timed);
            Assert.Empty(subgraph.Timed.Except(subgraph.Nodes));
            Assert.Empty(subgraph.Layers.Select(l => l.Node).Except(subgraph.Timed));
            foreach (int node in subgraph.Nodes)
            {
                owner[node] = subgraph.Index;
            }
        }

        for (int node = 0; node < owner.Length; node++)
        {
            foreach (int source in view.Inputs[node].Select(view.Producer).OfType<int>())
            {
                Assert.True(owner[source] <= owner[node], $"node {node} of sub-graph {owner[node]} reads from sub-graph {owner[source]}");
            }
        }
    }
}
