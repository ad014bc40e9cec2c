using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>A module of a traced model: where a node comes from, and the forms that PyTorch's exporter gives to common expressions.</summary>
/// <param name="Graph">The graph that all modules share.</param>
/// <param name="Path">Such as "/encoder/layer.0"; empty for the root.</param>
internal sealed record TracedModule(TracedGraph Graph, string Path)
{
    private const long ToTheEnd = long.MaxValue;

    /// <summary>A module within this one.</summary>
    public TracedModule this[string name] => this with { Path = $"{Path}/{name}" };

    public string Node(string operatorType, IReadOnlyList<string> inputs, params AttributeProto[] attributes) => Graph.Node(Path, operatorType, inputs, attributes);

    /// <summary>The last node of an output of the model, which has the output's name.</summary>
    public string NodeTo(string output, string operatorType, IReadOnlyList<string> inputs, params AttributeProto[] attributes) => Graph.Node(Path, operatorType, inputs, attributes, output);

    /// <summary>A parameter of the module, e.g. "encoder.layer.0.attention.self.query.bias".</summary>
    public string Parameter(string name, Tensor value) => Graph.Initializer(ParameterName(name), value);

    /// <summary>A normal parameter of the module.</summary>
    public string Parameter(string name, double deviation, params long[] shape) => Graph.Weight(ParameterName(name), deviation, shape);

    public string Constant(Tensor value) => Node("Constant", [], Attributes.Of("value", value.ToProto("")));

    public string Number(float value) => Constant(Tensor.Scalar(value));

    public string Index(long value) => Constant(Tensor.Scalar(value));

    public string Integers(params long[] values) => Constant(Tensor.Of<long>(values, values.Length));

    public string Add(string x, string y) => Node("Add", [x, y]);

    public string Mul(string x, string y) => Node("Mul", [x, y]);

    public string Div(string x, string y) => Node("Div", [x, y]);

    public string MatMul(string x, string y) => Node("MatMul", [x, y]);

    public string Softmax(string x) => Node("Softmax", [x], Attributes.Of("axis", -1));

    public string Transpose(string x, params long[] permutation) => Node("Transpose", [x], Attributes.Of("perm", permutation));

    public string Unsqueeze(string x, long axis) => Node("Unsqueeze", [x, Integers(axis)]);

    public string Cast(string x, int elementType) => Node("Cast", [x], Attributes.Of("to", elementType));

    public string Concat(long axis, params string[] parts) => Node("Concat", parts, Attributes.Of("axis", axis));

    public string Range(string start, string limit) => Node("Range", [start, limit, Index(1)]);

    /// <summary>x[…, start:end, …] with bounds that are constants or vectors of one.</summary>
    public string Slice(string x, long axis, string start, string end) => Node("Slice", [x, start, end, Integers(axis), Integers(1)]);

    /// <summary>x[…, start:, …].</summary>
    public string SliceFrom(string x, long axis, string start) => Slice(x, axis, start, Integers(ToTheEnd));

    /// <summary>x.shape[axis], a scalar.</summary>
    public string SizeOf(string x, long axis) => Node("Gather", [Node("Shape", [x]), Index(axis)], Attributes.Of("axis", 0));

    /// <summary>A vector of sizes, each a scalar of the graph or a number.</summary>
    public string Sizes(params TracedSize[] sizes) => Concat(0, [.. sizes.Select(s => s.Value is null ? Integers(s.Known) : Unsqueeze(s.Value, 0))]);

    /// <summary>x.view(sizes).</summary>
    public string View(string x, params TracedSize[] sizes) => Node("Reshape", [x, Sizes(sizes)], Attributes.Of("allowzero", 0));

    /// <summary>x.expand(sizes): −1 keeps a size, which ONNX's Expand says with 1.</summary>
    public string Expand(string x, params TracedSize[] sizes)
    {
        string wanted = Node("Reshape", [Sizes(sizes), Integers(-1)], Attributes.Of("allowzero", 0));
        return ExpandTo(x, wanted);
    }

