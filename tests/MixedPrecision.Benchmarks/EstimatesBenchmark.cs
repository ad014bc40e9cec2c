using System.Globalization;
using System.Text.Json.Nodes;
using MixedPrecision.Calibration;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Solving;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// How near ways to predict the loss MSE come from few samples. Many times some samples are drawn from the data to predict from, and the loss MSE of 30 random mixtures is measured on all others. Besides P: with the product of mean change and rise added;
/// from labels drawn from the model instead of the given ones, or from both; and the loss MSE measured on the samples themselves, what no estimate from them can be expected to beat by much.
/// </summary>
internal static class EstimatesBenchmark
{
    private const int Draws = 100;
    private const string DrawnKey = "drawn";

    public static int Run(int count, string file, string data, string loss, string? labels)
    {
        NumberFormat[] formats = [NumberFormats.Baseline, .. new[] { 8, 4, 3 }.Select(SimulatedWeights.Format)];
        CalibrationPolicy policy = PredictionBenchmark.Policy(loss, labels);
        using var given = new PredictionTrial(file, policy, (data, int.MaxValue), (data, int.MaxValue), formats, PredictionBenchmark.Threads);
        (string copy, int terms) = WithDrawnLabels(given, data);
        using var drawn = new PredictionTrial(file, policy with { Labels = DrawnKey }, (copy, int.MaxValue), (copy, 1), formats, PredictionBenchmark.Threads);
        File.Delete(copy);

        double[] squares = [.. given.Sensitivities.SquareLosses];
        NumberFormat[][] plans = [.. Enumerable.Range(1, PredictionBenchmark.Mixtures).Select(seed =>
        {
            var random = new Random(seed);
            return given.Plan(_ => formats[random.Next(formats.Length)]);
        })];
        double[][] changes = [.. plans.Select(given.Measure)];
        (double[][] Deltas, double[][] Drawn, int[][] Taken) rows = Rows(given, drawn, formats, plans);

        var ratios = new Dictionary<string, List<(double Absolute, double Relative)>>();
        for (int draw = 0; draw < Draws; draw++)
        {
            int[] order = [.. Enumerable.Range(0, squares.Length)];
            new Random(draw).Shuffle(order);
            int[] seen = order[..count], others = order[count..];
            double scale = Mean(squares, others) / Mean(squares, seen);
            foreach ((string name, Func<int, double> predict) in Estimates(rows.Deltas, rows.Drawn, rows.Taken, seen, terms).Append(("measured on the samples themselves", plan => Mean(changes[plan], seen))))
            {
                List<(double, double)> list = ratios.TryGetValue(name, out var known) ? known : ratios[name] = [];
                for (int plan = 0; plan < plans.Length; plan++)
                {
                    double ratio = predict(plan) / Mean(changes[plan], others);
                    list.Add((ratio, ratio * scale));
                }
            }
        }

        Console.WriteLine($"{count} of {squares.Length} samples, {Draws} times; {PredictionBenchmark.Mixtures} mixtures");
        Console.WriteLine("| estimate | over the loss MSE of the others | within 0.8 to 1.25 | root mean square of its logarithm | the same, each over its own E[g²] | within 0.8 to 1.25 | root mean square of its logarithm |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach ((string name, List<(double Absolute, double Relative)> list) in ratios)
        {
            Console.WriteLine($"| {name} | {Text(list.Select(r => r.Absolute))} | {Text(list.Select(r => r.Relative))} |");
        }

        return 0;
    }

    private static IEnumerable<(string Name, Func<int, double> Predict)> Estimates(double[][] deltas, double[][] drawn, int[][] taken, int[] seen, int terms)
    {
        double[][] own = [.. deltas.Select(row => Some(row, seen))], other = [.. drawn.Select(row => Some(row, seen))], both = [.. own.Zip(other, (a, b) => (double[])[.. a, .. b])];

        // Drawn labels give the rise: ½ of the mean square of the change of the summed log-likelihood over its number of terms.
        double[] rises = [.. other.Select(row => row.Length == 0 ? 0 : 0.5 * terms * row.Average(d => d * d))];
        Func<int, double> P(double[][] rows)
        {
            var loss = new QuadraticLoss(new LossModel.Quadratic(rows, rises, Shrinkage.Estimate([.. rows.Where(r => r.Length > 0)])), rows.Length, budget: 0);
            return plan => loss.Evaluate(taken[plan]);
        }

        Func<int, double> now = P(own);
        yield return ("P, as it is", now);
        yield return ("P and the product of mean change and rise", plan => now(plan) + (2 * taken[plan].Sum(c => own[c].Length == 0 ? 0 : own[c].Average()) * taken[plan].Sum(c => rises[c])));
        yield return ("P from drawn labels in place of given ones", P(other));
        yield return ("P from given and drawn labels", P(both));
    }

    /// <summary>δ of every layer in every format for both kinds of labels, and what each plan takes of them.</summary>
    private static (double[][] Deltas, double[][] Drawn, int[][] Taken) Rows(PredictionTrial given, PredictionTrial drawn, NumberFormat[] formats, NumberFormat[][] plans)
    {
        double[][] Of(Sensitivities found) => [.. found.Layers.SelectMany(l => formats.Select(f => l.Formats.GetValueOrDefault(f.Name)?.Deltas ?? []))];
        return (Of(given.Sensitivities), Of(drawn.Sensitivities), [.. plans.Select(plan => plan.Select((format, layer) => (layer * formats.Length) + Array.IndexOf(formats, format)).ToArray())]);
    }

    /// <summary>A copy of the data with labels drawn from the model, one a row of scores; of a next-token loss behind the position whose label they are.</summary>
    /// <returns>The file, and how many labels a sample has.</returns>
    private static (string File, int Terms) WithDrawnLabels(PredictionTrial trial, string data)
    {
        string copy = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.jsonl");
        int terms = 0;
        using Session session = Session.Create(trial.Model.Proto, SessionSettings.Default, trial.Model.Folder);
        string output = trial.Model.Graph.Output[0].Name;
        var random = new Random(1);
        File.WriteAllLines(copy, File.ReadLines(data).Zip(trial.Samples, (line, sample) =>
        {
            Tensor scores = session.Run(sample.Inputs, [output])[output];
            var rows = new ScoreRows(scores, scores.Rank - 1);
            long[] labels = Categorical.Draw(rows, ScoreKind.Logits, new long[rows.Count], random);
            terms = scores.Rank == 2 ? labels.Length : labels.Length - 1;
            JsonNode node = JsonNode.Parse(line)!;
            node[DrawnKey] = scores.Rank == 2 ? Row(labels) : new JsonArray(Row([0, .. labels[..^1]]));
            return node.ToJsonString();
        }));
        return (copy, terms);
    }

    private static JsonArray Row(IEnumerable<long> values) => [.. values.Select(v => (JsonNode)v)];

    private static string Text(IEnumerable<double> ratios)
    {
        double[] sorted = [.. ratios.Order()];
        double spread = Math.Sqrt(sorted.Average(r => Math.Log(r) * Math.Log(r)));
        return string.Create(CultureInfo.InvariantCulture, $"{sorted[sorted.Length / 2]:0.00} [{sorted[sorted.Length / 10]:0.00}, {sorted[sorted.Length * 9 / 10]:0.00}] | {sorted.Count(r => r is >= 0.8 and <= 1.25) / (double)sorted.Length:0 %} | {spread:0.000}");
    }

    private static double[] Some(double[] row, int[] samples) => row.Length == 0 ? row : [.. samples.Select(s => row[s])];

    private static double Mean(double[] values, int[] samples) => samples.Average(s => values[s]);
}
