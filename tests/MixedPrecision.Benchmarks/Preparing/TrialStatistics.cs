using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>What the trial observes of one layer.</summary>
internal sealed class LayerMoments(int inputs, int groups)
{
    public double[] Plain { get; } = new double[(long)inputs * inputs];

    public double[][] Label { get; } = [.. Enumerable.Range(0, groups).Select(_ => new double[(long)inputs * inputs])];

    public double[][] Drawn { get; } = [.. Enumerable.Range(0, groups).Select(_ => new double[(long)inputs * inputs])];

    public double[] Mean { get; } = new double[inputs];

    public float[] Largest { get; } = new float[inputs];

    /// <summary>Σ ẏ² by output, for labels and drawn ones.</summary>
    public double[]? LabelSquares { get; set; }

    public double[]? DrawnSquares { get; set; }

    public long Rows { get; set; }
}

/// <summary>Observes XᵀX and XᵀDX of layers with a weight matrix, D being squared gradients of the output, averaged over groups of columns.</summary>
internal sealed class TrialStatistics(int groups, int threads) : IDisposable
{
    private readonly Session gram = Build(threads);

    public Dictionary<string, LayerMoments> Layers { get; } = [];

    public void Observe(int sample, LayerSite site, Tensor input, Tensor gradient, Tensor? drawn)
    {
        if (!site.HasWeightMatrix)
        {
            return;
        }

        int inputs = site.InputSize, outputs = site.OutputSize, rows = (int)(input.Count / inputs);
        ReadOnlySpan<float> x = input.Values<float>();
        LayerMoments moments;
        lock (Layers)
        {
            if (!Layers.TryGetValue(site.Layer.Name, out moments!))
            {
                Layers.Add(site.Layer.Name, moments = new LayerMoments(inputs, groups));
            }
        }

        lock (moments)
        {
            moments.Rows += rows;
            for (int row = 0; row < rows; row++)
            {
                for (int k = 0; k < inputs; k++)
                {
                    float value = x[(row * inputs) + k];
                    moments.Mean[k] += value;
                    moments.Largest[k] = Math.Max(moments.Largest[k], Math.Abs(value));
                }
            }
        }

        Add(moments.Plain, Weighted(input, inputs, rows, null, 0, 0, 0));
        moments.LabelSquares ??= new double[outputs];
        moments.DrawnSquares ??= new double[outputs];
        AddSquares(moments.LabelSquares, gradient);
        if (drawn is not null)
        {
            AddSquares(moments.DrawnSquares, drawn);
        }

        for (int group = 0; group < groups; group++)
        {
            int first = outputs * group / groups, last = outputs * (group + 1) / groups;
            Add(moments.Label[group], Weighted(input, inputs, rows, drawn ?? gradient, outputs, first, last, 0.5f));
            if (drawn is not null)
            {
                Add(moments.Drawn[group], Weighted(input, inputs, rows, drawn, outputs, first, last));
            }
        }
    }

    private static void AddSquares(double[] sums, Tensor gradient)
    {
        ReadOnlySpan<float> values = gradient.Values<float>();
        lock (sums)
        {
            for (int i = 0; i < values.Length; i++)
            {
                sums[i % sums.Length] += values[i] * values[i];
            }
        }
    }

    public void Dispose() => gram.Dispose();

    private static void Add(double[] sums, float[] values)
    {
        lock (sums)
        {
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += values[i];
            }
        }
    }

    private float[] Weighted(Tensor input, int inputs, int rows, Tensor? gradient, int outputs, int first, int last, float power = 1)
    {
        ReadOnlySpan<float> x = input.Values<float>();
        var scaled = new float[rows * inputs];
        for (int row = 0; row < rows; row++)
        {
            float weight = 1;
            if (gradient is not null)
            {
                ReadOnlySpan<float> part = gradient.Values<float>().Slice((row * outputs) + first, last - first);
                weight = System.Numerics.Tensors.TensorPrimitives.SumOfSquares(part) / part.Length;
                weight = power == 1 ? weight : MathF.Pow(weight, power);
            }

            System.Numerics.Tensors.TensorPrimitives.Multiply(x.Slice(row * inputs, inputs), weight, scaled.AsSpan(row * inputs, inputs));
        }

        using RunResults results = gram.RunInPlace(
            new Dictionary<string, Tensor>
            {
                ["a"] = new(ElementType.Float, [rows, inputs], input.Bytes),
                ["b"] = Tensor.Of<float>(scaled, rows, inputs),
            },
            CancellationToken.None);
        return results.Tensors["c"].Values<float>().ToArray();
    }

    private static Session Build(int threads)
    {
        var matrix = new TensorType(ElementType.Float, [Dimension.Unknown, Dimension.Unknown]);
        var graph = new GraphProto { Name = "gram" };
        graph.Input.AddRange([matrix.ToProto("a"), matrix.ToProto("b")]);
        graph.Output.Add(matrix.ToProto("c"));
        var b = new GraphBuilder(["a", "b", "c"]);
        b.NodeTo(["c"], "FusedMatMul", "com.microsoft", ["a", "b"], Attributes.Of("transA", 1));
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 10, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 21 });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return Session.Create(model, SessionSettings.Default with { Threads = threads });
    }
}
