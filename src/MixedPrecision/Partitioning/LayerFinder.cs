using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>Finds a model's layers, and says of every other linear operation why it is none.</summary>
internal sealed class LayerFinder(OnnxModel model, GraphView view, IReadOnlyDictionary<string, TensorType> types)
{
    private const string Quantized = "it is quantized already";
    private const string OnlyFloat = "ONNX Runtime runs this recurrent operator in float only";
    private const string Recurrent = "LSTM";
    private const string Fused = "a fused operator is kept whole";

    /// <summary>Operators that multiply by weights or activations but are never layers.</summary>
    private static readonly Dictionary<string, string> NeverLayers = new()
    {
        ["MatMulInteger"] = Quantized,
        ["ConvInteger"] = Quantized,
        ["QLinearMatMul"] = Quantized,
        ["QLinearConv"] = Quantized,
        ["com.microsoft.MatMulNBits"] = Quantized,
        ["com.microsoft.MatMulBnb4"] = Quantized,
        ["com.microsoft.MatMulIntegerToFloat"] = Quantized,
        ["com.microsoft.DynamicQuantizeMatMul"] = Quantized,
        ["com.microsoft.DynamicQuantizeLSTM"] = Quantized,
        ["com.microsoft.QGemm"] = Quantized,
        ["com.microsoft.QAttention"] = Quantized,
        ["GRU"] = OnlyFloat,
        ["RNN"] = OnlyFloat,
        ["Einsum"] = Fused,
        ["DeformConv"] = Fused,
        ["Attention"] = Fused,
        ["com.microsoft.Attention"] = Fused,
        ["com.microsoft.MultiHeadAttention"] = Fused,
        ["com.microsoft.GroupQueryAttention"] = Fused,
        ["com.microsoft.PackedAttention"] = Fused,
        ["com.microsoft.FusedMatMul"] = Fused,
        ["com.microsoft.FusedGemm"] = Fused,
        ["com.microsoft.FusedConv"] = Fused,
    };

    private readonly List<Layer> layers = [];
    private readonly List<Layer> embeddings = [];
    private readonly List<Excluded> excluded = [];
    private readonly Dictionary<string, int> nameCounts = view.Nodes.CountBy(n => n.Name).ToDictionary();
    private readonly Dictionary<(string Domain, string Name), string> functions = FunctionsWithLinear(model);
    private readonly HashSet<string> sparse = [.. model.Graph.SparseInitializer.Select(s => s.Values?.Name ?? "")];

    /// <summary>The layers and the tables to look up in, each in topological order, and the linear operations that are neither.</summary>
    public static (IReadOnlyList<Layer> Layers, IReadOnlyList<Layer> Embeddings, IReadOnlyList<Excluded> Excluded) Find(
        OnnxModel model, GraphView view, IReadOnlyDictionary<string, TensorType> types)
    {
        var finder = new LayerFinder(model, view, types);
        for (int node = 0; node < view.Nodes.Count; node++)
        {
            finder.Visit(node);
        }

        return (finder.layers, finder.embeddings, finder.excluded);
    }

    private void Visit(int index)
    {
        NodeProto node = view.Nodes[index];
        string name = NameOf(node);
        string kind = node.Operator();
        if (IsLinear(kind))
        {
            if (node.Input.Count < 2 || node.Output.Count == 0 || node.Input.Take(2).Append(node.Output[0]).Any(v => v.Length == 0))
            {
                throw Errors.GraphInvalid(node.DisplayName(), $"{kind} needs two inputs and an output");
            }

            if (Reason(node, kind) is string reason)
            {
                excluded.Add(new Excluded(name, kind, reason));
            }
            else
            {
                layers.Add(LayerOf(index, node, name, kind));
            }
        }
        else if (kind == Recurrent)
        {
            VisitRecurrent(index, node, name);
        }
        else if (NeverLayers.TryGetValue(kind, out string? reason))
        {
            excluded.Add(new Excluded(name, kind, reason));
        }
        else if (kind == "Gather" && node.Input.Count > 1 && view.Constants.Contains(node.Input[0])
            && types.TryGetValue(node.Input[0], out TensorType? table) && ElementType.IsFloating(table.ElementType) && table.Rank >= 2)
        {
            if (ReasonOfTable(node, table) is string other)
            {
                excluded.Add(new Excluded(name, kind, other));
            }
            else
            {
                embeddings.Add(EmbeddingOf(index, node, name, kind));
            }
        }

        foreach (NodeProto inner in node.Graphs().SelectMany(Nested))
        {
            if (IsLinearLike(inner) || functions.ContainsKey((inner.Domain, inner.OpType)))
            {
                excluded.Add(new Excluded(inner.DisplayName(), inner.Operator(), $"it stands inside of the {kind} '{name}', which may run it never or many times"));
            }
        }

        if (functions.TryGetValue((node.Domain, node.OpType), out string? held))
        {
            excluded.Add(new Excluded(name, kind, $"it is a function of the model's own that holds {held}; inline the model's functions to quantize it"));
        }
    }

