using MixedPrecision.Calibration.Formats;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>What <see cref="Verbs.Quantize"/> made.</summary>
/// <param name="Manifest">The manifest, which stands beside the model.</param>
/// <param name="Files">Full paths of the files written: the model, its external data if any, the manifest.</param>
/// <param name="InputFiles">Full paths of the files read.</param>
public sealed record QuantizeResult(Manifest Manifest, IReadOnlyList<string> Files, IReadOnlyList<string> InputFiles)
{
    public string ToJson() => Manifest.ToJson();

    public IEnumerable<string> ToLines() => Manifest.ToLines();
}

/// <summary>
/// From plan to shipped model. A plan counts when the file emitted from it, measured on samples that calibration did not see, is within the
/// budget and not slower than the original. Otherwise the budget of the program is tightened and the plan made anew; when nothing is left,
/// the original is shipped with a warning.
/// </summary>
internal sealed class Shipment(PolicyRun run, Planning planning)
{
    private const int Attempts = 8;

    /// <summary>How much below the budget a tightened program aims, as a factor of the loss MSE.</summary>
    private const double Margin = 0.85;

    public QuantizeResult Run(string outputFolder)
    {
        string name = run.Policy.Output ?? Path.GetFileNameWithoutExtension(run.Policy.Model) + ".mixed.onnx";
        string manifestName = Path.GetFileNameWithoutExtension(name) + ".precision.json";
        string folder = Path.GetFullPath(outputFolder);
        bool isNew = !Directory.Exists(folder);
        string staging = Path.Combine(folder, $".mixed-precision-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(staging);
            var warnings = new List<string>(planning.Warnings);
            (Plan plan, IReadOnlyList<string> files, VerificationResult verified) = Settle(staging, name, warnings);
            Manifest manifest = Describe(plan, files, verified, warnings);
            string manifestPath = Path.Combine(staging, manifestName);
            File.WriteAllText(manifestPath, manifest.ToJson());
            string[] shipped = [.. files.Append(manifestPath).Select(file =>
            {
                string target = Path.Combine(folder, Path.GetFileName(file));
                File.Move(file, target, overwrite: true);
                return target;
            })];
            return new QuantizeResult(manifest, shipped, run.InputFiles);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.OutputNotWritable(outputFolder, e.Message);
        }
        finally
        {
            if (Directory.Exists(staging))
            {
                Directory.Delete(staging, recursive: true);
            }

            if (isNew && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any())
            {
                Directory.Delete(folder);
            }
        }
    }

    /// <summary>The first plan whose emitted file stands the test, and that file.</summary>
    private (Plan Plan, IReadOnlyList<string> Files, VerificationResult Verified) Settle(string staging, string name, List<string> warnings)
    {
        double lossBudget = planning.LossBudget;
        string reason = "";
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            Plan plan = planning.Solve(lossBudget);
            (IReadOnlyList<string> files, VerificationResult verified) = Emit(plan, staging, name);
            double error = verified.Loss.RelativeLossError;
            if (error <= run.Policy.Budget)
            {
                if (run.Policy.Objective != Objective.Time || verified.Scenarios.Sum(s => s.Weight * s.Timing.High) >= 0 || IsBaseline(plan))
                {
                    return (plan, files, verified);
                }

                reason = "the mixed model was measured to be slower than the original";
                break;
            }

            reason = $"no plan stayed within the budget on the evaluation samples; the last had a relative loss error of {error:P3}";
            double tightened = lossBudget * Math.Pow(run.Policy.Budget / error, 2) * Margin;
            run.Options.Progress(new ProgressUpdate("verify", $"relative loss error {error:P3} is over the budget of {run.Policy.Budget:P3}: solving again with less"));
            lossBudget = Math.Min(tightened, plan.Loss * Margin);
        }

        Diagnostic warning = Errors.NothingGained(run.Policy.Model, reason);
        run.Options.Warn(warning);
        warnings.Add(warning.Message);
        Plan original = planning.Solve(planning.LeastLoss);
        (IReadOnlyList<string> kept, VerificationResult unchanged) = Emit(original, staging, name);
        return (original, kept, unchanged);
    }

    private (IReadOnlyList<string> Files, VerificationResult Verified) Emit(Plan plan, string staging, string name)
    {
        IReadOnlyList<string> files = Emission.Write(run, plan, staging, name);
        var reader = new PlanReader(run.Workspace.Model, run.Workspace.Weight);
        reader.Check(files[^1], [.. run.Workspace.Partition.Subgraphs.SelectMany(s => s.Layers.Zip(
            plan.Formats[s.Index], (layer, format) => (run.Workspace.Sites[layer.Name], NumberFormats.Get(format))))]);
        return (files, run.Runner.Get(Stages.Verify, new VerifyInput(run, files)));
    }

    private static bool IsBaseline(Plan plan) => plan.Formats.All(s => s.All(f => f == Problems.Baseline));

    private Manifest Describe(Plan plan, IReadOnlyList<string> files, VerificationResult verified, List<string> warnings)
    {
        using OnnxModel emitted = OnnxModel.Load(files[^1], Path.GetFileName(files[^1]));
        var output = new ModelSummary(
            emitted.DisplayName, Workspace.HashOf(files), files.Sum(f => new FileInfo(f).Length), emitted.Opset, emitted.Graph.Node.Count);
        return new Manifest(
            Manifest.CurrentSchema,
            typeof(Shipment).Assembly.GetName().Version!.ToString(3),
            Reports.Model(run.Workspace),
            output,
            run.Policy.Budget,
            planning.Sensitivities.Loss,
            Reports.ObjectiveName(run),
            new SampleCounts(planning.Sensitivities.Samples, verified.Loss.Samples),
            run.Machine,
            Reports.Planned(run, planning, plan),
            Reports.Excluded(run.Workspace),
            Reports.Predicted(planning, plan),
            Measurement.Of(verified),
            new FileSizes(run.Workspace.Bytes, output.Bytes),
            Reports.Solver(plan),
            Reports.Baselines(run, planning),
            warnings);
    }
}
