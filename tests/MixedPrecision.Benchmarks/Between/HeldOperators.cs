using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Benchmarks.Between;

/// <summary>What stands between layers, by what would be held in 8 bits together.</summary>
[Flags]
internal enum HeldKinds
{
    None = 0,

    /// <summary>Add and Concat.</summary>
    Sums = 1,

    /// <summary>AveragePool, GlobalAveragePool.</summary>
    Pools = 2,

    /// <summary>Sigmoid or HardSigmoid, and Mul, that multiply a value by what was computed of another: squeeze and excitation.</summary>
    Gates = 4,

    /// <summary>x · Sigmoid(x), x · HardSigmoid(x), HardSwish.</summary>
    Swishes = 8,

    /// <summary>LeakyRelu.</summary>
    Slopes = 16,

    /// <summary>MatMul of two activations; the result stays in float.</summary>
    Products = 32,
}

/// <summary>
/// Holds operators between layers in 8 bits, in a model whose layers are in int8-static: QuantizeLinear and DequantizeLinear around each operator whose operands are held, and whose result a layer or another such operator reads, so that ONNX Runtime has a kernel for integers.
/// x · HardSigmoid(x) is written as Add of 3, rounding to [0, 6], which cuts, read in steps of 1/255, and Mul.
/// </summary>
/// <param name="model">Is changed.</param>
/// <param name="ranges">By name of a value; a value without stays in float.</param>
internal sealed class HeldOperators(ModelProto model, IReadOnlyDictionary<string, ValueRange> ranges)
{
    private const float Levels = 255;

    private readonly GraphBuilder builder = new(GraphBuilder.NamesIn(model.Graph));
    private readonly Dictionary<string, Tensor> constants = Constants(model.Graph);
    private readonly List<NodeProto> nodes = [.. model.Graph.Node];
    private readonly Dictionary<string, (string Scale, string ZeroPoint)> held = [];
    private Dictionary<string, NodeProto> makers = [];
    private ILookup<string, NodeProto> readers = Enumerable.Empty<NodeProto>().ToLookup(_ => "");

    /// <summary>Operators whose operands and results are to be observed.</summary>
    public static bool IsOne(NodeProto node) => node.Operator() is "Add" or "Concat" or "Mul" or "Sigmoid" or "HardSigmoid" or "HardSwish" or "AveragePool" or "GlobalAveragePool" or "LeakyRelu" or "Relu" or "Clip" or "MatMul";

    public static void Apply(ModelProto model, HeldKinds kinds, IReadOnlyDictionary<string, ValueRange> ranges) => new HeldOperators(model, ranges).Apply(kinds);

