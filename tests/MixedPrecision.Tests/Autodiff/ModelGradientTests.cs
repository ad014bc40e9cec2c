using System.Text.Json;
using MixedPrecision.Autodiff;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>Gradients of whole models against central differences, both in double.</summary>
public class ModelGradientTests
{
    private const int LayerInputs = 30;

    [Fact]
    public void DocareaAgreesWithDifferences()
    {
        JsonElement sample = FirstSample("docarea");
        Dictionary<string, Tensor> inputs = Inputs(sample, 16, "input_ids", "attention_mask");
        inputs["labels"] = Tensor.Of<long>([sample.GetProperty("label")[0].GetInt64()], 1);
        Compare("docarea", inputs, b => b.LogSoftmax("logits"));
    }

    [Fact]
    public void DoclmAgreesWithDifferences()
    {
        // 16 bytes of a window: each predicts the next.
        JsonElement sample = FirstSample("doclm");
        long[] bytes = [.. sample.GetProperty("input_ids")[0].EnumerateArray().Take(17).Select(v => v.GetInt64())];
        var inputs = new Dictionary<string, Tensor>
        {
            ["input_ids"] = Tensor.Of<long>(bytes.AsSpan(0, 16), 1, 16),
            ["labels"] = Tensor.Of<long>(bytes.AsSpan(1, 16), 1, 16),
        };
        Compare("doclm", inputs, b => b.LogSoftmax("logits"));
    }

    private static void Compare(string name, Dictionary<string, Tensor> inputs, Func<GraphBuilder, string> logProbabilities)
    {
        using OnnxModel original = OnnxModel.Load(SharedFolder.Model(name));
        string[] layers = LayerInputsOf(original, new Random(1));
        using OnnxModel lowered = GraphLowering.Lower(original, TypeInference.Infer(original));
        ModelProto proto = lowered.Proto.Clone();
        GraphProto graph = proto.Graph;
        DoublePrecision.Convert(graph);

        // Each layer input gets an addend of its own, a single zero unless it is the one that is moved.
        IReadOnlyDictionary<string, TensorType> known = TypeInference.Infer(lowered);
        long[] ranks = [.. layers.Select(l => (long)known[l].Rank!.Value)];
        string[] addends = [.. layers.Select((_, i) => $"addend{i}")];
        string[] moved = [.. layers.Select((_, i) => $"moved{i}")];
        Insert(graph, layers, addends, moved);
        graph.Input.AddRange(addends.Select((a, i) => new TensorType(ElementType.Double, [.. Enumerable.Repeat(Dimension.Unknown, (int)ranks[i])]).ToProto(a)));

        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph), "gradient/");
        string picked = builder.GatherElements(logProbabilities(builder), builder.Unsqueeze("labels", -1), -1);
        builder.NodeTo(["loss"], "Neg", "", [builder.ReduceMean(picked)]);
        builder.AppendTo(graph);
        graph.Input.Add(new TensorType(ElementType.Int64, [.. inputs["labels"].Shape.Select(Dimension.Of)]).ToProto("labels"));
        graph.Output.Clear();
        graph.Output.Add(new ValueInfoProto { Name = "loss" });

        ModelProto differentiated = proto.Clone();
        var gradientBuilder = new GraphBuilder(GraphBuilder.NamesIn(graph), "gradient/");
        using var model = new OnnxModel(Supported(proto), "", name);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        IReadOnlyDictionary<string, string> gradients = Differentiation.Differentiate(
            graph, types, gradientBuilder, new Dictionary<string, string> { ["loss"] = gradientBuilder.Scalar(1, ElementType.Double) }, moved);
        gradientBuilder.AppendTo(differentiated.Graph);
        differentiated.Graph.Output.AddRange(gradients.Values.Select(g => new ValueInfoProto { Name = g }));
        using Session session = Session.Create(Supported(differentiated), SessionSettings.Plain);
        Dictionary<string, Tensor> feed = new(inputs);
        for (int i = 0; i < addends.Length; i++)
        {
            feed[addends[i]] = Tensor.Of<double>([0], [.. Enumerable.Repeat(1L, (int)ranks[i])]);
        }

        IReadOnlyDictionary<string, Tensor> results = session.Run(feed);
        var random = new Random(2);
        using Session forward = Session.Create(Supported(proto), SessionSettings.Plain);
        for (int i = 0; i < layers.Length; i++)
        {
            Tensor gradient = results[gradients[moved[i]]];
            double[] values = gradient.Values<double>().ToArray();
            double[] direction = [.. values.Select(_ => Values.Normal(random) / Math.Sqrt(values.Length))];
            double Loss(double distance)
            {
                Dictionary<string, Tensor> at = new(feed) { [addends[i]] = Tensor.Of<double>(direction.Select(d => distance * d).ToArray(), gradient.Shape) };
                return forward.Run(at, ["loss"])["loss"].Values<double>()[0];
            }

            // The second direction is the gradient's own, along which nothing cancels.
            const double Step = 3e-4;
            for (int attempt = 0; attempt < 2; attempt++)
            {
                double expected = (Loss(Step) - Loss(-Step)) / (2 * Step);
                double actual = values.Zip(direction, (g, d) => g * d).Sum();
                Assert.True(Math.Abs(expected - actual) < 2e-4 * Math.Abs(expected), $"{layers[i]}: gradient {actual:R}, differences {expected:R}");
                double norm = Math.Sqrt(values.Sum(v => v * v));
                Assert.True(norm > 0, $"{layers[i]}: the gradient is zero");
                direction = [.. values.Select(v => v / norm)];
            }
        }
    }

    /// <summary>Random inputs of MatMul and Gemm that are activations.</summary>
    private static string[] LayerInputsOf(OnnxModel model, Random random)
    {
        var view = new GraphView(model.Graph);
        string[] all = [.. view.Nodes.Where(n => n.OpType is "MatMul" or "Gemm").SelectMany(n => n.Input.Take(2)).Where(v => !view.Constants.Contains(v)).Distinct()];
        random.Shuffle(all);
        return all[..Math.Min(LayerInputs, all.Length)];
    }

    private static void Insert(GraphProto graph, string[] values, string[] addends, string[] moved)
    {
        NodeProto[] nodes = [.. graph.Node];
        graph.Node.Clear();
        foreach (NodeProto node in nodes)
        {
            for (int input = 0; input < node.Input.Count; input++)
            {
                int index = Array.IndexOf(values, node.Input[input]);
                node.Input[input] = index < 0 ? node.Input[input] : moved[index];
            }

            graph.Node.Add(node);
            foreach (int index in node.Output.Select(o => Array.IndexOf(values, o)).Where(i => i >= 0))
            {
                var add = new NodeProto { OpType = "Add" };
                add.Input.AddRange([values[index], addends[index]]);
                add.Output.Add(moved[index]);
                graph.Node.Add(add);
            }
        }
    }

    /// <summary>The model with what has no kernel for double written otherwise.</summary>
    private static ModelProto Supported(ModelProto proto)
    {
        ModelProto supported = proto.Clone();
        DoublePrecision.ExpandErf(supported.Graph);
        return supported;
    }

    private static JsonElement FirstSample(string name) =>
        JsonDocument.Parse(File.ReadLines(SharedFolder.Path("models", name, "calibration.jsonl")).First()).RootElement;

    private static Dictionary<string, Tensor> Inputs(JsonElement sample, int tokens, params string[] names) => names.ToDictionary(name => name, name =>
    {
        long[] values = [.. sample.GetProperty(name)[0].EnumerateArray().Take(tokens).Select(v => v.GetInt64())];
        return Tensor.Of<long>(values, 1, values.Length);
    });
}
