using Google.Protobuf;
using MixedPrecision.Autodiff;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>What the fronts can ask for.</summary>
public static class Verbs
{
    /// <summary>Layers, sub-graphs, and what cannot be quantized or differentiated and why.</summary>
    public static InspectReport Inspect(string modelFile, RunOptions options)
    {
        options.Cancel.ThrowIfCancellationRequested();
        using Workspace workspace = Workspace.Open(Path.GetFullPath(modelFile), modelFile);
        if (workspace.NeedsRun)
        {
            CompleteWithoutData(workspace);
        }

        return Reports.Inspect(workspace);
    }

    /// <summary>Takes from a run on synthetic inputs what a policy's data would show; where the model does not run on such, it stays open.</summary>
    private static void CompleteWithoutData(Workspace workspace)
    {
        try
        {
            workspace.Complete(SyntheticInputs.Make(workspace.Model, workspace.Path, new Dictionary<string, long>(), 1).Samples[0].Inputs);
        }
        catch (MixedPrecisionException e) when (e.Diagnostic.Code == Codes.SyntheticInputsFail || e.Diagnostic.Code == Codes.DataInputUnsupported)
        {
        }
    }

    /// <summary>The sensitivity of every layer in every format, over all calibration samples: nothing is verified here.</summary>
    public static CalibrateReport Calibrate(string policyFile, RunOptions options)
    {
        (Materials materials, StageRunner runner) = Open(policyFile, options, verifies: false);
        using (materials)
        {
            return Reports.Calibrate(materials, Steps.Calibrate(materials, runner));
        }
    }

    /// <summary>The time of every sub-graph with each layer in each format.</summary>
    public static BenchmarkReport Benchmark(string policyFile, RunOptions options)
    {
        (Materials materials, StageRunner runner) = Open(policyFile, options);
        using (materials)
        {
            var measuring = new Measuring(materials, runner);
            Gains gains = measuring.Add(Gains.Empty, Measuring.First(
                materials.Workspace.Partition, materials.Allowed, s => Choices.Structures(materials.Policy, materials.Workspace, materials.Allowed, s)));
            return Reports.Benchmark(materials, runner, gains, measuring.Counts);
        }
    }

    /// <summary>The plan, before a model is written.</summary>
    public static SolveReport Solve(string policyFile, RunOptions options)
    {
        (Materials materials, StageRunner runner) = Open(policyFile, options);
        using (materials)
        {
            double tau = BudgetMeeting.FirstTau(materials.Policy.Budget);
            if (!Choices.Any(materials, materials.Allowed))
            {
                var nothing = new Findings(materials.Allowed, null, Gains.Empty, null, []);
                Steps.WarnOfNothingGained(materials, runner, nothing, "no layer has a format to choose");
                return Reports.Solve(materials, runner, null, nothing, null, tau);
            }

            Steps.CheckBudget(materials);
            Steps.CheckData(materials, runner);
            Steps.CheckRepeatable(materials, runner);
            Sensitivities sensitivities = Steps.Calibrate(materials, runner);
            var measuring = new Measuring(materials, runner);
            PlanningInput input = Steps.Input(materials, Choices.Judged(materials.Policy, materials.Allowed, sensitivities), sensitivities);
            Gains gains = measuring.Add(Gains.Empty, Measuring.First(input.Partition, input.Allowed, input.Structures));
            input = input with { Floor = new GainFloor(materials.Policy.MinimumGain, measuring.Total(gains), input.Choosing) };
            (Plan plan, gains) = Planner.Plan(input, gains, input.LossBudget(tau), Steps.Planning(runner, measuring, _ => throw new InvalidOperationException("nothing is emitted here")));
            BudgetMeeting.RequireFeasible(plan, input, materials.Policy);
            IReadOnlyList<NamedPlan> strategies = Steps.Strategies(runner, input.Problem(gains, input.LossBudget(tau)));
            return Reports.Solve(materials, runner, input, new Findings(input.Allowed, sensitivities, gains, null, strategies), plan, tau);
        }
    }

    /// <summary>The whole path: a verified model and its manifest in a folder.</summary>
    public static QuantizeResult Quantize(string policyFile, string outputFolder, RunOptions options)
    {
        (Materials materials, StageRunner runner) = Open(policyFile, options);
        using (materials)
        {
            Delivery.Guard(materials, outputFolder);
            Steps.CheckBudget(materials);
            return Delivery.Deliver(materials, runner, outputFolder);
        }
    }

    /// <summary>Whether the predictions of loss and time hold on the policy's model, and what choosing by them gains: tables, pictures and a summary in a folder. Time is the objective, whatever the policy says.</summary>
    /// <param name="samples">Samples at most to measure the loss on that calibration has not seen; null: 512.</param>
    public static ValidateResult Validate(string policyFile, string outputFolder, RunOptions options, int? samples = null) =>
        Validate(policyFile, outputFolder, options, ExperimentSizes.Default with { Samples = samples ?? ExperimentSizes.Default.Samples });

    internal static ValidateResult Validate(string policyFile, string outputFolder, RunOptions options, ExperimentSizes sizes)
    {
        (Materials materials, StageRunner runner) = Open(policyFile, options, objective: Objective.Time);
        using (materials)
        {
            return ValidationFiles.Write(materials, Path.GetFullPath(outputFolder), folder => new Validating(materials, runner, options, sizes, folder).Run());
        }
    }

    /// <summary>Writes the gradient graph of a whole model as a model of its own: see <see cref="GradientModel"/>.</summary>
    /// <returns>What was written, for people.</returns>
    public static IReadOnlyList<string> Gradient(
        string modelFile, string outputFile, string? loss, IReadOnlyList<string>? withRespectTo, RunOptions options)
    {
        using OnnxModel model = OnnxModel.Load(modelFile);
        OutputGuard.Check([Path.GetFullPath(outputFile)], [Path.GetFullPath(modelFile)]);
        ModelProto gradient = GradientModel.Build(model, loss, withRespectTo);
        options.Cancel.ThrowIfCancellationRequested();
        try
        {
            Quantizer.Aside(Path.GetFullPath(outputFile), gradient.WriteTo);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.OutputNotWritable(outputFile, e.Message);
        }

        return [$"{outputFile}: {gradient.Graph.Node.Count} nodes; outputs: {string.Join(", ", gradient.Graph.Output.Select(o => o.Name))}"];
    }

    private static (Materials Materials, StageRunner Runner) Open(string policyFile, RunOptions options, bool verifies = true, Objective? objective = null)
    {
        var log = new RunLog(options);
        var runner = new StageRunner(new ContentStore(options.CacheFolder ?? ContentStore.DefaultFolder()), log);
        return (Materials.Open(policyFile, options, runner, verifies, objective), runner);
    }
}
