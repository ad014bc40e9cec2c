using System.Globalization;
using MixedPrecision.Benchmarking;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;

namespace MixedPrecision.Benchmarks;

/// <summary>LSTM alone, as many inputs as hidden values, in float and in int8-dynamic, of runs in turn on two threads: time, error of its outputs, bytes of its weights.</summary>
internal static class RecurrentBenchmark
{
    private const int Threads = 2;

    private static readonly (int Steps, int Batch, string Direction)[] Sizes = [(32, 1, "forward"), (128, 1, "forward"), (32, 8, "forward"), (32, 1, "bidirectional")];

    public static int Run()
    {
        Machine machine = Machine.Detect(new RuntimePolicy("cpu", Threads, Diagnostics.Place.None));
        NumberFormat format = NumberFormats.Get(FormatId.Parse(FormatFamilies.Int8Dynamic).On(machine.AddsExactly()).Text);
        Console.WriteLine("| hidden | steps | batch | direction | fp32 | int8-dynamic | ratio | error | weights |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (int hidden in new[] { 64, 128, 256, 512 })
        {
            foreach ((int steps, int batch, string direction) in Sizes)
            {
                ModelProto made = Make(hidden, steps, batch, direction);
                using var model = new OnnxModel(made, "", "model.onnx");
                IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
                Partition partition = Partitioner.Partition(model, types);
                LayerSite site = LayerSite.Of(model, partition.View, types, partition.Layers.Single());
                ModelProto written = Quantizer.Emit(model, [(site, format)], name => Weights.Read(model, partition.View, name)!).Model;
                using Session exact = Session.Create(made, SessionSettings.Timing(Threads)), mixed = Session.Create(written, SessionSettings.Timing(Threads));
                var x = new Dictionary<string, Tensor> { ["x"] = Values(new Random(hidden), 1, steps, batch, hidden) };
                double error = Error(exact.Run(x)["y"].Values<float>(), mixed.Run(x)["y"].Values<float>());
                (double before, double after) = RewritesBenchmark.Time(() => exact.Run(x), () => mixed.Run(x));
                double bytes = site.ByWeight.Sum(format.Bytes) / (double)site.ByWeight.Sum(w => w.BaselineBytes);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"| {hidden} | {steps} | {batch} | {direction} | {before:0.000} ms | {after:0.000} ms | {before / after:0.00} | {error:0.00 %} | {bytes:0.0 %} |"));
            }
        }

        return 0;
    }

    private static ModelProto Make(int hidden, int steps, int batch, string direction)
    {
        var random = new Random(hidden + steps);
        int directions = direction == "bidirectional" ? 2 : 1;
        string[] names = ["w", "r", "b"];
        Tensor[] weights =
        [
            Values(random, 1 / Math.Sqrt(hidden), directions, 4 * hidden, hidden),
            Values(random, 1 / Math.Sqrt(hidden), directions, 4 * hidden, hidden),
            Values(random, 0.1, directions, 8 * hidden),
        ];
        var graph = new GraphProto { Name = "recurrent" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(steps), Dimension.Of(batch), Dimension.Of(hidden)]).ToProto("x"));
        graph.Initializer.AddRange(weights.Select((w, i) => w.ToProto(names[i])));
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        builder.NodeTo(["y"], "LSTM", "", ["x", .. names], Attributes.Of("hidden_size", hidden), Attributes.Of("direction", direction));
        builder.AppendTo(graph);
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("y"));
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        return model;
    }

    /// <summary>Evenly spread between −limit and limit.</summary>
    private static Tensor Values(Random random, double limit, params long[] shape) =>
        Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)(((random.NextDouble() * 2) - 1) * limit))], shape);

    /// <summary>Root mean square of the difference over that of the values.</summary>
    private static double Error(ReadOnlySpan<float> exact, ReadOnlySpan<float> mixed)
    {
        double square = 0, change = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            square += exact[i] * (double)exact[i];
            change += (exact[i] - (double)mixed[i]) * (exact[i] - (double)mixed[i]);
        }

        return Math.Sqrt(change / square);
    }
}