    /// <summary>The same with sizes that are a vector.</summary>
    public string ExpandTo(string x, string wanted)
    {
        string ones = Node("ConstantOfShape", [Node("Shape", [wanted])], Attributes.Of("value", Tensor.Of<long>([1], 1).ToProto("")));
        return Node("Expand", [x, Node("Where", [Node("Equal", [wanted, Mul(ones, Index(-1))]), ones, wanted])]);
    }

    /// <summary>A linear layer of a tensor of three axes: MatMul, and Add with the bias first.</summary>
    /// <param name="scale">Factor of the weight's deviation, 1/√inputs.</param>
    public string Linear(string name, string x, int inputs, int outputs, double scale = 1, bool bias = true)
    {
        TracedModule layer = this[name];
        string product = layer.MatMul(x, Graph.FoldedWeight(scale / Math.Sqrt(inputs), inputs, outputs));
        return bias ? layer.Add(layer.Parameter("bias", 0.02 * scale, outputs), product) : product;
    }

    /// <summary>Layer normalization over the last axis, spelled out as up to opset 16.</summary>
    /// <param name="scores">Deviation of the values where a loss reads them as scores; null: elsewhere, and some channels stand out.</param>
    /// <param name="output">Name of the value where it is an output of the model.</param>
    public string LayerNorm(string name, string x, int channels, float epsilon, double? scores = null, string? output = null)
    {
        TracedModule norm = this[name];
        string Mean(string value) => norm.Node("ReduceMean", [value], Attributes.Of("axes", new long[] { -1 }));
        string centred = norm.Node("Sub", [x, Mean(x)]);
        string deviation = norm.Node("Sqrt", [norm.Add(Mean(norm.Node("Pow", [centred, norm.Number(2)])), norm.Number(epsilon))]);
        string scaled = norm.Mul(norm.Div(centred, deviation), norm.Parameter("weight", scores is double mean ? Graph.Random.Even(channels, mean) : Graph.Random.Gains(channels)));
        string[] sum = [scaled, norm.Parameter("bias", 0.1 * (scores ?? 1), channels)];
        return output is null ? norm.Node("Add", sum) : norm.NodeTo(output, "Add", sum);
    }

    /// <summary>Layer normalization over the last axis, an operator from opset 17 on.</summary>
    public string LayerNormOperator(string name, string x, int channels, float epsilon)
    {
        TracedModule norm = this[name];
        string[] inputs = [x, norm.Parameter("weight", Graph.Random.Gains(channels)), norm.Parameter("bias", 0.1, channels)];
        return norm.Node("LayerNormalization", inputs, Attributes.Of("axis", -1), Attributes.Of("epsilon", epsilon));
    }

    /// <summary>x·(1 + erf(x/√2))/2.</summary>
    public string Gelu(string x)
    {
        string shifted = Add(Node("Erf", [Div(x, Number(MathF.Sqrt(2)))]), Number(1));
        return Mul(Mul(x, shifted), Number(0.5f));
    }

    /// <summary>
    /// torch's scaled_dot_product_attention: queries and transposed keys are each multiplied by the root of the scale, which is read from the shape of the queries.
    /// </summary>
    /// <param name="mask">Added to the products, or null.</param>
    public string DotProductAttention(string queries, string keys, string values, string? mask)
    {
        string size = Node("Slice", [Node("Shape", [queries]), Integers(-1), Integers(ToTheEnd)]);
        string scale = Cast(Div(Constant(Tensor.Of<float>([1], 1)), Node("Sqrt", [Cast(size, ElementType.Float)])), ElementType.Float);
        string turned = Transpose(keys, 0, 1, 3, 2);
        string scaled = Mul(queries, Node("Sqrt", [scale]));
        string products = MatMul(scaled, Mul(turned, Node("Sqrt", [scale])));
        return MatMul(Softmax(mask is null ? products : Add(products, mask)), values);
    }

    private string ParameterName(string name) => $"{Path.TrimStart('/').Replace('/', '.')}.{name}";
}

/// <summary>A size in a shape: a number, or a scalar of the graph.</summary>
internal readonly record struct TracedSize(long Known, string? Value)
{
    public static implicit operator TracedSize(int size) => new(size, null);

    public static implicit operator TracedSize(string value) => new(0, value);
}
