using System.Diagnostics;
using Google.Protobuf;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>
/// Loss MSE of models with one format for all weights, by how these are prepared: as the product prepares them, and as it does not since that does not help. Predicted from calibration samples,
/// measured on others. The standard error is that of the ratio, over the same samples.
/// </summary>
internal sealed class PreparationBenchmark
{
    private const int Threads = 2;

    /// <summary>Formats by how a text names them, with bits and block of their symmetric grid (0: the whole column).</summary>
    private static readonly (string Family, string Parameters, int Bits, int Block)[] Kinds =
    [
        ("int8-dynamic", "full", 8, 0),
        ("int8-weight", "block=32", 8, 32),
        ("int4-weight", "block=32", 4, 32),
        ("int4-weight", "block=128", 4, 128),
        ("int2-weight", "block=32", 2, 32),
    ];

    private readonly string model;
    private readonly CalibrationPolicy policy;
    private readonly string calibration;
    private readonly string evaluation;
    private readonly GradientMoments gradients = new();
    private readonly Dictionary<string, double> seconds = [];

    private PreparationBenchmark(string model, string calibration, string evaluation, string loss, string? labels)
    {
        LossKind kind = loss switch { "cross-entropy" => LossKind.CrossEntropy, "next-token" => LossKind.NextToken, _ => LossKind.OutputMse };
        (this.model, this.calibration, this.evaluation) = (model, calibration, evaluation);
        policy = new CalibrationPolicy(null, kind, labels, int.MaxValue, null);
    }

    /// <param name="filter">What names of formats have to hold, several with commas between; "" for all.</param>
    public static int Run(string model, string calibration, string evaluation, string loss, string? labels, string filter)
    {
        new PreparationBenchmark(model, calibration, evaluation, loss, labels).Run([.. Kinds.Where(k => filter.Split(',').Any($"{k.Family}({k.Parameters})".Contains))]);
        return 0;
    }

    private void Run((string Family, string Parameters, int Bits, int Block)[] kinds)
    {
        // Gradients cost a backward pass; the product observes without.
        using (new PredictionTrial(model, policy, (calibration, int.MaxValue), (calibration, 1), [NumberFormats.Baseline], Threads, gradients.Observe))
        {
        }

        NumberFormat[] formats = [.. kinds.SelectMany(k => Rows(k.Family, k.Parameters, k.Bits, k.Block)).Select(Timed)];
        using var trial = new PredictionTrial(model, policy, (calibration, int.MaxValue), (evaluation, int.MaxValue), [NumberFormats.Baseline, .. formats], Threads);
        Console.WriteLine(
            $"{gradientsOf(trial)} layers, of which {trial.Sites.Values.Count(s => s.Balance is not null)} can balance channels; observed in {trial.Observing.TotalSeconds:0.0} s; "
            + $"E[g²] {trial.Sensitivities.MeanSquareLoss:0.000} of {trial.Sensitivities.Samples} calibration samples, {trial.MeanSquareLoss:0.000} of the others");
        Console.WriteLine("| format | preparation | predicted | measured | loss MSE over that of rounding | seconds |");
        Console.WriteLine("|---|---|---|---|---|---|");
        Dictionary<string, double[]> reference = Print(trial, formats, []);
        foreach ((string family, string parameters, _, int block) in kinds.Where(k => k.Bits == 4 || k.Block == 0))
        {
            Moved(trial, family, parameters, block == 0 ? null : block, reference);
        }

        static int gradientsOf(PredictionTrial trial) => trial.Sites.Values.Count(s => s.HasWeightMatrix);
    }

