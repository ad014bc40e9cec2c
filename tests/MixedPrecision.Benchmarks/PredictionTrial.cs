using System.Diagnostics;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Solving;

namespace MixedPrecision.Benchmarks;

/// <summary>A plan's loss MSE as P predicts it from calibration samples, and as other samples show it.</summary>
internal sealed class PredictionTrial : IDisposable
{
    private readonly OnnxModel model;
    private readonly LossFunction loss;
    private readonly Partition partition;
    private readonly IReadOnlyDictionary<string, LayerSite> sites;
    private readonly IReadOnlyList<Sample> samples;
    private readonly List<(IReadOnlyDictionary<string, Tensor> Outputs, LossTarget Target)> originals;
    private readonly SessionSettings settings;

    /// <param name="file">The model.</param>
    /// <param name="calibration">Samples to predict from, and how many of them at most.</param>
    /// <param name="evaluation">Samples to measure on, and how many of them at most.</param>
    /// <param name="formats">All formats of the plans to come.</param>
    /// <param name="threads">Threads within an operator.</param>
    /// <param name="observe">As <see cref="CalibrationRequest.Observe"/>.</param>
    public PredictionTrial(
        string file, CalibrationPolicy policy, (string File, int Count) calibration, (string File, int Count) evaluation, IReadOnlyList<NumberFormat> formats, int threads,
        Action<int, LayerSite, Tensor, Tensor, Tensor?>? observe = null)
    {
        settings = SessionSettings.Default with { Threads = threads };
        model = OnnxModel.Load(file);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        loss = LossFunction.Create(model, types, policy, "policy");
        InputDeclaration[] inputs = [.. model.Inputs.Select(i => new InputDeclaration(i.Name, TensorType.Read(i.Type)))];
        IReadOnlyList<Sample> seen = SampleReader.Read(calibration.File, Path.GetFileName(calibration.File), inputs, policy.Labels, calibration.Count, loss.Fields);
        samples = SampleReader.Read(evaluation.File, Path.GetFileName(evaluation.File), inputs, policy.Labels, evaluation.Count, loss.Fields);
        types = TypeInference.Complete(model, types, seen[0].Inputs);
        partition = Partitioner.Partition(model, types);
        IReadOnlyDictionary<string, LayerSite> known = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
        sites = formats.Any(f => f.ReadsMoments) ? Observe(types, known, seen, threads) : known;
        Sensitivities = Calibrator.Run(
            new CalibrationRequest(model, partition, types, sites, formats, loss, seen, threads) { Observe = observe }, _ => { }, CancellationToken.None);

        using Session session = Session.Create(model.Proto, settings, model.Folder);
        originals = [.. samples.Select((sample, number) =>
        {
            IReadOnlyDictionary<string, Tensor> outputs = session.Run(sample.Inputs, loss.Outputs);
            return (outputs, loss.TargetOf(sample, number, outputs));
        })];
    }

    public Sensitivities Sensitivities { get; }

    public IReadOnlyDictionary<string, LayerSite> Sites => sites;

    /// <summary>What observing took.</summary>
    public TimeSpan Observing { get; private set; }

    public int Layers => sites.Count;

    public OnnxModel Model => model;

    /// <summary>The samples to measure on.</summary>
    public IReadOnlyList<Sample> Samples => samples;

    /// <summary>E[g²] of the samples to measure on.</summary>
    public double MeanSquareLoss => originals.Average(o => loss.SquareLoss(o.Outputs, o.Target));

    /// <summary>A format for each layer of the model, the baseline where it does not apply.</summary>
    public NumberFormat[] Plan(Func<int, NumberFormat> formatOf) =>
        [.. partition.Layers.Select((l, i) => formatOf(i)).Zip(partition.Layers, (format, l) => format.WhyNot(sites[l.Name]) is null ? format : NumberFormats.Baseline)];

