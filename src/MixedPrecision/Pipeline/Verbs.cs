using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
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

    /// <summary>The sensitivity of every layer in every format.</summary>
    public static CalibrateReport Calibrate(string policyFile, RunOptions options)
    {
        using PolicyRun run = PolicyRun.Open(policyFile, options);
        return Reports.Calibrate(run, run.Runner.Get(Stages.Calibrate, run));
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

    private static Planning Plan(PolicyRun run)
    {
        Sensitivities sensitivities = run.Runner.Get(Stages.Calibrate, run);
        string[] unreached = [.. sensitivities.Layers.Where(l => !l.Reachable).Select(l => l.Name)];
        if (unreached.Length > 0)
        {
            run.Options.Warn(Errors.LayersNotReached(run.Policy.Model, unreached));
        }

        var planning = new Planning(run, sensitivities);
        planning.MeasureLayers();
        return planning;
    }
}
