namespace MixedPrecision.Onnx.Lowering;

/// <summary>One direction of a recurrent operator as a Scan.</summary>
internal sealed class RecurrentDirection(LoweringContext c, int gates, bool cells, int index, bool reverse, bool batchFirst)
{
    private readonly GraphBuilder b = c.B;
    private readonly long hidden = c.Node.Int("hidden_size", 0);

    /// <param name="Outputs">[time, batch, hidden].</param>
    /// <param name="Last">Last states, each [batch, hidden].</param>
    internal sealed record Result(string Outputs, string[] Last);

    public Result Run(string x, Func<GraphBuilder, Recurrent.Step, string[]> step)
    {
        bool linearBeforeReset = c.Node.Int("linear_before_reset", 0) == 1;
        bool bounded = c.HasInput(4);
        string recurrence = b.Transpose(Part(c.Input(2)), [1, 0]);
        (string? bias, string? hiddenBias) = Biases(gates == 3 && linearBeforeReset);
        string? Peephole(int gate) => cells && c.HasInput(7) ? b.Slice(Part(c.Input(7)), 0, gate * hidden, (gate + 1) * hidden) : null;
        string[]? peepholes = Peephole(0) is string first ? [first, Peephole(1)!, Peephole(2)!] : null;
        string one = c.Scalar(1);

        string ordered = reverse && bounded ? Reversed(x) : x;
        string products = b.MatMul(ordered, b.Transpose(Part(c.Input(1)), [1, 0]));
        products = bias is null ? products : b.Add(products, bias);

        GraphBuilder inner = b.Inner();
        string[] states = [.. Enumerable.Range(0, cells ? 2 : 1).Select(_ => inner.Fresh("state"))];
        string input = inner.Fresh("input");
        string time = inner.Fresh("time");
        string[] next = step(inner, new Recurrent.Step(input, states, recurrence, hiddenBias, peepholes, (place, value) => Activate(inner, place, value), one, c.Node.Int("input_forget", 0) == 1, linearBeforeReset));
        string output = next[0];
        if (bounded)
        {
            // Beyond a sequence's end states stand still and outputs are zero.
            string within = inner.Unsqueeze(inner.Less(time, inner.Cast(c.Input(4), ElementType.Int64)), 1);
            next = [.. next.Zip(states, (n, s) => inner.Where(within, n, s))];
            output = inner.Where(within, output, inner.Scalar(0, c.ElementType));
        }

        string[] results = [.. next.Append(output).Select(o => inner.Node("Identity", [o]))];
        var body = new GraphProto { Name = "step" };
        body.Input.AddRange(states.Select(s => new TensorType(c.ElementType, [Dimension.Unknown, Dimension.Of(hidden)]).ToProto(s)));
        body.Input.Add(new TensorType(c.ElementType, [Dimension.Unknown, Dimension.Of(gates * hidden)]).ToProto(input));
        if (bounded)
        {
            body.Input.Add(new TensorType(ElementType.Int64, []).ToProto(time));
        }

        inner.AppendTo(body);
        body.Output.AddRange(results.Select(r => new ValueInfoProto { Name = r }));
        bool backward = reverse && !bounded;
        string[] outputs = b.NodeTo(
            [.. results.Select(_ => b.Fresh("recurrent"))],
            "Scan",
            "",
            [.. states.Select((_, s) => Initial(x, s)), products, .. bounded ? [b.Range(b.Squeeze(b.Size(x, 0), 0))] : Array.Empty<string>()],
            Attributes.Of("body", body),
            Attributes.Of("num_scan_inputs", bounded ? 2 : 1),
            Attributes.Of("scan_input_directions", bounded ? [0, 0] : [backward ? 1 : 0]),
            Attributes.Of("scan_output_directions", [backward ? 1 : 0]));
        return new Result(reverse && bounded ? Reversed(outputs[^1]) : outputs[^1], outputs[..^1]);
    }

    /// <summary>This direction's part of an operand whose first axis is the direction.</summary>
    private string Part(string value) => b.Squeeze(b.Slice(value, 0, index, index + 1), 0);