    private void Apply(HeldKinds kinds)
    {
        Index();
        HashSet<NodeProto> some = new(nodes.Where(n => KindOf(n) is var kind and not HeldKinds.None and not HeldKinds.Products && kinds.HasFlag(kind)), ReferenceEqualityComparer.Instance);
        while (some.RemoveWhere(n => !n.Input.All(i => i.Length == 0 || IsHeld(i, some)) || !IsRead(Given(n), some) || !IsRounded(Given(n)) && RangeOf(Given(n)) is null) > 0)
        {
        }

        foreach (NodeProto node in nodes.Where(some.Contains).ToArray())
        {
            Write(node);
        }

        foreach (NodeProto node in nodes.Where(n => kinds.HasFlag(HeldKinds.Products) && n.Operator() == "MatMul").ToArray())
        {
            Product(node);
        }

        model.Graph.Node.Clear();
        model.Graph.Node.AddRange(TopologicalOrder.Of([.. nodes, .. builder.Nodes]));
        builder.Nodes.Clear();
        builder.AppendTo(model.Graph);
        foreach ((string domain, long version) in builder.Domains.Where(d => model.OpsetImport.All(o => o.Domain != d.Key)))
        {
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version });
        }
    }

    private void Index()
    {
        makers = nodes.SelectMany(n => n.Output.Where(o => o.Length > 0).Select(o => (Output: o, Node: n))).ToDictionary(m => m.Output, m => m.Node);
        readers = nodes.SelectMany(n => n.Input.Distinct().Select(i => (Value: i, Node: n))).ToLookup(r => r.Value, r => r.Node);
        foreach (NodeProto node in nodes.Where(n => n.OpType == "DequantizeLinear"))
        {
            held[node.Output[0]] = (node.Input[1], node.Input[2]);
        }
    }

    private HeldKinds KindOf(NodeProto node) => node.Operator() switch
    {
        "Add" or "Concat" => HeldKinds.Sums,
        "AveragePool" or "GlobalAveragePool" => HeldKinds.Pools,
        "HardSwish" => HeldKinds.Swishes,
        "LeakyRelu" when node.Float("alpha", 0.01f) is > 0 and < 1 => HeldKinds.Slopes,
        "Sigmoid" or "HardSigmoid" => readers[node.Output[0]].Any(m => m.OpType == "Mul" && m.Input.Contains(node.Input[0])) ? HeldKinds.Swishes : HeldKinds.Gates,
        "Mul" => node.Input.Any(i => makers.TryGetValue(i, out NodeProto? maker) && maker.OpType is "Sigmoid" or "HardSigmoid" && node.Input.Contains(maker.Input[0])) ? HeldKinds.Swishes : HeldKinds.Gates,
        "MatMul" => HeldKinds.Products,
        _ => HeldKinds.None,
    };

    /// <summary>What a node gives, behind a Relu or Clip that rounding absorbs.</summary>
    private string Given(NodeProto node) => readers[node.Output[0]].ToArray() is [{ OpType: "Relu" or "Clip" } cut] ? cut.Output[0] : node.Output[0];

    private ValueRange? RangeOf(string value) => makers.TryGetValue(value, out NodeProto? maker) && maker.OpType is "Sigmoid" or "HardSigmoid" ? ValueRange.Of(0, 1) : ranges.GetValueOrDefault(value);

    private bool IsRounded(string value) => readers[value].Any(r => r.OpType == "QuantizeLinear");

    private bool IsHeld(string value, HashSet<NodeProto> some)
    {
        if (constants.ContainsKey(value) || held.ContainsKey(value))
        {
            return true;
        }

        return makers.TryGetValue(value, out NodeProto? maker)
            && (some.Contains(maker) || (maker.OpType is "Relu" or "Clip" && makers.TryGetValue(maker.Input[0], out NodeProto? cut) && some.Contains(cut) && Given(cut) == value)
                || (maker.OpType != "MaxPool" && StaticValues.Moves(maker) && IsHeld(maker.Input[0], some)));
    }

    private bool IsRead(string value, HashSet<NodeProto> some) =>
        readers[value].Any(r => r.OpType == "QuantizeLinear" || some.Contains(r) || (r.OpType != "MaxPool" && StaticValues.Moves(r) && r.Output.Any(o => IsRead(o, some))));

    private void Write(NodeProto node)
    {
        string given = Given(node);
        if (node.OpType is "HardSigmoid" or "HardSwish")
        {
            float alpha = node.OpType == "HardSwish" ? 1 / 6f : node.Float("alpha", 0.2f), beta = node.Float("beta", 0.5f);
            string x = Read(node.Input[0]);
            string sum = builder.Node("Add", [x, Read(builder.Scalar(beta / alpha), Tensor.Scalar(beta / alpha))]);
            string rounded = builder.Node("QuantizeLinear", [sum, builder.Scalar(1 / alpha / Levels), ZeroPoint(0)]);
            nodes.Remove(node);
            if (node.OpType == "HardSigmoid")
            {
                builder.NodeTo([given], "DequantizeLinear", "", [rounded, builder.Scalar(1 / Levels), ZeroPoint(0)]);
                held[given] = (builder.Scalar(1 / Levels), ZeroPoint(0));
                return;
            }

            string sigmoid = builder.Node("DequantizeLinear", [rounded, builder.Scalar(1 / Levels), ZeroPoint(0)]);
            builder.NodeTo([node.Output[0]], "Mul", "", [x, sigmoid]);
            node = builder.Nodes[^1];
        }
        else
        {
            for (int i = 0; i < node.Input.Count; i++)
            {
                node.Input[i] = Read(node.Input[i]);
            }
        }

        if (!IsRounded(given) && !held.ContainsKey(given))
        {
            Round(given == node.Output[0] ? node : makers[given], RangeOf(given)!);
        }
    }

    /// <summary>Lets a node give what it gives rounded.</summary>
    private void Round(NodeProto node, ValueRange range)
    {
        string given = node.Output[0], inner = builder.Fresh(given);
        node.Output[0] = inner;
        string[] parameters = [builder.Scalar(range.Scale), ZeroPoint(range.ZeroPoint)];
        builder.NodeTo([given], "DequantizeLinear", "", [builder.Node("QuantizeLinear", [inner, .. parameters]), .. parameters]);
        held[given] = (parameters[0], parameters[1]);
    }

    /// <summary>An operand as one that was rounded: a constant is, what was moved is rounded again, to the same steps.</summary>
    private string Read(string value)
    {
        if (value.Length == 0 || held.ContainsKey(value))
        {
            return value;
        }

        if (constants.TryGetValue(value, out Tensor? constant))
        {
            return constant.ElementType == ElementType.Float ? Read(value, constant) : value;
        }

        if (!makers.TryGetValue(value, out NodeProto? maker) || !StaticValues.Moves(maker))
        {
            return value;
        }

        string source = value;
        while (!held.ContainsKey(source) && makers.TryGetValue(source, out NodeProto? move) && StaticValues.Moves(move))
        {
            source = move.Input[0];
        }

        if (!held.TryGetValue(source, out var range))
        {
            return value;
        }

        string again = builder.Node("DequantizeLinear", [builder.Node("QuantizeLinear", [value, range.Scale, range.ZeroPoint]), range.Scale, range.ZeroPoint]);
        held[again] = range;
        return again;
    }

    private string Read(string name, Tensor constant)
    {
        string key = name + "/held";
        if (held.ContainsKey(key))
        {
            return key;
        }

        ReadOnlySpan<float> values = constant.Values<float>();
        float low = 0, high = 0;
        foreach (float value in values)
        {
            low = MathF.Min(low, value);
            high = MathF.Max(high, value);
        }

        var range = new ValueRange(low, high);
        var rounded = new byte[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            rounded[i] = (byte)Math.Clamp(MathF.Round(values[i] / range.Scale) + range.ZeroPoint, 0, Levels);
        }

        string integers = builder.Constant(new Tensor(ElementType.UInt8, constant.Shape, rounded), "integers");
        held[key] = (builder.Scalar(range.Scale), ZeroPoint(range.ZeroPoint));
        return builder.NodeTo([key], "DequantizeLinear", "", [integers, held[key].Scale, held[key].ZeroPoint])[0];
    }

    private void Product(NodeProto node)
    {
        if (node.Input.Any(constants.ContainsKey) || RangeOf(node.Input[0]) is not { } first || RangeOf(node.Input[1]) is not { } second)
        {
            return;
        }

        float step = MathF.Max(second.High, -second.Low) / 127;
        string a = builder.Node("QuantizeLinear", [node.Input[0], builder.Scalar(first.Scale), ZeroPoint(first.ZeroPoint)]);
        string zero = builder.Constant(new Tensor(ElementType.Int8, [], new byte[1]), "zero_point");
        string b = builder.Node("QuantizeLinear", [node.Input[1], builder.Scalar(step), zero]);
        builder.NodeTo([node.Output[0]], "MatMulIntegerToFloat", "com.microsoft", [a, b, builder.Scalar(first.Scale), builder.Scalar(step), ZeroPoint(first.ZeroPoint), zero]);
        nodes.Remove(node);
    }

    private string ZeroPoint(int value) => builder.Constant(Tensor.Scalar((byte)value), "zero_point");

    private static Dictionary<string, Tensor> Constants(GraphProto graph)
    {
        var view = new GraphView(graph);
        using var model = new OnnxModel(new ModelProto { Graph = graph }, "", "");
        return view.Constants.Where(c => view.Graph.Initializer.Any(i => i.Name == c) || view.Producer(c) is int maker && view.Nodes[maker].OpType == "Constant")
            .Select(c => (Name: c, Tensor: Weights.Read(model, view, c))).Where(c => c.Tensor is not null).ToDictionary(c => c.Name, c => c.Tensor!);
    }
}