    private void VisitRecurrent(int index, NodeProto node, string name)
    {
        string[] outputs = [.. node.Output.Where(o => o.Length > 0)];
        if (node.Input.Count < 3 || node.Input.Take(3).Any(v => v.Length == 0) || outputs.Length == 0)
        {
            throw Errors.GraphInvalid(node.DisplayName(), $"{Recurrent} needs an input, two weights and an output");
        }

        if (ReasonOfRecurrent(node, outputs[0]) is string reason)
        {
            excluded.Add(new Excluded(name, Recurrent, reason));
            return;
        }

        long[] shape = ShapeOf(node.Input[1]), recurrence = ShapeOf(node.Input[2]);
        layers.Add(new Layer(
            name, LayerKind.Recurrent, Recurrent, index, node.Input[0], node.Input[1], null, outputs[0], shape, Tensor.ElementCount(shape) + Tensor.ElementCount(recurrence))
        {
            Recurrence = new StoredWeight(node.Input[2], recurrence),
            Further = [.. node.Input.Skip(3).Where(v => v.Length > 0).Distinct()],
            FurtherOutputs = outputs[1..],
        });
    }

    /// <summary>Why an LSTM is no layer, or null when it is one.</summary>
    private string? ReasonOfRecurrent(NodeProto node, string output)
    {
        string[] weights = [node.Input[1], node.Input[2]];
        int elementType = types.TryGetValue(output, out TensorType? type) ? type.ElementType : 0;
        return view.Constants.Contains(output) ? "both operands are constant"
            : elementType == 0 || node.Input.Take(3).Any(v => !types.ContainsKey(v)) ? "the types of its values are not known"
            : elementType != ElementType.Float ? $"its elements are {ElementType.Name(elementType)}, not float"
            : weights.Any(sparse.Contains) ? "an operand is stored as a sparse tensor"
            : !weights.All(view.Constants.Contains) ? "its weight is not constant"
            : weights.Any(w => ShapeOf(w).Length != 3) ? "its weights have no three dimensions"
            : weights.Select(w => ReasonOfConstant(w, "weight")).FirstOrDefault(r => r is not null);
    }

    private string? Reason(NodeProto node, string kind)
    {
        (string first, string second) = (node.Input[0], node.Input[1]);
        bool firstConstant = view.Constants.Contains(first);
        bool secondConstant = view.Constants.Contains(second);
        int elementType = types.TryGetValue(node.Output[0], out TensorType? type) ? type.ElementType : 0;
        return firstConstant && secondConstant ? "both operands are constant"
            : elementType == 0 || !types.ContainsKey(first) || !types.ContainsKey(second) ? "the types of its values are not known"
            : elementType != ElementType.Float && !HalfPrecision.IsHalf(elementType) ? $"its elements are {ElementType.Name(elementType)}, not float"
            : sparse.Contains(first) || sparse.Contains(second) ? "an operand is stored as a sparse tensor"
            : firstConstant ? "its first operand is the constant one"
            : !secondConstant && kind != "MatMul" ? "its weight is not constant"
            : kind == "Gemm" && node.Int("transA", 0) != 0 ? "it transposes its activation"
            : secondConstant ? ReasonOfConstant(second, "weight")
            : null;
    }

    /// <summary>Why what a constant holds cannot be rounded, or null when it can.</summary>
    private string? ReasonOfConstant(string constant, string noun) =>
        model.Defaults.Count > 0 && Region.StoredConstants(view, constant).Any(model.Defaults.Contains) ? $"its {noun} is an input of the model with a default value, which an app may replace"
        : IsTooLarge(constant) ? $"its {noun} takes more than 2 GB as float"
        : HoldsQuantizedData(constant) ? $"its {noun} is quantized already"
        : null;