    /// <summary>The ways to prepare one format, rounding first.</summary>
    private IEnumerable<NumberFormat> Rows(string family, string parameters, int bits, int block)
    {
        NumberFormat Real(string preparation) => NumberFormats.Get($"{family}({parameters},{preparation})");
        NumberFormat rounded = Real("rounded"), gptq = Real("gptq") with { BalancesChannels = false, InputNoise = rounded.InputNoise };
        string Name(string what) => $"{family}({parameters}) | {what}";
        var own = new LeftOut(bits, block);
        yield return rounded with { Name = Name("rounded") };
        yield return own.Of(rounded, Name("left out: clipped by error weighted with gradients"), (site, weight) => own.Nearest(site, weight, Importance(site)));
        yield return own.Of(rounded, Name("left out: rounded, means corrected"), (site, weight) => own.Nearest(site, weight, null), gradients.Mean);
        yield return gptq with { Name = Name(block == 0 ? "left out: gptq alone" : "gptq") };
        yield return own.Of(gptq, Name("left out: gptq, means corrected"), own.Compensated, gradients.Mean);
        yield return gptq with { Name = Name("left out: gptq weighted with gradients"), Prepare = (site, weight) => gptq.Prepare(site with { Moments = gradients.Of(site) }, weight) };
        if (block == 0)
        {
            NumberFormat balanced = Real("gptq");
            yield return balanced with { Name = Name("rounded, channels balanced"), Prepare = (site, weight) => balanced.Prepare(site with { Moments = null }, weight) };
            yield return balanced with { Name = Name("gptq, channels balanced") };
        }
    }

    /// <summary>The diagonal of XᵀDX.</summary>
    private double[] Importance(LayerSite site) =>
        [.. gradients.Of(site).Read().SelectMany(b => Enumerable.Range(0, b.Size).Select(i => (double)b.Values[(i * b.Size) + i]))];

    /// <summary>The rows of models whose normalizations were divided.</summary>
    private void Moved(PredictionTrial trial, string family, string parameters, int? block, Dictionary<string, double[]> reference)
    {
        string file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
        try
        {
            using OnnxModel moved = OnnxModel.Load(model);
            (int places, int count) = MovedScales.Apply(moved, trial.Sites, block);
            using (FileStream stream = File.Create(file))
            {
                moved.Proto.WriteTo(stream);
            }

            string method = block is null ? "SmoothQuant" : "AWQ";
            NumberFormat[] formats =
            [
                .. new[] { "rounded", "gptq" }.Take(block is null ? 1 : 2).Select(p => Timed(NumberFormats.Get($"{family}({parameters},{p})") with
                {
                    Name = $"{family}({parameters}) | left out: {method} ({count} of {places} move), {p}",
                })),
            ];
            using var other = new PredictionTrial(file, policy, (calibration, int.MaxValue), (evaluation, int.MaxValue), [NumberFormats.Baseline, .. formats], Threads);
            Print(other, formats, reference);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>A row for each format.</summary>
    /// <param name="reference">By format, the changes with rounding, where they are known.</param>
    private Dictionary<string, double[]> Print(PredictionTrial trial, NumberFormat[] formats, Dictionary<string, double[]> reference)
    {
        Func<NumberFormat[], double> predictor = trial.Predictor([NumberFormats.Baseline, .. formats]);
        foreach (NumberFormat format in formats)
        {
            NumberFormat[] plan = trial.Plan(_ => format);
            double[] changes = trial.Measure(plan);
            string kind = format.Name.Split(" | ")[0];
            reference.TryAdd(kind, changes);
            double mean = reference[kind].Average(), ratio = changes.Average() / mean;
            double error = StandardError([.. changes.Zip(reference[kind], (c, r) => (c - (ratio * r)) / mean)]);
            Console.WriteLine(
                $"| {format.Name} | {Math.Sqrt(predictor(plan) / trial.Sensitivities.MeanSquareLoss):0.000 %} | {Math.Sqrt(changes.Average() / trial.MeanSquareLoss):0.000 %} "
                + $"| {(ratio == 1 ? "1" : $"{ratio:0.00} ± {error:0.00}")} | {seconds[format.Name]:0.0} |");
        }

        return reference;
    }

    /// <summary>The format with constants that are prepared once for each layer, and timed.</summary>
    private NumberFormat Timed(NumberFormat format)
    {
        var made = new Dictionary<(string, bool, bool), IReadOnlyList<Tensor>>();
        seconds[format.Name] = 0;
        return format with
        {
            Prepare = (site, weight) =>
            {
                var key = (site.Layer.Name, site.InputScales is null, site.OutputScales is null);
                if (!made.TryGetValue(key, out IReadOnlyList<Tensor>? constants))
                {
                    long start = Stopwatch.GetTimestamp();
                    made.Add(key, constants = format.Prepare(site, weight));
                    seconds[format.Name] += Stopwatch.GetElapsedTime(start).TotalSeconds;
                }

                return constants;
            },
        };
    }

    private static double StandardError(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)) / (values.Length - 1));
    }
}