    /// <summary>Biases of input and recurrence are added before the steps, but for a GRU's hidden gate that is reset after its product.</summary>
    private (string? Sum, string? Hidden) Biases(bool keepHidden)
    {
        if (!c.HasInput(3))
        {
            return (null, null);
        }

        string both = Part(c.Input(3));
        string input = b.Slice(both, 0, 0, gates * hidden);
        string recurrent = b.Slice(both, 0, gates * hidden, 2 * gates * hidden);
        if (!keepHidden)
        {
            return (b.Add(input, recurrent), null);
        }

        string zeros = b.Constant(new Tensor(c.ElementType, [hidden], new byte[hidden * ElementType.BitsOf(c.ElementType) / 8]));
        string early = b.Concat(0, b.Slice(recurrent, 0, 0, 2 * hidden), zeros);
        return (b.Add(input, early), b.Slice(recurrent, 0, 2 * hidden, 3 * hidden));
    }

    private string Initial(string x, int state)
    {
        int input = 5 + state;
        if (!c.HasInput(input))
        {
            return b.Zeros(b.Concat(0, b.Size(x, 1), b.Integers(hidden)), c.ElementType);
        }

        return batchFirst ? b.Squeeze(b.Slice(c.Input(input), 1, index, index + 1), 1) : Part(c.Input(input));
    }

    /// <summary>Each sequence backwards within its own length.</summary>
    private string Reversed(string value) => b.Node("ReverseSequence", [value, b.Cast(c.Input(4), ElementType.Int64)], Attributes.Of("time_axis", 0), Attributes.Of("batch_axis", 1));

    private string Activate(GraphBuilder inner, int place, string value)
    {
        string[] defaults = gates switch { 4 => ["Sigmoid", "Tanh", "Tanh"], 3 => ["Sigmoid", "Tanh"], _ => ["Tanh"] };
        string[] given = [.. c.Node.Attribute("activations")?.Strings.Select(s => s.ToStringUtf8()) ?? []];
        string[] functions = given.Length > 0 ? given : [.. defaults, .. defaults];
        int at = (index * defaults.Length) + place;
        float clip = c.Node.Float("clip", 0);

        // The cell that the output gate reads is not clipped; what enters any other function is.
        string clipped = clip > 0 && !(gates == 4 && place == 2)
            ? inner.Node("Clip", [value, inner.Scalar(-clip, c.ElementType), inner.Scalar(clip, c.ElementType)])
            : value;
        return Function(inner, functions, at, clipped);
    }

    private string Function(GraphBuilder inner, string[] functions, int at, string value)
    {
        // Parameters stand in one list for all functions that have them.
        float Parameter(string attribute, Func<string, bool> has, float missing)
        {
            float[] values = [.. c.Node.Attribute(attribute)?.Floats ?? []];
            int position = functions.Take(at).Count(has);
            return position < values.Length ? values[position] : missing;
        }

        static bool HasBeta(string f) => f.ToUpperInvariant() is "AFFINE" or "SCALEDTANH" or "HARDSIGMOID";
        static bool HasAlpha(string f) => HasBeta(f) || f.ToUpperInvariant() is "LEAKYRELU" or "THRESHOLDEDRELU" or "ELU";
        AttributeProto Alpha(float missing) => Attributes.Of("alpha", Parameter("activation_alpha", HasAlpha, missing));
        float Scale(float missing) => Parameter("activation_alpha", HasAlpha, missing);
        float Shift(float missing) => Parameter("activation_beta", HasBeta, missing);
        string Scalar(double number) => inner.Scalar(number, c.ElementType);
        return functions[at].ToUpperInvariant() switch
        {
            "SIGMOID" => inner.Sigmoid(value),
            "TANH" => inner.Tanh(value),
            "RELU" => inner.Node("Relu", [value]),
            "SOFTSIGN" => inner.Node("Softsign", [value]),
            "SOFTPLUS" => inner.Node("Softplus", [value]),
            "LEAKYRELU" => inner.Node("LeakyRelu", [value], Alpha(0.01f)),
            "THRESHOLDEDRELU" => inner.Node("ThresholdedRelu", [value], Alpha(1)),
            "ELU" => inner.Node("Elu", [value], Alpha(1)),
            "HARDSIGMOID" => inner.Node("HardSigmoid", [value], Alpha(0.2f), Attributes.Of("beta", Shift(0.5f))),
            "SCALEDTANH" => inner.Mul(inner.Tanh(inner.Mul(value, Scalar(Shift(1)))), Scalar(Scale(1))),
            _ => inner.Add(inner.Mul(value, Scalar(Scale(1))), Scalar(Shift(0))),
        };
    }
}
