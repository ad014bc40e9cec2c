using Google.Protobuf;
using MixedPrecision.Autodiff;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>What the fronts can ask for.</summary>
public static class Verbs
{
    /// <summary>Layers, sub-graphs, and what cannot be quantized or differentiated and why.</summary>
    public static InspectReport Inspect(string modelFile, RunOptions options)
    {
        options.Cancel.ThrowIfCancellationRequested();
        using Workspace workspace = Workspace.Open(Path.GetFullPath(modelFile), modelFile);
        return Reports.Inspect(workspace);
    }

    /// <summary>The sensitivity of every layer in every format, over all calibration samples: nothing is verified here.</summary>
    public static CalibrateReport Calibrate(string policyFile, RunOptions options)
    {
        using PolicyRun run = PolicyRun.Open(policyFile, options, verifies: false);
        return Reports.Calibrate(run, Sensitivities(run));
    }

    /// <summary>The time of every sub-graph with each layer in each format.</summary>
    public static BenchmarkReport Benchmark(string policyFile, RunOptions options)
    {
        using PolicyRun run = PolicyRun.Open(policyFile, options);
        var planning = new Planning(run, null);
        planning.MeasureLayers();
        return Reports.Benchmark(run, planning);
    }

    /// <summary>The plan, before a model is written.</summary>
    public static SolveReport Solve(string policyFile, RunOptions options)
    {
        using PolicyRun run = PolicyRun.Open(policyFile, options);
        Planning planning = Plan(run);
        return Reports.Solve(run, planning, planning.Solve(planning.LossBudget));
    }

    /// <summary>The whole path: a verified model and its manifest in a folder.</summary>
    public static QuantizeResult Quantize(string policyFile, string outputFolder, RunOptions options)
    {
        using PolicyRun run = PolicyRun.Open(policyFile, options);
        return new Shipment(run, Plan(run)).Run(outputFolder);
    }

    /// <summary>Writes the gradient graph of a whole model as a model of its own: see <see cref="GradientModel"/>.</summary>
    /// <returns>What was written, for people.</returns>
    public static IReadOnlyList<string> Gradient(
        string modelFile, string outputFile, string? loss, IReadOnlyList<string>? withRespectTo, RunOptions options)
    {
        using OnnxModel model = OnnxModel.Load(modelFile);
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

    private static Planning Plan(PolicyRun run)
    {
        if (run.Policy.Budget.Kind == BudgetKind.AccuracyDrop && !run.Loss.HasLabels)
        {
            throw Errors.BudgetDoesNotSuit(run.Policy.File, run.Policy.Budget.ToString(), "accuracy needs labels, and the loss reads none");
        }

        if (run.Policy.Budget.Kind == BudgetKind.LossIncrease && !run.Loss.HasMean)
        {
            throw Errors.BudgetDoesNotSuit(run.Policy.File, run.Policy.Budget.ToString(), "output-mse compares outputs, and has no mean that could increase");
        }

        Sensitivities sensitivities = Sensitivities(run);
        string[] unreached = [.. sensitivities.Layers.Where(l => !l.Reachable).Select(l => l.Name)];
        if (unreached.Length > 0)
        {
            string[] gaps = [.. Reports.Gaps(run.Workspace).Select(g => $"{g.Operator} ('{g.Nodes[0]}'): {g.Reason}")];
            run.Options.Warn(Errors.LayersNotReached(run.Policy.Model, unreached, gaps));
        }

        var planning = new Planning(run, sensitivities);
        planning.MeasureLayers();
        return planning;
    }

    /// <summary>The sensitivities, and what there is to say of the loss they were taken by.</summary>
    private static Sensitivities Sensitivities(PolicyRun run)
    {
        foreach (string note in run.Loss.Notes)
        {
            run.Options.Progress(new ProgressUpdate(Stages.Calibrate.Name, note));
        }

        if (run.Policy.Calibration.Data is null)
        {
            // They are made even when all stages are reused, since making them warns of them.
            _ = run.CalibrationSamples;
        }

        return run.Runner.Get(Stages.Calibrate, run);
    }
}
