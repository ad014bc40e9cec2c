using MixedPrecision.Autodiff;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Calibration;

/// <summary>
/// Where gradients end for want of a rule. A value with a path to the loss through an operator without a rule has a gradient that cannot be
/// told in full, so that none is taken of it: layers that compute such values keep the baseline.
/// </summary>
/// <param name="Operators">Operators without a rule between layers and the loss, each once, with one of its nodes.</param>
/// <param name="Hidden">The values of the model with a path to the loss through one of them.</param>
public sealed record GradientLimits(IReadOnlyList<(string Operator, string Node)> Operators, IReadOnlySet<string> Hidden)
{
    /// <param name="lossOutputs">The model outputs that the loss reads.</param>
    public static GradientLimits Of(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, IReadOnlyList<string> lossOutputs)
    {
        using OnnxModel lowered = GraphLowering.Lower(model, types);
        IReadOnlyDictionary<string, TensorType> loweredTypes = TypeInference.Infer(lowered, types.ToDictionary(t => t.Key, t => HalfPrecision.Widen(t.Value)));
        var view = new GraphView(lowered.Graph);
        bool Floating(string value) => !loweredTypes.TryGetValue(value, out TensorType? type) || type.ElementType == 0 || ElementType.IsFloating(type.ElementType);

        HashSet<string> towardsLoss = [.. lossOutputs];
        HashSet<string> hidden = [];
        var operators = new List<(string, string)>();
        for (int index = view.Nodes.Count - 1; index >= 0; index--)
        {
            NodeProto node = view.Nodes[index];
            if (!node.Output.Any(towardsLoss.Contains) || GradientRules.IsZero(node) || node.Output.All(o => o.Length == 0 || view.Constants.Contains(o)))
            {
                continue;
            }

            string[] inputs = [.. view.Inputs[index].Where(Floating)];
            towardsLoss.UnionWith(inputs);
            bool hasRule = GradientRules.Of(node) is not null;
            if (!hasRule)
            {
                operators.Add((node.Operator(), node.DisplayName()));
            }

            if (!hasRule || node.Output.Any(hidden.Contains))
            {
                hidden.UnionWith(inputs);
            }
        }

        operators.Reverse();
        return new GradientLimits([.. operators.DistinctBy(o => o.Item1)], hidden);
    }
}
