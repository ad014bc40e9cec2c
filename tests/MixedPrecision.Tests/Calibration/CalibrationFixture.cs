using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>A model with data and a loss, ready to calibrate.</summary>
internal sealed class CalibrationFixture : IDisposable
{
    public CalibrationFixture(string model, string data, CalibrationPolicy policy, int? samples = null, bool withEmbeddings = false)
    {
        Model = OnnxModel.Load(model);
        Types = TypeInference.Infer(Model);
        Partition = Partitioner.Partition(Model, Types, withEmbeddings);
        Loss = LossFunction.Create(Model, Types, policy, "policy.yaml");
        Samples = SampleReader.Read(data, Path.GetFileName(data), [.. Model.Inputs.Select(i => new InputDeclaration(i.Name, TensorType.Read(i.Type)))], policy.Labels, samples, Loss.Fields);
    }

    public OnnxModel Model { get; }

    public IReadOnlyDictionary<string, TensorType> Types { get; }

    public Partition Partition { get; }

    public LossFunction Loss { get; }

    public IReadOnlyList<Sample> Samples { get; }

    public Sensitivities Calibrate(
        IReadOnlyList<string> formats,
        CalibrationMemory? memory = null,
        CalibrationProgress? resume = null,
        Action<CalibrationProgress>? save = null,
        Action<CalibrationUpdate>? report = null,
        CancellationToken? cancel = null,
        int threads = 2) => Calibrator.Run(
        new CalibrationRequest(
            Model,
            Partition,
            Types,
            WeightFaults.Find(Model, Partition.View, Partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(Model, Partition.View, Types, l))),
            [.. formats.Select(NumberFormats.Get)],
            Loss,
            Samples,
            threads,
            resume,
            save)
        { Memory = memory ?? CalibrationMemory.Default },
        report ?? (_ => { }),
        cancel ?? TestContext.Current.CancellationToken);

    public void Dispose()
    {
        Loss.Dispose();
        Model.Dispose();
    }
}
