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
    private readonly Dictionary<string, LayerSite> sites;
    private readonly IReadOnlyList<Sample> samples;
    private readonly List<(IReadOnlyDictionary<string, Tensor> Outputs, LossTarget Target)> originals;
    private readonly SessionSettings settings;

    /// <param name="file">The model.</param>
    /// <param name="calibration">Samples to predict from, and how many of them at most.</param>
    /// <param name="evaluation">Samples to measure on, and how many of them at most.</param>
    /// <param name="formats">All formats of the plans to come.</param>
    /// <param name="threads">Threads within an operator.</param>
    public PredictionTrial(
        string file, CalibrationPolicy policy, (string File, int Count) calibration, (string File, int Count) evaluation, IReadOnlyList<NumberFormat> formats, int threads,
        Action<int, LayerSite, Tensor, Tensor, Tensor?>? observe = null)
    {
        settings = SessionSettings.Default with { Threads = threads };
        model = OnnxModel.Load(file);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        loss = LossFunction.Create(model, types, policy, "policy");
        InputDeclaration[] inputs = [.. model.Inputs.Select(i => new InputDeclaration(i.Name, TensorType.Read(i.Type)))];
        IReadOnlyList<Sample> seen = SampleReader.Read(calibration.File, Path.GetFileName(calibration.File), inputs, policy.Labels, calibration.Count);
        samples = SampleReader.Read(evaluation.File, Path.GetFileName(evaluation.File), inputs, policy.Labels, evaluation.Count);
        types = TypeInference.Complete(model, types, seen[0].Inputs);
        partition = Partitioner.Partition(model, types);
        sites = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
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
        var predicted = new QuadraticLoss((LossModel.Quadratic)problem.Loss, choices.Length);
        return plan => predicted.Evaluate(partition.Layers.Zip(plan, (layer, format) => index[(layer.Name, format.Name)]));
    }

    /// <summary>(Σ δ)² of each calibration sample: what the first-order part of P is the mean of.</summary>
    public double[] FirstOrder(NumberFormat[] plan)
    {
        var layers = Sensitivities.Layers.ToDictionary(l => l.Name);
        double[][] deltas = [.. partition.Layers.Zip(plan, (layer, format) => layers[layer.Name].Formats.GetValueOrDefault(format.Name)?.Deltas).OfType<double[]>()];
        return [.. Enumerable.Range(0, Sensitivities.Samples).Select(sample => Math.Pow(deltas.Sum(d => d[sample]), 2))];
    }

    /// <summary>Mean over the samples and their rows of scores of the divergence Σ p log(p / p′) from the original's probabilities.</summary>
    public double Divergence { get; private set; }

    private static double KullbackLeibler(Tensor original, Tensor other)
    {
        int classes = (int)original.Shape[^1], rows = (int)(original.Count / classes);
        ReadOnlySpan<float> a = original.Values<float>(), b = other.Values<float>();
        double sum = 0;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> x = a.Slice(row * classes, classes), y = b.Slice(row * classes, classes);
            double top = 0, bottom = 0, totalX = 0, totalY = 0;
            foreach (float v in x) top = Math.Max(top, v);
            foreach (float v in y) bottom = Math.Max(bottom, v);
            foreach (float v in x) totalX += Math.Exp(v - top);
            foreach (float v in y) totalY += Math.Exp(v - bottom);
            for (int c = 0; c < classes; c++)
            {
                double p = x[c] - top - Math.Log(totalX), q = y[c] - bottom - Math.Log(totalY);
                sum += Math.Exp(p) * (p - q);
            }
        }

        return sum / rows;
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
        double divergence = 0;
        double[] result = [.. samples.Zip(originals, (sample, original) =>
        {
            var outputs = session.Run(sample.Inputs, loss.Outputs);
            divergence += KullbackLeibler(original.Outputs[loss.Outputs[0]], outputs[loss.Outputs[0]]);
            return loss.Compare(original.Outputs, outputs, original.Target).SquareChange;
        })];
        Divergence = divergence / samples.Count;
        return result;
    }

    public void Dispose()
    {
        loss.Dispose();
        model.Dispose();
    }
}
