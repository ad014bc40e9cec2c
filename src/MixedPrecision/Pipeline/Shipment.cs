using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
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
/// budget and not slower than the original. Otherwise τ, the budget of the program, is tightened or searched and the plan made anew; when nothing is left,
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

    /// <summary>The plan whose emitted file stands the test, and that file; the original when there is none.</summary>
    private (Plan Plan, IReadOnlyList<string> Files, VerificationResult Verified) Settle(string staging, string name, List<string> warnings)
    {
        (Plan Plan, IReadOnlyList<string> Files, VerificationResult Verified)? found = run.Policy.Budget.Kind == BudgetKind.LossError
            ? Tighten(staging, name, out string reason)
            : Search(staging, name, out reason);
        if (found is { } settled)
        {
            if (run.Policy.Objective != Objective.Time || settled.Verified.Scenarios.Sum(s => s.Weight * s.Timing.High) >= 0 || IsBaseline(settled.Plan))
            {
                return settled;
            }

            reason = "the mixed model was measured to be slower than the original";
        }

        Diagnostic warning = Errors.NothingGained(run.Policy.Model, reason);
        run.Options.Warn(warning);
        warnings.Add(warning.Message);
        Plan original = planning.Solve(planning.LeastLoss);
        IReadOnlyList<string> kept = Emit(original, staging, name);
        return (original, kept, Verify(kept));
    }

    /// <summary>A budget on the loss error is the τ that plans are made for; a plan that measures more is made anew with less.</summary>
    private (Plan Plan, IReadOnlyList<string> Files, VerificationResult Verified)? Tighten(string staging, string name, out string reason)
    {
        double lossBudget = planning.LossBudget, budget = run.Policy.Budget.Value;
        reason = "";
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            Plan plan = planning.Solve(lossBudget);
            IReadOnlyList<string> files = Emit(plan, staging, name);
            VerificationResult verified = Verify(files);
            double error = verified.Loss.RelativeLossError;
            if (error <= budget)
            {
                return (plan, files, verified);
            }

            reason = $"no plan stayed within the budget on the evaluation samples; the last had a relative loss error of {error:P3}";
            run.Options.Progress(new ProgressUpdate(Stages.Verify.Name, $"relative loss error {error:P3} is over the budget of {budget:P3}: solving again with less"));
            lossBudget = Math.Min(lossBudget * Math.Pow(budget / error, 2) * Margin, plan.Loss * Margin);
        }

        return null;
    }

    /// <summary>For any other budget the τ that leads to it is searched, by measuring plans on the evaluation samples.</summary>
    private (Plan Plan, IReadOnlyList<string> Files, VerificationResult Verified)? Search(string staging, string name, out string reason)
    {
        BudgetPolicy budget = run.Policy.Budget;
        var plans = new Dictionary<string, (Plan Plan, LossChange? Loss)>();
        double scale = planning.Sensitivities.MeanSquareLoss, last = double.NaN;
        (BudgetTrial Trial, double Tau)? found = BudgetSearch.Find(planning.Tau, budget.Value, Attempts, Propose, Measure);
        reason = $"no plan stayed within the budget ({budget}) on the evaluation samples; the last measured {last:P3}";
        if (found is not { } best)
        {
            return null;
        }

        planning.Tau = best.Tau;
        run.Options.Progress(new ProgressUpdate(Stages.Evaluate.Name, $"{budget} is met with τ = {best.Tau:P3}: {best.Trial.Measured:P3} was measured"));
        (Plan plan, LossChange? loss) = plans[best.Trial.Plan];
        IReadOnlyList<string> files = Emit(plan, staging, name);
        return (plan, files, Verify(files, loss));

        BudgetTrial Propose(double tau)
        {
            Plan plan = planning.Solve(Math.Max(tau * tau * scale, planning.LeastLoss));
            string key = string.Join("; ", plan.Formats.Select(f => string.Join(' ', f)));
            plans.TryAdd(key, (plan, null));
            return new BudgetTrial(key, Math.Sqrt(plan.Loss / scale), plan.Gain, double.NaN);
        }

        BudgetTrial Measure(BudgetTrial proposed)
        {
            Plan plan = plans[proposed.Plan].Plan;
            LossChange loss = run.Runner.Get(Stages.Evaluate, new VerifyInput(run, Emit(plan, staging, name)));
            if (budget.Kind == BudgetKind.AccuracyDrop && loss.Accuracy is null)
            {
                throw Errors.BudgetDoesNotSuit(run.Policy.File, budget.ToString(), "not every sample has a label that counts");
            }

            plans[proposed.Plan] = (plan, loss);
            last = BudgetSearch.Measured(budget, loss);
            run.Options.Progress(new ProgressUpdate(Stages.Evaluate.Name, $"a plan of predicted τ = {proposed.Tau:P3} measures {last:P3} ({budget})"));
            return proposed with { Measured = last };
        }
    }

    /// <summary>Writes the model of a plan, and reads the plan back from it.</summary>
    private IReadOnlyList<string> Emit(Plan plan, string staging, string name)
    {
        IReadOnlyList<string> files = Emission.Write(run, plan, staging, name);
        var reader = new PlanReader(run.Workspace.Model, run.Workspace.Weight);
        reader.Check(files[^1], [.. run.Workspace.Partition.Subgraphs.SelectMany(s => s.Layers.Zip(
            plan.Formats[s.Index], (layer, format) => (run.Workspace.Sites[layer.Name], NumberFormats.Get(format))))]);
        return files;
    }

    private VerificationResult Verify(IReadOnlyList<string> files, LossChange? known = null) => run.Runner.Get(Stages.Verify, new VerifyInput(run, files, known));

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
            planning.Tau,
            new StatedBudget(run.Policy.Budget.ToString(), run.Policy.Budget.Value, BudgetSearch.Measured(run.Policy.Budget, verified.Loss)),
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
