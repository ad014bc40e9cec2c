using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Tests.Autodiff;

namespace MixedPrecision.Benchmarks.Operators;

/// <summary>
/// A model of which weights and inner values can be moved, to take differences by them: weights become inputs, and to an inner value an input is
/// added. In double where ONNX Runtime has all kernels for it and computes the same.
/// </summary>
internal sealed class Instrumented : IDisposable
{
    /// <summary>Of the largest value of an output.</summary>
    private const double SameOutput = 1e-3;

    private readonly Func<RuntimeModel> open;
    private readonly RuntimeModel? shared;
    private readonly Dictionary<string, Fed> inputs;
    private readonly IReadOnlyDictionary<string, string> moved;

    private Instrumented(Func<RuntimeModel> open, bool isRandom, Dictionary<string, Fed> inputs, IReadOnlyDictionary<string, string> moved, bool isDouble)
    {
        this.open = open;
        shared = isRandom ? null : open();
        this.inputs = inputs;
        this.moved = moved;
        IsDouble = isDouble;
    }

    public bool IsDouble { get; }

    /// <param name="model">The model as it is.</param>
    /// <param name="fed">Values of its inputs.</param>
    /// <param name="outputs">What it gives for them.</param>
    /// <param name="inner">Inner values to move, with their values.</param>
    /// <param name="isRandom">Whether it draws numbers, which are the same only for each first run.</param>
    public static Instrumented Make(
        ModelProto model, IReadOnlyDictionary<string, Fed> fed, IReadOnlyDictionary<string, Tensor> outputs, IReadOnlyDictionary<string, Tensor> inner, bool isRandom)
    {
        ModelProto instrumented = model.Clone();
        var inputs = new Dictionary<string, Fed>(fed);
        FeedInitializers(instrumented.Graph, inputs);
        Dictionary<string, string> moved = AddAddends(instrumented.Graph, inputs, inner);
        try
        {
            using var none = new ExternalData("");
            ModelProto wide = Widening.Widen(instrumented, none);
            DoublePrecision.Convert(wide.Graph);
            using var runtime = new RuntimeModel(wide);
            Dictionary<string, Fed> wideInputs = inputs.ToDictionary(i => i.Key, i => i.Value with { Tensors = [.. i.Value.Tensors.Select(ToDouble)] });
            if (Same(outputs, runtime.Run(wideInputs)))
            {
                return new Instrumented(() => new RuntimeModel(wide), isRandom, wideInputs, moved, isDouble: true);
            }
        }
        catch (OnnxRuntimeException)
        {
            // No kernel for double.
        }

        return new Instrumented(() => new RuntimeModel(instrumented), isRandom, inputs, moved, isDouble: false);
    }

    /// <summary>The outputs when a value is moved.</summary>
    public IReadOnlyDictionary<string, Tensor> Run(string value, double[] direction, double distance)
    {
        string name = moved.GetValueOrDefault(value, value);
        Fed kept = inputs[name];
        Tensor tensor = kept.Tensors[0];
        inputs[name] = Fed.Of(Reals.ToTensor([.. Reals.Of(tensor).Zip(direction, (x, d) => x + (distance * d))], tensor.Shape, tensor.ElementType));
        RuntimeModel runtime = shared ?? open();
        try
        {
            return runtime.Run(inputs);
        }
        finally
        {
            inputs[name] = kept;
            if (runtime != shared)
            {
                runtime.Dispose();
            }
        }
    }

    public double[] ValueOf(string value) => Reals.Of(inputs[moved.GetValueOrDefault(value, value)].Tensors[0]);

    public void Dispose() => shared?.Dispose();

    private static Tensor ToDouble(Tensor tensor) => ElementType.IsFloating(tensor.ElementType) ? Reals.ToTensor(Reals.Of(tensor), tensor.Shape, ElementType.Double) : tensor;

    private static void FeedInitializers(GraphProto graph, Dictionary<string, Fed> inputs)
    {
        using var none = new ExternalData("");
        HashSet<string> listed = [.. graph.Input.Select(i => i.Name)];
        foreach (TensorProto initializer in graph.Initializer.Where(i => ElementType.IsFloating(i.DataType)).ToArray())
        {
            Tensor value = TensorProtos.Read(initializer, none);
            graph.Initializer.Remove(initializer);
            inputs[initializer.Name] = Fed.Of(value);
            if (!listed.Contains(initializer.Name))
            {
                graph.Input.Add(TensorType.Of(value).ToProto(initializer.Name));
            }
        }

        foreach (TensorProto initializer in graph.Initializer.Where(i => listed.Contains(i.Name)))
        {
            inputs[initializer.Name] = Fed.Of(TensorProtos.Read(initializer, none));
        }
    }

    private static Dictionary<string, string> AddAddends(GraphProto graph, Dictionary<string, Fed> inputs, IReadOnlyDictionary<string, Tensor> inner)
    {
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph), "moved/");
        var moved = new Dictionary<string, string>();
        NodeProto[] nodes = [.. graph.Node];
        foreach (NodeProto node in nodes)
        {
            builder.Nodes.Add(node);
            for (int output = 0; output < node.Output.Count; output++)
            {
                string name = node.Output[output];
                if (inner.TryGetValue(name, out Tensor? value))
                {
                    string addend = moved[name] = builder.Fresh("addend");
                    inputs[addend] = Fed.Of(Reals.ToTensor(new double[value.Count], value.Shape, value.ElementType));
                    graph.Input.Add(TensorType.Of(value).ToProto(addend));
                    // Of the operators that add, this one has a kernel in the oldest sets.
                    builder.NodeTo([name], "Sum", "", [node.Output[output] = builder.Fresh("still"), addend]);
                }
            }
        }

        graph.Node.Clear();
        builder.AppendTo(graph);
        return moved;
    }

    private static bool Same(IReadOnlyDictionary<string, Tensor> expected, Dictionary<string, Tensor> actual) => expected.Where(e => ElementType.IsFloating(e.Value.ElementType)).All(e =>
    {
        double[] values = Reals.Of(e.Value);
        double size = values.Select(Math.Abs).DefaultIfEmpty(0).Max();
        return actual[e.Key].Shape.SequenceEqual(e.Value.Shape) && values.Zip(Reals.Of(actual[e.Key]), (a, b) => Math.Abs(a - b)).All(d => !(d > SameOutput * size));
    });
}