    /// <summary>P of plans that choose from some of the formats, by the problem that the pipeline would hand to its solver.</summary>
    public Func<NumberFormat[], double> Predictor(IReadOnlyList<NumberFormat> formats)
    {
        var allowed = partition.Layers.ToDictionary(
            l => l.Name,
            l => new LayerOptions([.. formats.Where(f => f.WhyNot(sites[l.Name]) is null).Select(f => f.Name)], null, new Dictionary<string, string>()));
        Gains gains = Gains.Empty;
        foreach (Subgraph subgraph in partition.Subgraphs)
        {
            for (int layer = 0; layer < subgraph.Layers.Count; layer++)
            {
                foreach (string format in allowed[subgraph.Layers[layer].Name].Formats)
                {
                    gains = gains.With(Problems.Alone(subgraph, layer, format), Gain.None);
                }
            }
        }

        SolverProblem problem = new PlanningInput(partition, allowed, Sensitivities).Problem(gains, lossBudget: 0);
        (string Layer, string Format)[] choices = [.. problem.Subgraphs.SelectMany(s => s.Layers).SelectMany(l => l.Choices.Select(c => (l.Name, c.Format)))];
        var index = choices.Index().ToDictionary(c => c.Item, c => c.Index);
        var predicted = new QuadraticLoss((LossModel.Quadratic)problem.Loss, choices.Length, budget: 0);
        return plan => predicted.Evaluate(partition.Layers.Zip(plan, (layer, format) => index[(layer.Name, format.Name)]));
    }

    /// <summary>(Σ δ)² of each calibration sample: what the first-order part of P is the mean of.</summary>
    public double[] FirstOrder(NumberFormat[] plan)
    {
        var layers = Sensitivities.Layers.ToDictionary(l => l.Name);
        double[][] deltas = [.. partition.Layers.Zip(plan, (layer, format) => layers[layer.Name].Formats.GetValueOrDefault(format.Name)?.Deltas).OfType<double[]>()];
        return [.. Enumerable.Range(0, Sensitivities.Samples).Select(sample => Math.Pow(deltas.Sum(d => d[sample]), 2))];
    }

    /// <summary>The sum over the layers that the noise model of each format predicts (paper, section 3).</summary>
    public double Taylor(NumberFormat[] plan)
    {
        var layers = Sensitivities.Layers.ToDictionary(l => l.Name);
        return partition.Layers.Zip(plan, (layer, format) => layers[layer.Name].Formats.GetValueOrDefault(format.Name)?.Taylor ?? 0).Sum();
    }

    /// <summary>The model with its layers in the formats of a plan.</summary>
    public ModelProto Rewrite(NumberFormat[] plan)
    {
        ModelProto mixed = model.Proto.Clone();
        LayerRewriter.Apply(mixed, [.. partition.Layers.Zip(plan, (layer, format) => (sites[layer.Name], format))], name => Weights.Read(model, partition.View, name)!);
        return mixed;
    }

    /// <summary>(g′ − g)² of each sample.</summary>
    public double[] Measure(NumberFormat[] plan) => Measure(Rewrite(plan));

    /// <summary>The same of any model with the original's inputs and outputs.</summary>
    public double[] Measure(ModelProto mixed)
    {
        using Session session = Session.Create(mixed, settings, model.Folder);
        return [.. samples.Zip(originals, (sample, original) =>
            loss.Compare(original.Outputs, session.Run(sample.Inputs, loss.Outputs), original.Target).SquareChange)];
    }

    private IReadOnlyDictionary<string, LayerSite> Observe(
        IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, LayerSite> known, IReadOnlyList<Sample> seen, int threads)
    {
        long start = Stopwatch.GetTimestamp();
        string[] values = [.. known.Values.Where(s => s.HasWeightMatrix).Select(s => s.Layer.Input).Distinct()];
        var moments = new Dictionary<string, InputMoments>();
        Observer.Run(
            new ObservationRequest(model, partition, types, known, values, seen, threads),
            (value, sums) =>
            {
                float[] total = sums.Total();
                moments.Add(value, new InputMoments(sums.Inputs, sums.Rows, sums.Width, sums.HashOf(total), () => total));
            },
            _ => { },
            _ => { },
            CancellationToken.None);
        Observing = Stopwatch.GetElapsedTime(start);
        return Balancing.Observe(partition.View, known, moments, name => Weights.Read(model, partition.View, name)!);
    }

    public void Dispose()
    {
        loss.Dispose();
        model.Dispose();
    }
}
