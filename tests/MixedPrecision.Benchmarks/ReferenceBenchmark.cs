using System.Globalization;
using System.Text.Json;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Benchmarks;

/// <summary>What <c>calibrate</c> says of models, against PyTorch's own differentiation of them: see references.py.</summary>
internal static class ReferenceBenchmark
{
    /// <summary>How far sensitivities may deviate; terms below a millionth of the model's largest are compared with that.</summary>
    private const double Tolerance = 1e-3;
    private const double LossTolerance = 1e-4;
    private const double Floor = 1e-6;
    private const int Shown = 8;

    /// <summary>Compares every folder that holds a reference.json; the exit status is that all agree.</summary>
    public static int Compare(string folder)
    {
        string[] files = [.. Directory.EnumerateFiles(folder, "reference.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        int failed = files.Count(f => !Agrees(Path.GetDirectoryName(f)!));
        Console.WriteLine($"{files.Length - failed} of {files.Length} models agree");
        return failed == 0 ? 0 : 1;
    }

    private static bool Agrees(string folder)
    {
        string name = Path.GetFileName(folder);
        string cache = Directory.CreateTempSubdirectory("mixed-precision-").FullName;
        try
        {
            var warnings = new List<string>();
            var options = new RunOptions(cache, null, _ => { }, w => warnings.Add(w.ToString()), CancellationToken.None);
            CalibrateReport report = Verbs.Calibrate(Policy(folder, cache), options);
            using JsonDocument reference = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "reference.json")));
            string[] wrong = [.. Differences(reference.RootElement, report, out string summary), .. warnings];
            Console.WriteLine($"{name}: {summary}{(wrong.Length == 0 ? "" : "  WRONG")}");
            Array.ForEach([.. wrong.Take(Shown)], w => Console.WriteLine($"    {w}"));
            return wrong.Length == 0;
        }
        catch (MixedPrecisionException error)
        {
            Console.WriteLine($"{name}: {error.Message}");
            return false;
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    /// <summary>The folder's policy; one is made elsewhere for folders that have none.</summary>
    private static string Policy(string folder, string other)
    {
        string own = Path.Combine(folder, "policy.yaml");
        if (File.Exists(own))
        {
            return own;
        }

        string made = Path.Combine(other, "policy.yaml");
        string Quoted(string file) => JsonSerializer.Serialize(Path.GetFullPath(Path.Combine(folder, file)));
        File.WriteAllText(made, $"model: {Quoted("model.onnx")}\ncalibration: {{ data: {Quoted("data.npz")}, loss: cross-entropy, labels: label }}\nformats: [fp32]\n");
        return made;
    }

    private static List<string> Differences(JsonElement reference, CalibrateReport report, out string summary)
    {
        var wrong = new List<string>();
        if (report.Samples != reference.GetProperty("samples").GetInt32())
        {
            wrong.Add($"{report.Samples} samples instead of {reference.GetProperty("samples")}");
        }

        double loss = Math.Abs((report.MeanSquareLoss / reference.GetProperty("mean_square_loss").GetDouble()) - 1);
        if (!(loss <= LossTolerance))
        {
            wrong.Add($"E[g²] deviates by {Text(loss)}");
        }

        JsonElement[] layers = [.. reference.GetProperty("layers").EnumerateObject().Select(p => p.Value)];
        var found = report.Layers.ToDictionary(l => l.Name);
        HashSet<string> named = [.. layers.Select(l => l.GetProperty("node").GetString()!)];
        wrong.AddRange(named.Where(n => !found.ContainsKey(n)).Select(n => $"'{n}' is no layer"));
        double largest = 0;
        foreach ((string term, Func<TaylorTerms, double> value) in new (string, Func<TaylorTerms, double>)[] { ("activation", t => t.Activation), ("weight", t => t.Weight) })
        {
            double floor = Floor * layers.Select(l => l.GetProperty(term).GetDouble()).DefaultIfEmpty().Max();
            foreach (JsonElement layer in layers)
            {
                string node = layer.GetProperty("node").GetString()!;
                if (found.TryGetValue(node, out CalibratedLayer? calibrated))
                {
                    double expected = layer.GetProperty(term).GetDouble();
                    double deviation = Math.Abs(value(calibrated.Taylor) - expected) / Math.Max(Math.Abs(expected), floor / Tolerance);
                    largest = Math.Max(largest, double.IsNaN(deviation) ? double.PositiveInfinity : deviation);
                    if (!(deviation <= Tolerance))
                    {
                        wrong.Add($"{term} of {node}: {Text(value(calibrated.Taylor))} instead of {Text(expected)}, off by {Text(deviation)}");
                    }
                }
            }
        }

        summary = $"{layers.Length} layers, deviation {Text(largest)}, of E[g²] {Text(loss)}; {found.Keys.Except(named).Count()} more without a reference";
        return wrong;
    }

    private static string Text(double number) => number.ToString("0.0e+00", CultureInfo.InvariantCulture);
}
