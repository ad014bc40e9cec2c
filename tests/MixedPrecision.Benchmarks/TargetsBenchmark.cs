using MixedPrecision.Benchmarking;
using MixedPrecision.Benchmarks.Targets;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// How much faster the product makes models whose fastest configuration is known. Each goes the whole path; then the original and what shipped are timed in a run of their own, so
/// that the file was not chosen by the numbers that are printed here.
/// </summary>
internal static class TargetsBenchmark
{
    /// <summary>Part of a target that counts as reached: openings of one file differ by as much.</summary>
    private const double Enough = 0.97;

    /// <summary>Of a file's rounds, the share that was not slower than the time that counts.</summary>
    private const double Percentile = 0.1;

    private static readonly TimingSettings Settings = new(TimeSpan.FromSeconds(10), Precision: 0.005);

    /// <param name="folder">Takes models and data, which are used again when they are there, policies, emitted files and the cache.</param>
    /// <param name="names">Names of cases; none: all.</param>
    /// <returns>1 when a target was not reached.</returns>
    public static int Run(string folder, string[] names)
    {
        bool areReached = true;
        Console.WriteLine("| model | target | measured | reached | loss error | what shipped |\n|---|---|---|---|---|---|");
        foreach (TargetCase target in TargetCase.All.Where(t => names.Length == 0 || names.Contains(t.Name)))
        {
            string model = ModelOf(target, folder), output = Path.Combine(folder, "output", target.Name), policy = Path.Combine(output, "policy.yaml");
            Directory.CreateDirectory(output);
            File.WriteAllText(policy, target.Policy(Path.GetRelativePath(output, model).Replace('\\', '/')));
            var options = new RunOptions(
                Path.Combine(folder, "cache"),
                null,
                update => Tell(update.Fraction is null, $"{update.Stage}: {update.Text}"),
                warning => Tell(true, $"{warning.Code.Id}: {warning.Message}"),
                CancellationToken.None);
            QuantizeResult result = Verbs.Quantize(policy, output, options);
            Comparison comparison = Compare(policy, Path.Combine(output, Path.GetFileName(result.Manifest.Output.File)));
            double ratio = At(comparison, 0) / At(comparison, 1);
            bool isReached = ratio >= Enough * target.Target;
            areReached &= isReached;
            Timing timing = comparison.Of(1);
            string interval = $"[{ReportText.Factor(timing.SpeedupLow)}, {ReportText.Factor(timing.SpeedupHigh)}]";
            string error = $"{ReportText.Percent(result.Manifest.Measured.RelativeLossError)} of {target.Budget}";
            Console.WriteLine(
                $"| {target.Name} | {target.Target:0.00} | {ratio:0.00} {interval} | {(isReached ? "yes" : $"no: {ratio / target.Target:0 %}")} | {error} | "
                + $"{result.Manifest.Shipped.What}: {string.Join("; ", Structures(result.Manifest).Append(PlanText.Formats(result.Manifest.Subgraphs)))} |");
            Console.Out.Flush();
        }

        return areReached ? 0 : 1;

        void Tell(bool isWorth, string text)
        {
            if (isWorth)
            {
                Console.Error.WriteLine(text);
            }
        }
    }

    /// <summary>"6 group-query-attention": sub-graphs by their structures, those as exported left out.</summary>
    private static IEnumerable<string> Structures(Manifest manifest) => manifest.Subgraphs
        .Where(s => s.Structure != Structure.Exported).CountBy(s => s.Structure).OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Value} {c.Key}");

    /// <summary>The folder of a model: a sample's, or one that is made, whole or not at all.</summary>
    public static string ModelOf(TargetCase target, string folder)
    {
        if (target.Make is null)
        {
            return Path.Combine(CheckoutFolder(), target.Model);
        }

        string model = Path.Combine(folder, target.Model), part = model + ".part";
        if (!Directory.Exists(model))
        {
            if (Directory.Exists(part))
            {
                Directory.Delete(part, recursive: true);
            }

            Directory.CreateDirectory(part);
            target.Make(part);
            Directory.Move(part, model);
        }

        return model;
    }

    public static string CheckoutFolder()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "MixedPrecision.Build.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("the benchmarks do not run from a checkout of the repository");
    }

    /// <summary>Times the original and an emitted file in the policy's scenario.</summary>
    private static Comparison Compare(string policyFile, string emitted)
    {
        Policy policy = Policy.Load(policyFile);
        string original = policy.Resolve(policy.Model), data = policy.Calibration.Data!;
        using OnnxModel model = OnnxModel.Load(original);
        IReadOnlyList<Sample> samples = SampleReader.Read(policy.Resolve(data), data, [.. model.Inputs.Select(InputDeclaration.Of)], null, policy.Calibration.Samples);
        return EndToEnd.Measure(
            original,
            [emitted],
            SessionSettings.Timing(policy.Runtime.Threads),
            Scenarios.Make(model, policy.Scenarios, [.. samples.Select(s => s.Inputs)]),
            Settings,
            _ => { },
            null,
            CancellationToken.None)[0].Comparison;
    }

    /// <summary>The percentile over the rounds of a contender's times, interpolated between neighbours.</summary>
    private static double At(Comparison comparison, int contender)
    {
        double[] sorted = [.. comparison.Milliseconds.Select(round => round[contender]).Order()];
        double place = (sorted.Length - 1) * Percentile;
        int below = (int)place;
        return sorted[below] + ((place - below) * (sorted[Math.Min(below + 1, sorted.Length - 1)] - sorted[below]));
    }
}
