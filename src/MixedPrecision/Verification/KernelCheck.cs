using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Verification;

/// <summary>
/// Checks in the graph that ONNX Runtime has optimized that each layer runs in a kernel its format promises. The runtime fuses patterns of operators only under conditions of
/// its own; a layer whose pattern stays runs correctly and many times slower, or dequantizes its weight on every call.
/// </summary>
public static class KernelCheck
{
    /// <param name="path">Path of the emitted model.</param>
    /// <param name="layers">What <see cref="Conformance.Check"/> found in it.</param>
    /// <param name="settings">The app's.</param>
    /// <param name="structures">The structures of sub-graphs that do not stand as exported.</param>
    /// <exception cref="MixedPrecisionException">MPB7001: the emitted model does not load. MPB7004: a layer or a structure runs in another kernel.</exception>
    public static void Check(string path, IReadOnlyList<RewrittenLayer> layers, SessionSettings settings, IReadOnlyList<FoundStructure>? structures = null)
    {
        structures ??= [];
        if (layers.Count == 0 && structures.Count == 0)
        {
            return;
        }

        string file = Path.GetFileName(path);
        try
        {
            OptimizedModel.Read(path, settings, optimized =>
            {
                using OnnxModel emitted = OnnxModel.Load(path, file, keepDefaults: true);
                Check(file, layers, new GraphView(emitted.Graph), new GraphView(optimized.Graph));
                Check(file, [.. structures.SelectMany(s => s.Match.Kernels, (s, k) => new Promise(s.Match.Outputs[0], s.Structure.Name, k.Operator)), .. layers.SelectMany(Beside)], optimized.Graph);
                return true;
            });
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.EmittedModelDoesNotRun(file, e.Message.Replace('\n', ' '));
        }
    }

    /// <summary>A kernel that a layer's format or a structure rests on.</summary>
    private sealed record Promise(string Node, string By, string Kernel);

    private static IEnumerable<Promise> Beside(RewrittenLayer layer) =>
        from beside in layer.Format.KernelsBeside(layer.Site) from node in layer.Nodes where node.Operator() == beside.Key select new Promise(layer.Site.Layer.Name, layer.Format.Name, beside.Value);

    /// <summary>Of each kernel there have to be as many as are promised together.</summary>
    private static void Check(string file, IReadOnlyList<Promise> promises, GraphProto optimized)
    {
        foreach (IGrouping<string, Promise> same in promises.GroupBy(p => p.Kernel))
        {
            int found = Nodes(optimized).Count(n => n.Operator() == same.Key);
            if (found < same.Count())
            {
                Promise first = same.First();
                throw Errors.KernelNotAsPromised(file, first.Node, first.By, $"{same.Count()} {same.Key}", $"{found}");
            }
        }
    }

    /// <summary>The nodes of a graph, those in branches too: a kernel may stand in one, for the sizes that it takes.</summary>
    private static IEnumerable<NodeProto> Nodes(GraphProto graph) => graph.Node.Concat(graph.Node.SelectMany(n => n.Graphs()).SelectMany(Nodes));

    internal static void Check(string file, IReadOnlyList<RewrittenLayer> layers, GraphView emitted, GraphView optimized)
    {
        foreach (RewrittenLayer layer in layers)
        {
            IReadOnlyList<Kernel> kernels = layer.Format.Kernels(layer.Site);
            if (kernels.Count == 0)
            {
                continue;
            }

            bool Runs(NodeProto node) => kernels.Any(k => k.Runs(node));

            // What reads a prepared weight runs the layer, or another that shares the weight.
            NodeProto[] readers = layer.Constants.Count == 0 ? [] : [.. optimized.Consumers(layer.Constants[0]).Select(n => optimized.Nodes[n])];
            NodeProto[] region = [];
            if (readers.Length == 0)
            {
                region = [.. Region(layer, emitted, optimized)];
            }

            if (readers.Length > 0 ? !readers.All(Runs) : !region.Any(Runs))
            {
                NodeProto? found = readers.FirstOrDefault(n => !Runs(n)) ?? region.FirstOrDefault(n => n.OpType.Contains("Mat", StringComparison.Ordinal) || n.OpType.Contains("Gemm", StringComparison.Ordinal)) ?? region.FirstOrDefault();
                throw Errors.KernelNotAsPromised(
                    file,
                    layer.Site.Layer.Name,
                    layer.Format.Name,
                    string.Join(" or ", kernels),
                    found is null ? "nothing" : found.OpType == "DequantizeLinear" ? "DequantizeLinear of the weight, which runs on every call" : Found(found, kernels));
            }
        }
    }

    private static string Found(NodeProto node, IReadOnlyList<Kernel> kernels) =>
        new Kernel(node.Operator(), [.. kernels.Where(k => k.Operator == node.Operator()).SelectMany(k => k.Attributes).Select(a => (a.Name, node.Int(a.Name, 0)))]).ToString();

    /// <summary>
    /// The nodes of the optimized graph that took the place of a layer's: fusion may have taken in what follows, so they are those between the first values computed from the layer's
    /// output that are still there, and what the layer reads.
    /// </summary>
    private static IEnumerable<NodeProto> Region(RewrittenLayer layer, GraphView emitted, GraphView optimized)
    {
        HashSet<string> inside = [.. layer.Nodes.SelectMany(n => n.Output)];
        var ends = new Queue<string>();
        var open = new Queue<string>([layer.Site.Layer.Output]);
        while (open.TryDequeue(out string? value))
        {
            inside.Add(value);
            if (optimized.Producer(value) is not null)
            {
                ends.Enqueue(value);
                continue;
            }

            foreach (string output in emitted.Consumers(value).SelectMany(n => emitted.Nodes[n].Output).Where(o => o.Length > 0 && !inside.Contains(o)))
            {
                open.Enqueue(output);
            }
        }

        HashSet<string> known = [.. emitted.Nodes.SelectMany(n => n.Output), .. emitted.Graph.Input.Select(i => i.Name), .. emitted.Graph.Initializer.Select(i => i.Name)];
        var seen = new HashSet<int>();
        while (ends.TryDequeue(out string? value))
        {
            if (optimized.Producer(value) is not int node || !seen.Add(node))
            {
                continue;
            }

            yield return optimized.Nodes[node];
            foreach (string input in optimized.Inputs[node].Where(i => inside.Contains(i) || !known.Contains(i)))
            {
                ends.Enqueue(input);
            }
        }
    }
}
