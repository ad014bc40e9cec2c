using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>
/// An activation x · σ(x), behind a layer: f(x) = Factor · x · σ(x) + Addend, with the logistic σ (SiLU), or with σ(x) = clip(Slope · x + Shift, 0, 1) (HardSwish). Factor and addend are numbers for all channels.
/// </summary>
/// <param name="Slope">Of the piecewise linear σ; null: the logistic one.</param>
/// <param name="Shift">Likewise; 0 for the logistic one.</param>
/// <param name="Factor">More than 0.</param>
/// <param name="Addend">What is added.</param>
public sealed record Swish(float? Slope, float Shift, float Factor, float Addend)
{
    /// <summary>Below it f is constant, so that nothing is lost by cutting there.</summary>
    public float Least => Slope is float slope ? -Shift / slope : float.NegativeInfinity;

    /// <summary>σ(x).</summary>
    public float Gate(float x) => Slope is float slope ? Math.Clamp((slope * x) + Shift, 0, 1) : 1 / (1 + MathF.Exp(-x));
}

/// <summary>
/// Finds an activation x · σ(x) behind a layer, however it is written out: operators that compute element by element from the layer's result and from single numbers, nothing else reading what is between. What they compute is told from its values at points of a grid.
/// </summary>
internal static class SwishTails
{
    private const int MostSteps = 12;

    /// <summary>Beyond it every σ that is found has reached its limits to within the tolerance, but the logistic one.</summary>
    private const double Far = 12;
    private const double Tolerance = 1e-5;
    private static readonly HashSet<string> Operators = ["Add", "Sub", "Mul", "Div", "Min", "Max", "Identity", "Relu", "Sigmoid", "HardSigmoid", "HardSwish", "Clip"];
    private static readonly double[] Grid = [.. Enumerable.Range(-48, 97).Select(i => i / 4.0)];

    /// <summary>The activation that ends last, with its result, or null.</summary>
    /// <param name="value">What the layer gives.</param>
    /// <param name="rank">Its number of dimensions.</param>
    /// <param name="constant">The tensor of a constant, or null.</param>
    public static Tail? Of(GraphView view, string value, int rank, Func<string, Tensor?> constant)
    {
        if (view.IsOutput(value))
        {
            return null;
        }

        Tail? found = null;
        var computed = new Dictionary<string, double[]> { [value] = Grid };
        var open = new SortedSet<int>(view.Consumers(value));
        for (int step = 0; step < MostSteps && open.Count > 0; step++)
        {
            int index = open.Min;
            NodeProto node = view.Nodes[index];
            if (node.Output.Count != 1 || Values(node, name => computed.GetValueOrDefault(name) ?? Number(name)) is not { } values)
            {
                break;
            }

            open.Remove(index);
            string output = node.Output[0];
            computed.Add(output, values);
            if (open.Count == 0 && Recognized(values) is { } swish)
            {
                found = new Tail(output, float.NegativeInfinity, float.PositiveInfinity) { Swish = swish };
            }

            if (view.IsOutput(output))
            {
                break;
            }

            open.UnionWith(view.Consumers(output));
        }

        return found;

        double[]? Number(string name) => constant(name) is { ElementType: ElementType.Float, Count: 1 } number && number.Rank <= rank ? [.. Grid.Select(_ => (double)number.Values<float>()[0])] : null;
    }

    /// <summary>What a node gives on the grid, or null where it is none that computes element by element from what is known.</summary>
    private static double[]? Values(NodeProto node, Func<string, double[]?> known)
    {
        if (!Operators.Contains(node.Operator()))
        {
            return null;
        }

        double[]?[] inputs = [.. node.Input.Where(i => i.Length > 0).Select(known)];
        if (inputs.Length == 0 || inputs.Contains(null) || inputs.Length != node.Input.Count)
        {
            return null;
        }

        double[] x = inputs[0]!;
        double[]? y = inputs.ElementAtOrDefault(1);
        bool isPair = y is not null && inputs.Length == 2 && node.Attribute.Count == 0;
        return node.Operator() switch
        {
            "Add" when isPair => With((a, b) => a + b),
            "Sub" when isPair => With((a, b) => a - b),
            "Mul" when isPair => With((a, b) => a * b),
            "Div" when isPair => With((a, b) => a / b),
            "Min" when isPair => With(Math.Min),
            "Max" when isPair => With(Math.Max),
            "Identity" => x,
            "Relu" => Each(a => Math.Max(a, 0)),
            "Sigmoid" => Each(a => 1 / (1 + Math.Exp(-a))),
            "HardSigmoid" => Each(a => Math.Clamp((node.Float("alpha", 0.2f) * a) + node.Float("beta", 0.5f), 0, 1)),
            "HardSwish" => Each(a => a * Math.Clamp((a / 6) + 0.5, 0, 1)),
            "Clip" when inputs.Length == 3 => [.. x.Select((a, i) => Math.Min(Math.Max(a, y![i]), inputs[2]![i]))],
            "Clip" when inputs.Length == 1 => Each(a => Math.Min(Math.Max(a, node.Float("min", float.NegativeInfinity)), node.Float("max", float.PositiveInfinity))),
            _ => null,
        };

        double[] With(Func<double, double, double> f) => [.. x.Zip(y!, f)];
        double[] Each(Func<double, double> f) => [.. x.Select(f)];
    }

    private static Swish? Recognized(double[] values) => Logistic(values) ?? Hard(values);

    private static Swish? Logistic(double[] values)
    {
        double addend = values[Grid.Length / 2], factor = (values[^1] - addend) / (Far / (1 + Math.Exp(-Far)));
        return Is(values, factor, addend, x => 1 / (1 + Math.Exp(-x))) ? new Swish(null, 0, (float)factor, (float)addend) : null;
    }

    private static Swish? Hard(double[] values)
    {
        double addend = values[Grid.Length / 2], factor = (values[^1] - addend) / Far;
        if (!(factor > 0))
        {
            return null;
        }

        // Two points between the limits tell the slope.
        (double X, double Gate)[] between = [.. Grid.Zip(values, (x, v) => (x, (v - addend) / (factor * x))).Where(p => p.x != 0 && p.Item2 is > 0.02 and < 0.98)];
        if (between.Length < 2)
        {
            return null;
        }

        double slope = (between[^1].Gate - between[0].Gate) / (between[^1].X - between[0].X), shift = between[0].Gate - (slope * between[0].X);
        return slope > 0 && Is(values, factor, addend, x => Math.Clamp((slope * x) + shift, 0, 1)) ? new Swish((float)slope, (float)shift, (float)factor, (float)addend) : null;
    }

    private static bool Is(double[] values, double factor, double addend, Func<double, double> gate) =>
        factor > 0 && double.IsFinite(factor) && double.IsFinite(addend) && Grid.Zip(values).All(p => Math.Abs((factor * p.First * gate(p.First)) + addend - p.Second) <= Tolerance * (factor + Math.Abs(p.Second)));
}
