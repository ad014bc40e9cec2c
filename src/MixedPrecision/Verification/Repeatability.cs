using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Verification;

/// <summary>An output that differs between two runs of the original on the same inputs.</summary>
/// <param name="Output">Name of the output.</param>
/// <param name="Difference">As of <see cref="OutputDifference.Difference"/>; the larger of those within a session and between two.</param>
/// <param name="IsSeeded">
/// Whether all nodes that draw have a seed: then two sessions give the same results run by run, so that original and emitted model can be compared on the same numbers.
/// </param>
/// <param name="Nodes">Nodes that draw random numbers and lead to the output, in the graph's order; may be empty.</param>
public sealed record Unrepeatable(string Output, double Difference, bool IsSeeded, IReadOnlyList<string> Nodes)
{
    /// <summary>MPB7006: an error where the loss reads the output and the numbers have no seed, since then nothing can be measured; else a warning.</summary>
    /// <param name="file">The model, as messages name it.</param>
    /// <param name="lossOutputs">The outputs that the loss reads.</param>
    public Diagnostic Diagnostic(string file, IEnumerable<string> lossOutputs) =>
        Errors.NotRepeatable(file, lossOutputs.Contains(Output), Output, Difference, Nodes, IsSeeded);
}

/// <summary>Finds out whether a model gives the same results each time, by running it: what cannot be repeated cannot be compared.</summary>
public static class Repeatability
{
    /// <summary>Samples that are run at most.</summary>
    public const int MostSamples = 2;

    /// <summary>Differences up to this, which sums in another order make, are none.</summary>
    private const double Negligible = 1e-5;

    /// <summary>Runs the model twice in one session, and once in another.</summary>
    /// <param name="model">The model, as loaded.</param>
    /// <param name="path">Path of its file.</param>
    /// <param name="samples">At least one; the first few are run.</param>
    /// <param name="settings">The app's.</param>
    /// <param name="cancel">Checked during every run.</param>
    /// <returns>The outputs that differ; empty when all can be repeated.</returns>
    /// <exception cref="Microsoft.ML.OnnxRuntime.OnnxRuntimeException">The model does not run.</exception>
    public static IReadOnlyList<Unrepeatable> Check(OnnxModel model, string path, IReadOnlyList<Sample> samples, SessionSettings settings, CancellationToken cancel)
    {
        using Session first = Session.Open(path, settings), second = Session.Open(path, settings);
        var within = new OutputDifferences();
        var between = new OutputDifferences();
        foreach (Sample sample in samples.Take(MostSamples))
        {
            using RunResults one = first.RunInPlace(sample.Inputs, cancel), again = first.RunInPlace(sample.Inputs, cancel);
            using RunResults other = second.RunInPlace(sample.Inputs, cancel);
            within.Add(sample.Id, one.Tensors, again.Tensors);
            between.Add(sample.Id, one.Tensors, other.Tensors);
        }

        return
        [
            .. within.Result.Zip(between.Result, (w, b) => (Within: Size(w), Between: Size(b), w.Output))
                .Where(d => d.Within > Negligible || d.Between > Negligible)
                .Select(d =>
                {
                    IReadOnlyList<(string Name, bool IsSeeded)> nodes = RandomNodes(model, d.Output);
                    bool isSeeded = nodes.Count > 0 && nodes.All(n => n.IsSeeded) && d.Between <= Negligible;
                    return new Unrepeatable(d.Output, Math.Max(d.Within, d.Between), isSeeded, [.. nodes.Select(n => n.Name)]);
                }),
        ];
    }

    /// <summary>The difference; outputs whose size changes differ as much as can be.</summary>
    private static double Size(OutputDifference difference) => difference.NotCompared is null ? difference.Difference : double.PositiveInfinity;

    /// <summary>Names of the nodes of the main graph that lead to an output and draw random numbers, themselves, in a branch or body, or in their function.</summary>
    private static IReadOnlyList<(string Name, bool IsSeeded)> RandomNodes(OnnxModel model, string output)
    {
        var view = new GraphView(model.Graph);
        var constants = new SmallConstants(model.Graph);
        Dictionary<(string, string), FunctionProto> functions = model.Proto.Functions.GroupBy(f => (f.Domain, f.Name)).ToDictionary(g => g.Key, g => g.First());
        bool IsFalse(string value) => constants.Find(value) is { ElementType: ElementType.Bool, Bytes: { Length: 1 } bytes } && bytes.Span[0] == 0;
        IEnumerable<NodeProto> Drawing(NodeProto node, HashSet<(string, string)> called)
        {
            IEnumerable<NodeProto> inner = node.Graphs().SelectMany(g => g.Node);
            if (functions.TryGetValue((node.Domain, node.OpType), out FunctionProto? function) && called.Add((node.Domain, node.OpType)))
            {
                inner = inner.Concat(function.Node);
            }

            return RandomOperators.Draws(node, IsFalse) ? [node] : inner.SelectMany(n => Drawing(n, called));
        }

        var reached = new bool[view.Nodes.Count];
        var open = new Queue<string>([output]);
        while (open.TryDequeue(out string? value))
        {
            if (view.Producer(value) is int node && !reached[node])
            {
                reached[node] = true;
                foreach (string input in view.Inputs[node])
                {
                    open.Enqueue(input);
                }
            }
        }

        return
        [
            .. from node in view.Nodes.Where((_, i) => reached[i])
               let drawing = Drawing(node, []).ToArray()
               where drawing.Length > 0
               // A node in a branch has a name of its own; one in a function stands for all that call it.
               let isCall = functions.ContainsKey((node.Domain, node.OpType))
               select ((isCall ? node : drawing[0]).DisplayName(), drawing.All(RandomOperators.IsSeeded)),
        ];
    }
}
