using System.Text;
using Google.Protobuf;
using MixedPrecision.Autodiff;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Reporting.Page;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>What the fronts can ask for.</summary>
public static partial class Verbs
{
    /// <summary>τ at which <see cref="Frontier"/> has timed what plans use; between them little is new.</summary>
    private static readonly double[] Budgets = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3];

    /// <summary>A τ that no plan reaches.</summary>
    private const double Limitless = 1e3;

    /// <summary>The scenarios of a policy that have plans of their own; empty where one plan is for all of them.</summary>
    public static IReadOnlyList<ScenarioPlan> PlansOf(string policyFile) => [.. ScenarioFiles.Of(Policy.Load(policyFile)).Select(f => new ScenarioPlan(f.Key, f.Label))];

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

    /// <summary>The time of every sub-graph with each layer in each format, on this machine, whatever profile the policy names.</summary>
    /// <param name="exportFile">Where a profile goes, with what a search for plans times besides; null: none is written.</param>
    /// <param name="emittedFile">An emitted model, to be timed end to end in place of sub-graphs; null: none is.</param>
    public static BenchmarkReport Benchmark(string policyFile, RunOptions options, string? exportFile = null, string? emittedFile = null)
    {
        (Materials materials, StageRunner runner) = Open(policyFile, options, objective: exportFile is null ? null : Objective.Time, isProfiled: false);
        using (materials)
        {
            if (emittedFile is not null)
            {
                return Reports.Benchmark(materials, runner, Gains.Empty, (0, 0)) with { Scenarios = [], Emitted = Profiles.Verify(emittedFile, materials, runner) };
            }

            if (exportFile is not null)
            {
                return Export(materials, runner, exportFile);
            }

            // Of some formats no layer can be written before its values are known.
            Steps.Observe(materials, runner);
            var measuring = new Measuring(materials, runner);
            Gains gains = measuring.Add(Gains.Empty, Measuring.First(
                materials.Workspace.Partition, materials.Allowed, s => Choices.Structures(materials.Policy, materials.Workspace, materials.Allowed, s)));
            return Reports.Benchmark(materials, runner, gains, measuring.Counts);
        }
    }

    private static BenchmarkReport Export(Materials materials, StageRunner runner, string file)
    {
        Profiles.Guard(file, materials);
        if (!Choices.Any(materials, materials.Allowed))
        {
            return Reports.Benchmark(materials, runner, Gains.Empty, (0, 0)) with { Exported = Profiles.Write(file, materials, []) };
        }

        Sensitivities sensitivities = Calibrated(materials, runner);
        IReadOnlyList<ScenarioFile> files = ScenarioFiles.Of(materials.Policy);
        var reports = new List<BenchmarkReport>();
        var timed = new List<Measuring>();
        foreach (Materials own in files.Count == 0 ? [materials] : files.Select(materials.For))
        {
            if (own.Scenario is { } scenario)
            {
                runner.Log.Say("scenario", $"{Wording.Quote(scenario.Label)}, {timed.Count + 1} of {files.Count}");
            }

            (PlanningInput input, Gains gains, Measuring measuring) = Begin(own, runner, sensitivities);
            gains = runner.Log.AsOne(Stages.Search.Name, () => Profiles.Search(input, gains, own.Policy.Budget, Budgets, Steps.Planning(runner, measuring)));
            timed.Add(measuring);
            reports.Add(Reports.Benchmark(own, runner, gains, measuring.Counts));
        }

        return Reports.Together(materials, reports) with { Exported = Profiles.Write(file, materials, timed) };
    }

    /// <summary>Begins, on another processor while policy and model are read, to load and compile what every run with a policy needs; what fails of it fails where it is used.</summary>
    public static void MakeReady(CancellationToken cancel) => _ = Task.Run(
        () =>
        {
            Machine.Detect(new RuntimePolicy("", 0, Place.None));
            StageRunner.MakeReady(
                typeof(Dictionary<string, TensorType>), typeof(List<Diagnostic>), typeof(Diagnostic), typeof(List<List<StructureFinding>>), typeof(Sensitivities), typeof(LayerSensitivity), typeof(FormatSensitivity),
                typeof(SolverProblem), typeof(LossModel), typeof(Searched), typeof(Configuration), typeof(List<Plan>), typeof(Plan));
        },
        cancel);

    /// <summary>The plan, before a model is written.</summary>
    public static SolveReport Solve(string policyFile, RunOptions options)
    {
        (Materials materials, StageRunner runner) = OpenPlan(policyFile, options);
        using (materials)
        {
            double tau = BudgetMeeting.FirstTau(materials.Policy.Budget);
            if (WithoutChoice(materials, runner) is { } nothing)
            {
                return Reports.Solve(materials, runner, null, nothing, null, tau);
            }

            (PlanningInput input, Gains gains, Measuring measuring) = Prepare(materials, runner);
            (Plan plan, gains) = Planner.Plan(input, gains, input.LossBudget(tau), Steps.Planning(runner, measuring));
            BudgetMeeting.RequireFeasible(plan, input, gains, tau, materials.Policy, problem => Steps.Solve(runner, problem));
            Steps.WarnOfMissing(materials, runner, measuring);
            IReadOnlyList<NamedPlan> strategies = Steps.Strategies(runner, input.Opened.Problem(gains, input.LossBudget(tau)));
            return Reports.Solve(materials, runner, input, new Findings(input.Allowed, input.Sensitivities, gains, null, strategies), plan, tau);
        }
    }

    /// <summary>What each budget would buy: the plans of greatest gain from no loss to all that gains, before a model is written.</summary>
    public static FrontierReport Frontier(string policyFile, RunOptions options)
    {
        (Materials materials, StageRunner runner) = OpenPlan(policyFile, options);
        using (materials)
        {
            if (WithoutChoice(materials, runner) is not null)
            {
                return Reports.Frontier(materials, runner, null, []);
            }

            (PlanningInput input, Gains gains, Measuring measuring) = Prepare(materials, runner);
            PlanningSteps steps = Steps.Planning(runner, measuring);

            // The policy's budget comes first: whatever is timed for its plan is timed, before the time of the search is over. What the others take does not depend on it, so that another budget finds that known.
            double stated = BudgetMeeting.FirstTau(materials.Policy.Budget);
            double[] own = [input.LossBudget(stated)];
            gains = runner.Log.AsOne(Stages.Search.Name, () =>
            {
                Searching.Run(runner, input, gains, own, steps);
                Gains found = Searching.Run(runner, input, gains, [.. Budgets.Select(input.LossBudget)], steps);
                return Searching.Run(runner, input, found, own, steps);
            });
            Steps.WarnOfMissing(materials, runner, measuring);
            IReadOnlyList<Plan> plans = Steps.Frontier(runner, input, gains, own);
            if (plans.Count == 0)
            {
                BudgetMeeting.RequireFeasible(steps.Solve(input.Problem(gains, own[0])), input, gains, stated, materials.Policy, steps.Solve);
            }

            return Reports.Frontier(materials, runner, input, plans);
        }
    }

    /// <summary>Why the plan of the policy's budget is what it is, before a model is written.</summary>
    /// <param name="layer">The layer to tell all of, or null: the whole plan.</param>
    public static ExplainReport Explain(string policyFile, string? layer, RunOptions options)
    {
        (Materials materials, StageRunner runner) = OpenPlan(policyFile, options);
        using (materials)
        {
            if (layer is not null && !materials.Allowed.ContainsKey(layer))
            {
                throw Errors.LayerUnknown(materials.Policy.Model, layer, [.. materials.Allowed.Keys]);
            }

            double tau = BudgetMeeting.FirstTau(materials.Policy.Budget);
            if (WithoutChoice(materials, runner) is not null)
            {
                return Reports.Explain(materials, runner, tau, null);
            }

            (PlanningInput input, Gains gains, Measuring measuring) = Prepare(materials, runner);
            PlanningSteps steps = Steps.Planning(runner, measuring);
            (Plan plan, gains) = Planner.Plan(input, gains, input.LossBudget(tau), steps);
            Plan? Without(LayerRule rule)
            {
                try
                {
                    return With(materials.Policy with { Layers = [.. materials.Policy.Layers.Where(r => !ReferenceEquals(r, rule))] });
                }
                catch (MixedPrecisionException e) when (e.Diagnostic.Code == Codes.RulesContradict || e.Diagnostic.Code == Codes.FormatCannotBeShared || e.Diagnostic.Code == Codes.PolicyPinnedFormatDoesNotApply)
                {
                    // It stands before another one that the rest does not allow.
                    return null;
                }
            }

            Plan Within(BudgetPolicy budget) => With(materials.Policy with { Budget = budget });

            Plan With(Policy others)
            {
                Materials own = materials with { Policy = others };
                PlanningInput free = Steps.Input(own, Choices.Judged(others, Choices.Of(others, materials.Workspace, materials.Strictest), input.Sensitivities), input.Sensitivities) with { Floor = input.Floor, Structures = input.Structures };
                double budget = input.LossBudget(others.Budget.Limits.Count == 0 ? Limitless : BudgetMeeting.FirstTau(others.Budget));
                return Planner.Plan(free, measuring.Add(gains, Measuring.First(free.Partition, free.Allowed, free.Structures)), budget, steps).Plan;
            }

            Explanation found = runner.Log.AsOne("explain", () => Explaining.Of(
                input, gains, plan, tau, materials.Policy, problem => Steps.Solve(runner, problem), Without, Within, Steps.Frontier(runner, input, gains, [input.LossBudget(tau)]), gain => Reports.Text(materials, gain)));
            Steps.WarnOfMissing(materials, runner, measuring);
            return Reports.Explain(materials, runner, tau, layer is null ? found : found with { Layers = [.. found.Layers.Where(l => l.Name == layer)] });
        }
    }

    /// <summary>The whole path, to a lock beside the policy in place of a model: see <see cref="PrecisionLock"/>.</summary>
    public static LockResult Lock(string policyFile, RunOptions options)
    {
        (Materials materials, StageRunner runner) = Open(policyFile, options);
        using (materials)
        {
            Steps.CheckBudget(materials);
            return Locking.Make(materials, runner);
        }
    }

    /// <summary>The whole path: a verified model and its manifest in a folder. Where the policy has a lock, the model that it is of.</summary>
    public static QuantizeResult Quantize(string policyFile, string outputFolder, RunOptions options)
    {
        if (LockFile.Exists(policyFile, options.IsLocked))
        {
            return LockedDelivery.Deliver(policyFile, outputFolder, options, Runner(options));
        }

        (Materials materials, StageRunner runner) = Open(policyFile, options);
        using (materials)
        {
            Delivery.Guard(materials.Policy, materials.Workspace, materials.InputFiles, outputFolder);
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
        (Materials materials, StageRunner runner) = Open(policyFile, options, objective: Objective.Time, isProfiled: false);
        using (materials)
        {
            return ValidationFiles.Write(materials, Path.GetFullPath(outputFolder), folder => new Validating(materials, runner, options, sizes, folder).Run());
        }
    }

    /// <summary>Writes the gradient graph of a whole model as a model of its own: see <see cref="GradientModel"/>.</summary>
    public static WrittenGradient Gradient(
        string modelFile, string outputFile, string? loss, IReadOnlyList<string>? withRespectTo, RunOptions options)
    {
        using OnnxModel model = OnnxModel.Load(modelFile);
        OutputGuard.Check([Path.GetFullPath(outputFile)], [Path.GetFullPath(modelFile)]);
        ModelProto gradient = GradientModel.Build(model, loss, withRespectTo);
        options.Cancel.ThrowIfCancellationRequested();
        OutputFile.Write(outputFile, gradient.WriteTo);
        return new WrittenGradient(outputFile, gradient.Graph.Node.Count, [.. gradient.Graph.Output.Select(o => o.Name)]);
    }

    /// <summary>Null where a layer has a format to choose; else all that there is to tell, which is warned of.</summary>
    private static Findings? WithoutChoice(Materials materials, StageRunner runner)
    {
        if (Choices.Any(materials, materials.Allowed))
        {
            return null;
        }

        var nothing = new Findings(materials.Allowed, null, Gains.Empty, null, []);
        Steps.WarnOfNothingGained(materials, runner, nothing, "no layer has a format to choose");
        return nothing;
    }

    /// <summary>What plans are made of, with what is measured first.</summary>
    private static (PlanningInput Input, Gains Gains, Measuring Measuring) Prepare(Materials materials, StageRunner runner) => Begin(materials, runner, Calibrated(materials, runner));

    /// <summary>What does not depend on the scenarios.</summary>
    private static Sensitivities Calibrated(Materials materials, StageRunner runner)
    {
        Steps.CheckBudget(materials);
        return Steps.CheckAndCalibrate(materials, runner);
    }

    private static (PlanningInput Input, Gains Gains, Measuring Measuring) Begin(Materials materials, StageRunner runner, Sensitivities sensitivities)
    {
        var measuring = new Measuring(materials, runner);
        (PlanningInput input, Gains gains) = Steps.Begin(materials, measuring, Steps.Input(materials, Choices.Judged(materials.Policy, materials.Allowed, sensitivities), sensitivities));
        return (input, gains, measuring);
    }

    /// <summary>Writes the page of a manifest: see <see cref="ReportPage"/>.</summary>
    /// <param name="manifestFile">The manifest.</param>
    /// <param name="outputFile">Where the page goes; null: beside the manifest, under its name.</param>
    /// <exception cref="MixedPrecisionException">MPB8007: the manifest cannot be read; MPB8005: the page would replace it; MPB8004: the page cannot be written.</exception>
    public static WrittenPage Report(string manifestFile, string? outputFile, RunOptions options)
    {
        string output = outputFile ?? PageOf(manifestFile);
        OutputGuard.Check([Path.GetFullPath(output)], [Path.GetFullPath(manifestFile)]);
        string page = ReportPage.Write(ManifestFile.Read(manifestFile));
        options.Cancel.ThrowIfCancellationRequested();
        OutputFile.Write(output, stream => stream.Write(Encoding.UTF8.GetBytes(page)));
        return new WrittenPage(output);
    }

    private static string PageOf(string manifestFile) =>
        (manifestFile.EndsWith(ManifestFile.Extension, StringComparison.Ordinal) ? manifestFile[..^ManifestFile.Extension.Length] : manifestFile) + ReportPage.Extension;

    /// <summary>The same for one plan of the policy.</summary>
    private static (Materials Materials, StageRunner Runner) OpenPlan(string policyFile, RunOptions options)
    {
        (Materials materials, StageRunner runner) = Open(policyFile, options);
        IReadOnlyList<ScenarioFile> files = ScenarioFiles.Of(materials.Policy);
        return (files.Count == 0 ? materials : materials.For(files.FirstOrDefault(f => f.Key == options.Scenario) ?? files[0]), runner);
    }

    private static (Materials Materials, StageRunner Runner) Open(string policyFile, RunOptions options, bool verifies = true, Objective? objective = null, bool isProfiled = true)
    {
        StageRunner runner = Runner(options);
        return (Materials.Open(policyFile, options, runner, verifies, objective, isProfiled), runner);
    }

    private static StageRunner Runner(RunOptions options) => new(new ContentStore(options.CacheFolder ?? ContentStore.DefaultFolder()), new RunLog(options));
}
