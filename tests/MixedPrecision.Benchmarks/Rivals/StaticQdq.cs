using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>
/// <c>quantize_static</c> with <c>QuantFormat.QDQ</c>, activations QUInt8, weights QInt8, <c>per_channel=True</c> and <c>CalibrationMethod.MinMax</c>, rebuilt from the tool's public behaviour: QuantizeLinear and DequantizeLinear around every value that the
/// operators read and give, one pair for each value; constants as integers behind a DequantizeLinear, weights with scales of channels, biases in 32 bits with the scales of the sums; Relu and Clip taken out where rounding does their work. Branches of If are left alone.
/// </summary>
internal static class StaticQdq
{
    /// <summary>A bias has to fit into 32 bits: the tool makes scales larger where it would not.</summary>
    private const float Headroom = 1.0001f;

    /// <param name="prepared">See <see cref="RivalModel"/>; not changed.</param>
    /// <param name="samples">What ranges are taken from.</param>
    /// <param name="operators">The tool's <c>op_types_to_quantize</c>.</param>
    public static ModelProto Quantize(OnnxModel prepared, IReadOnlyList<Sample> samples, IReadOnlyCollection<string> operators)
    {
        using var model = new OnnxModel(prepared.Proto.Clone(), prepared.Folder, prepared.DisplayName);
        GraphProto graph = model.Graph;
        var marks = new QdqMarks(graph, TypeInference.Infer(model).Where(t => t.Value.ElementType == ElementType.Float).Select(t => t.Key).ToHashSet());
        foreach (NodeProto node in graph.Node.Where(n => n.Domain is "" or "ai.onnx" && operators.Contains(n.OpType)))
        {
            QdqOperators.Mark(marks, node);
        }

        string[] observed = [.. marks.Marks.Where(m => m.Value.SameAs is null && !marks.IsConstant(m.Key)).Select(m => m.Key)];
        var ranges = new Dictionary<string, ValueRange>(CalibratedRanges.Of(prepared, observed, samples));
        foreach (NodeProto softmax in graph.Node.Where(n => n.OpType == "Softmax" && ranges.ContainsKey(n.Output[0])))
        {
            ranges[softmax.Output[0]] = ValueRange.Of(0, 1);
        }

        new Writer(model, marks, ranges).Write();
        return model.Proto;
    }

    private sealed class Writer(OnnxModel model, QdqMarks marks, IReadOnlyDictionary<string, ValueRange> ranges)
    {
        private readonly GraphProto graph = model.Graph;
        private readonly GraphBuilder builder = new(GraphBuilder.NamesIn(model.Graph));
        private readonly Dictionary<string, RoundedConstant> constants = [];

        public void Write()
        {
            ILookup<string, QdqBias> biases = marks.Biases.ToLookup(b => b.Weight);
            foreach ((string value, QdqMark mark) in marks.Marks.Where(m => marks.IsConstant(m.Key)))
            {
                Tensor tensor = model.Initializer(value)!;
                constants.Add(value, mark.IsWeight ? RoundedConstants.Signed(tensor, mark.Axis, channel => biases[value].Select(b => Least(b, channel)).DefaultIfEmpty(0).Max()) : RoundedConstants.Unsigned(tensor));
            }

            var replaced = new Dictionary<string, string>();
            foreach ((string value, QdqMark mark) in marks.Marks)
            {
                if (constants.TryGetValue(value, out RoundedConstant? constant))
                {
                    replaced.Add(value, Dequantize(constant, value));
                }
                else if (graph.Output.Any(o => o.Name == value))
                {
                    string given = builder.Fresh(value);
                    NodeProto producer = graph.Node.First(n => !marks.Removed.Contains(n) && n.Output.Contains(value));
                    producer.Output[producer.Output.IndexOf(value)] = given;
                    RoundTrip(given, value, RangeOf(value));
                }
                else
                {
                    string read = builder.Fresh(value);
                    replaced.Add(value, read);
                    RoundTrip(value, read, RangeOf(value));
                }
            }

            string[] dropped = [.. replaced.Keys.Where(constants.ContainsKey), .. marks.Biases.Select(b => b.Node.Input[2]).Distinct()];
            foreach (QdqBias bias in marks.Biases)
            {
                bias.Node.Input[2] = Dequantize(RoundedConstants.Bias(model.Initializer(bias.Node.Input[2])!, SumScales(bias)), bias.Node.Input[2]);
            }

            NodeProto[] kept = [.. graph.Node.Where(n => !marks.Removed.Contains(n))];
            foreach (NodeProto node in kept)
            {
                for (int i = 0; i < node.Input.Count; i++)
                {
                    node.Input[i] = replaced.GetValueOrDefault(node.Input[i], node.Input[i]);
                }
            }

            graph.Node.Clear();
            graph.Node.AddRange(TopologicalOrder.Of([.. kept, .. builder.Nodes]));
            graph.Initializer.AddRange(builder.Constants.Select(c => c.Value.ToProto(c.Key)));
            ValueReaders.Drop(graph, dropped);
        }

        /// <summary>The range that a value is held in: of its own, or that of the value whose elements it has.</summary>
        private ValueRange RangeOf(string value)
        {
            while (marks.Marks.GetValueOrDefault(value)?.SameAs is string same)
            {
                value = same;
            }

            return marks.IsConstant(value) ? RoundedConstants.RangeOf(model.Initializer(value)!)
                : ranges.TryGetValue(value, out ValueRange? range) ? range : throw new NotSupportedException($"nothing finite was seen of '{value}' on every sample");
        }

        private float[] SumScales(QdqBias bias)
        {
            float input = RangeOf(bias.Input).Scale;
            return constants.TryGetValue(bias.Weight, out RoundedConstant? weight)
                ? [.. weight.Scales.Values<float>().ToArray().Select(s => s * input)]
                : [input * RangeOf(bias.Weight).Scale];
        }

        private float Least(QdqBias bias, int channel)
        {
            ReadOnlySpan<float> values = model.Initializer(bias.Node.Input[2])!.Values<float>();
            return channel < values.Length ? Headroom * MathF.Abs(values[channel]) / (int.MaxValue * RangeOf(bias.Input).Scale) : 0;
        }

        private void RoundTrip(string value, string result, ValueRange range)
        {
            string scale = builder.Scalar(range.Scale), zero = builder.Constant(Tensor.Scalar((byte)range.ZeroPoint), "zero_point");
            builder.NodeTo([result], "DequantizeLinear", "", [builder.Node("QuantizeLinear", [value, scale, zero]), scale, zero]);
        }

        private string Dequantize(RoundedConstant constant, string hint)
        {
            string[] inputs = [builder.Constant(constant.Values, hint + "_quantized"), builder.Constant(constant.Scales, "scale"), builder.Constant(constant.ZeroPoints, "zero_point")];
            return builder.Node("DequantizeLinear", inputs, constant.Axis is int axis ? [Attributes.Of("axis", axis)] : []);
        }
    }
}