    /// <summary>Why a Gather of a constant table is no embedding that could be stored in fewer bits, or null when it is one.</summary>
    private string? ReasonOfTable(NodeProto node, TensorType table)
    {
        (string constant, string indices) = (node.Input[0], node.Input[1]);
        return table.Rank != 2 || node.Int("axis", 0) is not (0 or -2) ? "it does not look up rows of a matrix"
            : view.Constants.Contains(indices) ? "both operands are constant"
            : table.ElementType == ElementType.Double ? $"its elements are {ElementType.Name(table.ElementType)}, not float"
            : !types.TryGetValue(indices, out TensorType? type) || type.ElementType is not (ElementType.Int32 or ElementType.Int64) ? "the types of its values are not known"
            : sparse.Contains(constant) ? "an operand is stored as a sparse tensor"
            : ReasonOfConstant(constant, "table");
    }

    private Layer EmbeddingOf(int index, NodeProto node, string name, string kind)
    {
        long[] shape = ShapeOf(node.Input[0]);
        return new Layer(name, LayerKind.Embedding, kind, index, node.Input[1], node.Input[0], null, node.Output[0], shape, Tensor.ElementCount(shape));
    }

    private Layer LayerOf(int index, NodeProto node, string name, string kind)
    {
        bool hasWeight = view.Constants.Contains(node.Input[1]);
        string? bias = node.Input.Count > 2 && node.Input[2].Length > 0 ? node.Input[2] : null;
        long[]? shape = hasWeight ? ShapeOf(node.Input[1]) : null;
        LayerKind layerKind = hasWeight ? Enum.Parse<LayerKind>(kind) : LayerKind.ActivationMatMul;
        return new Layer(name, layerKind, kind, index, node.Input[0], node.Input[1], bias, node.Output[0], shape, shape is null ? 0 : Tensor.ElementCount(shape));
    }

    private long[] ShapeOf(string constant) =>
        (types.TryGetValue(constant, out TensorType? type) ? type.StaticShape() : null)
        ?? Weights.Read(model, view, constant)?.Shape
        ?? throw Errors.TensorInvalid(constant, "no shape");

    /// <summary>Whether a constant is computed from stored integers (DequantizeLinear): rounding it again would round twice.</summary>
    private bool HoldsQuantizedData(string constant) =>
        Region.ConstantNodes(view, constant).Any(n => view.Nodes[n].OpType is "DequantizeLinear" or "DequantizeBFP");

    /// <summary>Whether a constant, or one that it is computed from, is larger than what is read.</summary>
    private bool IsTooLarge(string constant) =>
        Region.StoredConstants(view, constant).Any(c => Weights.Proto(model, view, c) is { } proto && TensorProtos.IsTooLargeToRead(proto));

    private string NameOf(NodeProto node) =>
        node.Name.Length > 0 && nameCounts[node.Name] == 1 ? node.Name : node.Output.FirstOrDefault(o => o.Length > 0) ?? node.OpType;

    /// <summary>
    /// The model's own functions that hold a linear operator, themselves or through functions they call, with that operator. Spreads
    /// from callee to caller without recursion, so that neither deep chains nor cycles of a hostile model do harm.
    /// </summary>
    private static Dictionary<(string Domain, string Name), string> FunctionsWithLinear(OnnxModel model)
    {
        ILookup<(string, string), FunctionProto> callers = model.Proto.Functions
            .SelectMany(f => NodesOf(f).Select(n => (Callee: (n.Domain, n.OpType), Caller: f))).ToLookup(c => c.Callee, c => c.Caller);
        var held = new Dictionary<(string, string), string>();
        var open = new Queue<(FunctionProto Function, string Operator)>(
            from function in model.Proto.Functions
            let linear = NodesOf(function).FirstOrDefault(IsLinearLike)
            where linear is not null
            select (function, linear.Operator()));
        while (open.TryDequeue(out (FunctionProto Function, string Operator) found))
        {
            (string, string) key = (found.Function.Domain, found.Function.Name);
            if (held.TryAdd(key, found.Operator))
            {
                foreach (FunctionProto caller in callers[key])
                {
                    open.Enqueue((caller, found.Operator));
                }
            }
        }

        return held;
    }

    private static IEnumerable<NodeProto> NodesOf(FunctionProto function) => function.Node.SelectMany(CanonicalNode.WithInner);

    private static IEnumerable<NodeProto> Nested(GraphProto graph) => graph.Node.SelectMany(n => n.Graphs().SelectMany(Nested).Prepend(n));

    private static bool IsLinear(string kind) => kind is "MatMul" or "Gemm" or "Conv" or "ConvTranspose";

    private static bool IsLinearLike(NodeProto node) => IsLinear(node.Operator()) || node.Operator() == Recurrent || NeverLayers.ContainsKey(node.Operator());
}
