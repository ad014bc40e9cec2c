using MixedPrecision.Autodiff;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>A model written as an exporter writes it, with random float inputs, weights among them, whose gradients are compared with differences of the model itself.</summary>
internal sealed class ExportedModel(int seed)
{
    private const double Step = 0.01;

    /// <summary>Float rounds the loss to about 1e-7; over a step of 0.01 that leaves 1e-5 of it.</summary>
    private const double Tolerance = 5e-3;

    private readonly Random random = new(seed);
    private readonly GraphProto graph = new() { Name = "exported" };

    public GraphBuilder B { get; } = new(["loss"], "model/");

    public Dictionary<string, Tensor> Inputs { get; } = [];

    public ModelProto Proto { get; } = new() { IrVersion = 10 };

    /// <summary>A random float input; sizes are declared as symbols of its own name unless they are to be known.</summary>
    public string Float(string name, bool declared, double scale, params long[] shape) => Input(name, Random(scale, shape), declared);

    public string Weight(string name, params long[] shape) => Float(name, true, 1 / Math.Sqrt(shape[0]), shape);

    public string Input(string name, Tensor value, bool declared = false)
    {
        Inputs.Add(name, value);
        graph.Input.Add(new TensorType(value.ElementType, [.. value.Shape.Select((size, axis) => declared ? Dimension.Of(size) : new Dimension(null, $"{name}_{axis}"))]).ToProto(name));
        return name;
    }

    public Tensor Random(double scale, params long[] shape) =>
        Tensor.Of<float>(Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)(scale * Values.Normal(random))).ToArray(), shape);

    /// <summary>Makes the mean of the values' random projections the loss, and compares the gradient of each float input along a random direction and along itself.</summary>
    public void Check(int opset, params string[] outputs)
    {
        string[] sums = [.. outputs.Select(o => B.ReduceMean(B.Sin(B.Vector(o))))];
        B.NodeTo(["loss"], "Sum", "", sums);
        B.AppendTo(graph);
        graph.Output.Add(new ValueInfoProto { Name = "loss" });
        Proto.Graph = graph;
        Proto.OpsetImport.Add(new OperatorSetIdProto { Version = opset });
        Proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        using var model = new OnnxModel(Proto, "", "exported");
        ModelProto gradient = GradientModel.Build(model);
        using Session forward = Session.Create(Proto, SessionSettings.Plain with { Threads = 1 });
        using Session backward = Session.Create(gradient, SessionSettings.Default with { Threads = 1 });
        IReadOnlyDictionary<string, Tensor> results = backward.Run(Inputs);
        Assert.Equal(Loss(forward, []), results["loss"].Values<float>()[0], 1e-5);
        foreach (string name in Inputs.Where(i => i.Value is { ElementType: ElementType.Float, Count: > 0 }).Select(i => i.Key))
        {
            Compare(forward, name, results[name + ".grad"]);
        }
    }

    private void Compare(Session forward, string name, Tensor gradient)
    {
        Assert.Equal(Inputs[name].Shape, gradient.Shape);
        float[] values = gradient.Values<float>().ToArray();
        double norm = Math.Sqrt(values.Sum(v => (double)v * v));
        Assert.True(norm > 0, $"the gradient of {name} is zero");
        double[] drawn = [.. values.Select(_ => Values.Normal(random) / Math.Sqrt(values.Length))];
        foreach (double[] direction in new[] { drawn, [.. values.Select(v => v / norm)] })
        {
            // Far enough that the loss changes by what float can show.
            double expected = ((8 * Difference(forward, name, direction, Step)) - Difference(forward, name, direction, 2 * Step)) / (12 * Step);
            double actual = values.Zip(direction, (g, d) => g * d).Sum();
            Assert.True(Math.Abs(expected - actual) <= (Tolerance * Math.Max(Math.Abs(expected), 0.1 * norm)) + 2e-5, $"gradient of {name}: {actual:R}, differences give {expected:R}, norm {norm:G3}");
        }
    }

    private double Difference(Session forward, string name, double[] direction, double distance)
    {
        Tensor Moved(double by) => Tensor.Of<float>(Inputs[name].Values<float>().ToArray().Zip(direction, (x, d) => (float)(x + (by * d))).ToArray(), Inputs[name].Shape);
        return Loss(forward, new() { [name] = Moved(distance) }) - Loss(forward, new() { [name] = Moved(-distance) });
    }

    private double Loss(Session forward, Dictionary<string, Tensor> changed) =>
        forward.Run(Inputs.ToDictionary(i => i.Key, i => changed.GetValueOrDefault(i.Key, i.Value)))["loss"].Values<float>()[0];
}
