using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff;

/// <summary>
/// Reverse-mode differentiation of a graph: walks from the values with an upstream gradient back to the targets and asks the table for
/// each operator's rule. The rules hold mathematics only; reachability, sums over broadcast axes, fan-out, and errors are here.
/// </summary>
public static class Differentiation
{
    /// <summary>Appends the gradient's nodes to a builder; they read values of the graph, so they have to be put into it.</summary>
    /// <param name="graph">A graph that <see cref="Onnx.Lowering.GraphLowering"/> made.</param>
    /// <param name="types">What is known of its values. Rank is needed by some rules only; sizes never are.</param>
    /// <param name="builder">Knows all names of the graph.</param>
    /// <param name="seeds">Value → value that holds the gradient of the loss by it, of the same shape and type.</param>
    /// <param name="targets">Values whose gradient is wanted.</param>
    /// <returns>Target → gradient, of the target's shape; a target the loss does not depend on is absent.</returns>
    /// <exception cref="MixedPrecisionException">MPB4001: an operator between targets and seeds has no rule; MPB4002: a rank is not known.</exception>
    public static IReadOnlyDictionary<string, string> Differentiate(
        GraphProto graph,
        IReadOnlyDictionary<string, TensorType> types,
        GraphBuilder builder,
        IReadOnlyDictionary<string, string> seeds,
        IReadOnlyCollection<string> targets) => Walk(graph, types, builder, seeds, targets, new SmallConstants(graph));

    /// <summary>The same within an inner graph, which reads values from outside.</summary>
    internal static IReadOnlyDictionary<string, string> Walk(
        GraphProto graph,
        IReadOnlyDictionary<string, TensorType> types,
        GraphBuilder builder,
        IReadOnlyDictionary<string, string> seeds,
        IReadOnlyCollection<string> targets,
        SmallConstants constants,
        IReadOnlyCollection<string>? outer = null)
    {
        var view = new GraphView(graph, outer);
        HashSet<string> wanted = Reachability.DependingOn(view, types, targets);
        var scope = new Scope(view, types, builder, wanted, constants);
        foreach ((string value, string gradient) in seeds.Where(s => wanted.Contains(s.Key)))
        {
            scope.Accumulate(value, gradient);
        }

        for (int index = view.Nodes.Count - 1; index >= 0; index--)
        {
            NodeProto node = view.Nodes[index];
            if (!view.Inputs[index].Any(wanted.Contains) || !node.Output.Any(wanted.Contains))
            {
                continue;
            }

            string?[] upstream = [.. node.Output.Select(o => o.Length > 0 ? scope.Gradient(o) : null)];
            if (upstream.Any(u => u is not null))
            {
                Apply(scope, node, upstream, seeds.Keys.ToHashSet());
            }
        }

        return targets.Distinct().Select(t => (Target: t, Gradient: scope.Gradient(t))).Where(g => g.Gradient is not null).ToDictionary(g => g.Target, g => g.Gradient!);
    }

    private static void Apply(Scope scope, NodeProto node, string?[] upstream, HashSet<string> seeds)
    {
        if (GradientRules.Of(node) is not { Rule: not null } row)
        {
            throw Errors.NoGradientRule(node.Operator(), node.DisplayName(), $"the loss reaches it by {Reachability.Path(scope.View, node, seeds)}");
        }

        var context = new GradientContext(scope, node, upstream);
        IReadOnlyList<string?> gradients = row.Rule(context);
        if (gradients.Count != node.Input.Count)
        {
            throw new InvalidOperationException($"the rule of {node.Operator()} gave {gradients.Count} gradients for {node.Input.Count} inputs");
        }

        for (int input = 0; input < gradients.Count; input++)
        {
            if (gradients[input] is string gradient && context.Needs(input))
            {
                string[] others = [.. node.Input.Where((name, i) => i != input && name.Length > 0)];
                scope.Accumulate(node.Input[input], row.Broadcasts ? context.SumTo(gradient, context.Type(context.Y), node.Input[input], others) : gradient);
            }
        }
    }
}
