using MixedPrecision.Autodiff;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>How much the graph is told of the sizes of its inputs.</summary>
internal enum KnownSizes
{
    All,
    Symbols,
    RankOnly,
}

/// <summary>
/// Compares the gradient graph of one node with central differences. The loss is a random projection of the outputs; differences are taken
/// on the node as the case has it, gradients on its lowered form.
/// </summary>
internal static class GradientCheck
{
    /// <summary>Elements up to which each is compared by itself; larger operands along random directions.</summary>
    private const int Elementwise = 48;

    /// <summary>Of the largest value of an output: kernels that fuse add in another order.</summary>
    private const double ForwardTolerance = 1e-5;

    /// <summary>Double: rounding of 1e-16 over a step of 1e-3 and a truncation of the fourth order leave about 1e-9.
    /// Float: rounding of 1e-7 over a step of 0.02 leaves about 1e-5 of the loss, and sums of some tens of terms of that size; more over a shorter one.</summary>
    private static (double Step, double Tolerance) Precision(GradientCase test, int elementType) => elementType == ElementType.Double ? (1e-3, 1e-6) : (test.FloatStep, 6e-5 / test.FloatStep);

    public static void Run(GradientCase test, int elementType, KnownSizes sizes, int seed)
    {
        var random = new Random(seed);
        using OnnxModel model = Model(test, elementType, sizes);
        using Session forward = Session.Create(model.Proto, SessionSettings.Plain with { Threads = 1 });
        Dictionary<string, Tensor> inputs = test.Operands.Select((o, i) => (o, i)).Where(x => x.o is { IsPresent: true, Constant: false }).ToDictionary(x => $"x{x.i}", x => x.o.Value(elementType));
        IReadOnlyDictionary<string, Tensor> outputs = forward.Run(inputs);
        CompareForward(test, model, inputs, outputs);
        Dictionary<string, Tensor> projections = Projections(test, outputs, random);
        if (projections.Count == 0)
        {
            return;
        }

        string[] targets = [.. test.Operands.Select((o, i) => (o, i)).Where(x => x.o.Checked).Select(x => $"x{x.i}")];
        IReadOnlyDictionary<string, Tensor> gradients = Gradients(model, projections, inputs, targets);
        foreach (string target in targets)
        {
            Compare(test, elementType, forward, inputs, projections, target, gradients, random);
        }
    }

