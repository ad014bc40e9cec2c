using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>What the numbers of an output are.</summary>
internal enum ScoreKind
{
    /// <summary>Logarithms of probabilities up to a constant.</summary>
    Logits,

    /// <summary>Probabilities of classes that exclude each other: a Softmax stands at the end.</summary>
    Probabilities,

    /// <summary>Their logarithms.</summary>
    LogProbabilities,

    /// <summary>Probabilities that are independent of each other: a Sigmoid stands at the end.</summary>
    Sigmoids,
}

/// <summary>What the numbers of an output are, as the end of the graph tells, or else the values themselves (<see cref="ObservedScores"/>).</summary>
/// <param name="Axis">The axis of the classes, or null when it cannot be told.</param>
/// <param name="Operator">The operator that tells, or null.</param>
internal sealed record Scores(ScoreKind Kind, int? Axis, string? Operator)
{
    private static readonly HashSet<string> Passed = ["Identity", "Cast", "Dropout", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"];

    /// <summary>Whether a node only moves elements, or changes their type.</summary>
    public static bool Passes(NodeProto node) => Passed.Contains(node.OpType);

    /// <summary>Follows an output back through operators that only move elements.</summary>
    public static Scores Of(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, string output)
    {
        var makers = model.Graph.Node.SelectMany(n => n.Output.Select(o => (o, n))).Where(p => p.o.Length > 0).DistinctBy(p => p.o).ToDictionary(p => p.o, p => p.n);
        int? rank = types.GetValueOrDefault(output)?.Rank;
        // Where each axis of the value at hand comes to lie in the output; null once elements were laid out anew.
        int[]? axes = rank is int r ? [.. Enumerable.Range(0, r)] : null;
        bool isLogarithm = false;
        string value = output;
        while (makers.TryGetValue(value, out NodeProto? node))
        {
            switch (node.OpType)
            {
                case "Softmax" or "LogSoftmax":
                    return new Scores(
                        isLogarithm || node.OpType == "LogSoftmax" ? ScoreKind.LogProbabilities : ScoreKind.Probabilities,
                        AxisOf(node, model.Opset, axes),
                        node.OpType);
                case "Sigmoid" when !isLogarithm:
                    return new Scores(ScoreKind.Sigmoids, null, node.OpType);
                case "Log" when !isLogarithm:
                    isLogarithm = true;
                    break;
                case "Transpose" when axes is not null:
                    long[] order = [.. node.Attribute.FirstOrDefault(a => a.Name == "perm")?.Ints ?? [.. Enumerable.Range(0, axes.Length).Reverse().Select(a => (long)a)]];
                    int[] before = new int[axes.Length];
                    for (int axis = 0; axis < order.Length && order.Length == axes.Length; axis++)
                    {
                        before[order[axis]] = axes[axis];
                    }

                    axes = before;
                    break;
                case "Reshape" or "Squeeze" or "Unsqueeze" or "Flatten" or "Transpose":
                    axes = null;
                    break;
            }

            if (!Passes(node) && node.OpType != "Log")
            {
                break;
            }

            value = node.Input[0];
        }

        return new Scores(ScoreKind.Logits, null, null);
    }

    private static int? AxisOf(NodeProto node, int opset, int[]? axes)
    {
        if (axes is null || axes.Length == 0)
        {
            return null;
        }

        long axis = node.Attribute.FirstOrDefault(a => a.Name == "axis")?.I ?? (opset < 13 ? 1 : -1);
        axis += axis < 0 ? axes.Length : 0;
        return axis >= 0 && axis < axes.Length ? axes[axis] : null;
    }
}