    internal static OnnxModel Model(GradientCase test, int elementType, KnownSizes sizes)
    {
        var node = new NodeProto { OpType = test.Operator, Domain = test.Domain, Name = "node" };
        node.Input.AddRange(test.Operands.Select((o, i) => (o, i)).Where(x => !x.o.Captured).Select(x => x.o.IsPresent ? $"x{x.i}" : ""));
        node.Output.AddRange(Enumerable.Range(0, test.Outputs).Select(i => test.Left.Contains(i) ? "" : $"y{i}"));
        node.Attribute.AddRange(test.Attributes.Select(a => a.Clone()));
        var graph = new GraphProto { Name = "case" };
        graph.Node.Add(node);
        for (int i = 0; i < test.Operands.Count; i++)
        {
            Operand operand = test.Operands[i];
            if (operand is { IsPresent: true, Constant: true })
            {
                graph.Initializer.Add(operand.Value(elementType).ToProto($"x{i}"));
            }
            else if (operand.IsPresent)
            {
                graph.Input.Add(Declared(operand, elementType, sizes).ToProto($"x{i}"));
            }
        }

        graph.Output.AddRange(node.Output.Where(o => o.Length > 0).Select(o => new ValueInfoProto { Name = o }));
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = test.Opset });
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return new OnnxModel(proto, "", "case");
    }

    /// <summary>The type that the graph declares; equal sizes share a symbol, since a symbol promises equality.</summary>
    private static TensorType Declared(Operand operand, int elementType, KnownSizes sizes) => new(operand.Fixed?.ElementType ?? elementType, [.. operand.Shape.Select(size => (operand.Declared ? KnownSizes.All : sizes) switch
    {
        KnownSizes.All => Dimension.Of(size),
        KnownSizes.Symbols => size == 1 ? Dimension.Unknown : new Dimension(null, $"size{size}"),
        _ => Dimension.Unknown,
    })]);

    private static Dictionary<string, Tensor> Projections(GradientCase test, IReadOnlyDictionary<string, Tensor> outputs, Random random)
    {
        string[] floating = [.. outputs.Where(o => ElementType.IsFloating(o.Value.ElementType) && !test.Unprojected.Any(u => o.Key == $"y{u}")).Select(o => o.Key)];
        string[] seeded = [.. floating.Where((name, i) => floating.Length == 1 || random.Next(3) > 0)];
        return (seeded.Length == 0 ? [.. floating.Take(1)] : seeded)
            .ToDictionary(name => name, name => Operand.Cast([.. Enumerable.Range(0, (int)outputs[name].Count).Select(_ => Values.Normal(random))], outputs[name].Shape, outputs[name].ElementType));
    }

    /// <summary>The gradient model of the projected outputs, as `mixed-precision gradient` makes it, run once with the optimizations that anyone would run it with.</summary>
    private static Dictionary<string, Tensor> Gradients(OnnxModel model, IReadOnlyDictionary<string, Tensor> projections, Dictionary<string, Tensor> inputs, string[] targets)
    {
        ModelProto projected = model.Proto.Clone();
        var builder = new GraphBuilder(GraphBuilder.NamesIn(projected.Graph), "projection/");

        // In operators that the runtime has in all operator sets.
        string Shaped(string value, params long[] shape) => model.Opset < 5 ? builder.Node("Reshape", [value], Attributes.Of("shape", shape)) : builder.Reshape0(value, shape);
        string[] products = [.. projections.Select(p => builder.MatMul(Shaped(p.Key, 1, -1), builder.Constant(new Tensor(p.Value.ElementType, [p.Value.Count, 1], p.Value.Bytes))))];
        builder.NodeTo(["loss"], "ReduceSum", "", [products.Length == 1 ? products[0] : builder.Concat(0, products)], Attributes.Of("keepdims", 0));
        builder.AppendTo(projected.Graph);
        projected.Graph.Output.Clear();
        projected.Graph.Output.Add(new ValueInfoProto { Name = "loss" });
        using var whole = new OnnxModel(projected, "", "case");
        using Session session = Session.Create(GradientModel.Build(whole, null, targets), SessionSettings.Default with { Threads = 1 });
        IReadOnlyDictionary<string, Tensor> results = session.Run(inputs);
        return targets.ToDictionary(t => t, t => results[t + ".grad"]);
    }

    /// <summary>The lowered model computes what the model does.</summary>
    private static void CompareForward(GradientCase test, OnnxModel model, Dictionary<string, Tensor> inputs, IReadOnlyDictionary<string, Tensor> outputs)
    {
        using OnnxModel lowered = GraphLowering.Lower(model, TypeInference.Infer(model));
        if (lowered.Proto.Equals(model.Proto))
        {
            return;
        }

        using Session session = Session.Create(lowered.Proto, SessionSettings.Plain with { Threads = 1 });
        IReadOnlyDictionary<string, Tensor> results = session.Run(inputs);
        foreach ((string name, Tensor expected) in outputs)
        {
            Tensor actual = results[name];
            Assert.True(actual.ElementType == expected.ElementType && actual.Shape.SequenceEqual(expected.Shape), $"{test}: {name} is {actual} once lowered, and was {expected}");
            if (!ElementType.IsFloating(expected.ElementType))
            {
                Assert.True(actual.Bytes.Span.SequenceEqual(expected.Bytes.Span), $"{test}: {name} differs once lowered");
                continue;
            }

            double[] values = Reals(expected);
            double size = values.Select(Math.Abs).DefaultIfEmpty(0).Max();
            double difference = values.Zip(Reals(actual), (e, a) => Math.Abs(e - a)).DefaultIfEmpty(0).Max();
            Assert.True(difference <= ForwardTolerance * Math.Max(1, size), $"{test}: {name} differs by {difference:G3} once lowered, of {size:G3}");
        }
    }

    private static void Compare(GradientCase test, int elementType, Session forward, Dictionary<string, Tensor> inputs, Dictionary<string, Tensor> projections, string target, IReadOnlyDictionary<string, Tensor> gradients, Random random)
    {
        (double step, double tolerance) = Precision(test, elementType);
        Operand operand = test.Operands[int.Parse(target.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture)];
        double[] gradient = gradients.TryGetValue(target, out Tensor? tensor) ? Reals(tensor) : new double[operand.Reals!.Length];
        if (tensor is not null)
        {
            Assert.True(tensor.Shape.SequenceEqual(operand.Shape), $"{test}: gradient of {target} has shape [{string.Join(",", tensor.Shape)}]");
            Assert.True(tensor.ElementType == elementType, $"{test}: gradient of {target} is {ElementType.Name(tensor.ElementType)}");
        }

        double size = 0;
        double Loss(double[] direction, double distance)
        {
            inputs[target] = Operand.Cast([.. operand.Reals!.Zip(direction, (x, d) => x + (distance * d))], operand.Shape, elementType);
            IReadOnlyDictionary<string, Tensor> outputs = forward.Run(inputs);
            double loss = projections.Sum(p => Reals(outputs[p.Key]).Zip(Reals(p.Value), (y, r) => y * r).Sum());
            size = Math.Max(size, projections.Sum(p => Reals(outputs[p.Key]).Zip(Reals(p.Value), (y, r) => Math.Abs(y * r)).Sum()));
            return loss;
        }

        List<(double Expected, double Actual)> pairs = [];
        foreach (double[] direction in Directions(gradient.Length, random))
        {
            double near = Loss(direction, step) - Loss(direction, -step);
            double far = Loss(direction, 2 * step) - Loss(direction, -2 * step);
            pairs.Add((((8 * near) - far) / (12 * step), direction.Zip(gradient, (d, g) => d == 0 ? 0 : d * g).Sum()));
        }

        inputs[target] = operand.Value(elementType);
        double noise = (elementType == ElementType.Double ? 1e-14 : 3e-6) * size / step;
        double scale = pairs.Select(p => Math.Abs(p.Expected)).DefaultIfEmpty(0).Max();
        foreach ((double expected, double actual) in pairs)
        {
            Assert.True(
                Math.Abs(expected - actual) <= (tolerance * (Math.Abs(expected) + (0.1 * scale))) + noise,
                $"{test}, {ElementType.Name(elementType)}: gradient of {target} is {actual:R}, differences give {expected:R}");
        }
    }

    private static IEnumerable<double[]> Directions(int count, Random random) => count <= Elementwise
        ? Enumerable.Range(0, count).Select(i => Enumerable.Range(0, count).Select(j => i == j ? 1.0 : 0).ToArray())
        : Enumerable.Range(0, 8).Select(_ => Enumerable.Range(0, count).Select(_ => Values.Normal(random) / Math.Sqrt(count)).ToArray());

    private static double[] Reals(Tensor tensor) => tensor.ElementType == ElementType.Double
        ? tensor.Values<double>().ToArray()
        : [.. tensor.Values<float>().ToArray().Select(v => (double)v)];
}
