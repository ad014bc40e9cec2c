using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>What is shipped, and all that led to it.</summary>
/// <param name="What">As <see cref="ShippedModel.What"/>.</param>
/// <param name="Why">The reason.</param>
/// <param name="Configurations">By sub-graph.</param>
/// <param name="Emitted">The files.</param>
/// <param name="Findings">What calibration and planning found, as far as they went.</param>
/// <param name="Plan">What is predicted of it; null where nothing was calibrated.</param>
/// <param name="Loss">Its measured change of the loss; null where nothing was measured, since it is the original.</param>
/// <param name="Times">Its measured times; empty where there are none.</param>
/// <param name="Compared">The files that were compared.</param>
internal sealed record Shipped(
    string What,
    string Why,
    IReadOnlyList<Configuration> Configurations,
    EmittedModel Emitted,
    Findings Findings,
    Plan? Plan,
    LossChange? Loss,
    IReadOnlyList<ScenarioTiming> Times,
    IReadOnlyList<Contestant> Compared);

/// <summary>What calibration and planning found, as far as they went.</summary>
/// <param name="Allowed">By layer, the formats it may take.</param>
/// <param name="Sensitivities">Null where nothing was calibrated.</param>
/// <param name="Gains">Gains that are known.</param>
/// <param name="Meeting">Null where no plan was made.</param>
/// <param name="Strategies">Simpler ways to choose at the budget that was solved for; empty where no plan was made.</param>
internal sealed record Findings(
    IReadOnlyDictionary<string, LayerOptions> Allowed, Sensitivities? Sensitivities, Gains Gains, Meeting? Meeting, IReadOnlyList<NamedPlan> Strategies)
{
    /// <summary>Configurations and edges that were asked for and are not in the profile.</summary>
    public int Missing { get; init; }

    /// <summary>What other budgets would buy, as far as the gains that are known tell; empty where no plan was made.</summary>
    public IReadOnlyList<Plan> Frontier { get; init; } = [];
}

/// <summary>
/// From a policy to the file that is shipped: within the budget, not slower than the original or the best uniform configuration, and as planned, each measured on the file itself.
/// What cannot be met is not shipped: then it is the original, with a warning.
/// </summary>
/// <param name="judged">What calibration found.</param>
/// <param name="staging">Folder that files are made in.</param>
/// <param name="name">File name of the model.</param>
internal sealed class Shipment(Materials materials, StageRunner runner, Judgement judged, string staging, string name)
{
    private readonly Content<Workspace> model = ModelOf(materials.Workspace);
    private readonly List<Contestant> emitted = [];
    private readonly Dictionary<string, EmittedModel> files = [];
    private int folders;

    /// <summary>The original as stages read it, with its exact rewrites.</summary>
    public static Content<Workspace> ModelOf(Workspace workspace) => new(
        KeyOf(workspace.Model, workspace.Hash).With("embeddings", workspace.Partition.Layers.Count(l => l.Kind == LayerKind.Embedding))
            .With("rewrites", workspace.Rewrites?.Key ?? "none"),
        () => workspace);

    /// <summary>What identifies a model as it was loaded.</summary>
    public static CacheKey KeyOf(OnnxModel model, string hash) => CacheKey.Of(("model", hash)).With("defaults", model.Defaults.Count);

    /// <summary>The original's file, likewise.</summary>
    public static Content<string> PathOf(Workspace workspace) => new(ModelOf(workspace).Key, () => workspace.Path);

    /// <exception cref="MixedPrecisionException">MPB6001, MPB6002: rules of the policy force more loss than the budget allows. MPB6003: no file is small enough.</exception>
    public Shipped Run()
    {
        var findings = new Findings(judged.Allowed, judged.Sensitivities, Gains.Empty, null, []);
        if (judged.WhyNone is string none)
        {
            return KeepOriginal(none, findings);
        }

        var measuring = new Measuring(materials, runner);
        (PlanningInput input, Gains known) = Steps.Begin(materials, measuring, Steps.Input(materials, findings.Allowed, judged.Sensitivities!));
        findings = findings with { Gains = known, Missing = measuring.Missing };
        if (!input.HasPins && !IsOriginalTooLarge && !findings.Gains.Consequences.Any(c => c.Gain > 0) && !input.Partition.Subgraphs.Any(s => findings.Gains.Of(s).Any(g => input.Floor.Count(g.Gain.Low, g.Configuration.Formats.Count(f => f != Problems.Baseline)) > 0)))
        {
            Steps.WarnOfMissing(materials, runner, measuring);
            return KeepOriginal("no format makes a layer cheaper than the original has it", findings);
        }

        Meeting meeting = BudgetMeeting.Meet(input, materials.Policy, findings.Gains, Steps.Planning(runner, measuring, plan => Emit($"plan {emitted.Count}", plan).Loss) with { Emit = BytesOf });
        Steps.WarnOfMissing(materials, runner, measuring);
        double tau = (meeting.Met ?? meeting.Attempts[^1]).Tau;
        findings = findings with
        {
            Gains = meeting.Gains,
            Meeting = meeting,
            Missing = measuring.Missing,
            Strategies = Steps.Strategies(runner, input.Opened.Problem(meeting.Gains, input.LossBudget(tau))),
            Frontier = Steps.Frontier(runner, input, meeting.Gains, [.. meeting.Attempts.Select(a => input.LossBudget(a.Tau)).Distinct()]),
        };
        if (meeting.Met is not { } met)
        {
            return KeepRules($"no plan stayed within the budget ({materials.Policy.Budget}) on the evaluation samples; the last measured {Limits.Text(materials.Policy.Budget, meeting.Attempts[^1].Loss)}", findings, input);
        }

        if (met.Plan.Configurations.All(c => !c.Changes(Problems.Baseline)))
        {
            return KeepOriginal(
                meeting.Attempts.Count > 1 ? "no plan that gains stayed within the budget on the evaluation samples" : "nothing gains within the budget", findings);
        }

        List<Contestant> contestants = [emitted.Last(c => c.Plan.Configurations.SequenceEqual(met.Plan.Configurations)) with { Name = "plan" }];
        contestants.AddRange(Uniform(input, findings.Gains, met));
        contestants.AddRange(Exact());
        contestants = [.. contestants.Select(Conforming)];
        contestants = Timed(contestants, findings.Gains);
        Contestant[] within = [.. contestants.Where(c => c.HasTime)];
        if (within.Length == 0)
        {
            return KeepRules(contestants[0].Problem!.Message, findings, input, contestants);
        }

        Verdict verdict = Contest.Decide(within, materials.Policy.Objective, materials.Workspace.Bytes, materials.Policy.MinimumGain, IsOriginalTooLarge);
        if (verdict.Winner is not { } winner)
        {
            return KeepRules(verdict.Why, findings, input, contestants);
        }

        runner.Log.Say(Stages.Compare.Name, $"{winner.Name} is shipped: {verdict.Why}");
        WarnOfSlower(winner);
        return new Shipped(winner.Name, verdict.Why, winner.Plan.Configurations, winner.Emitted, findings, winner.Plan, winner.Loss, winner.Times ?? [], contestants);
    }

    /// <summary>Emits a plan and measures the change of its loss; the plan is not timed yet.</summary>
    private Contestant Emit(string contestant, Plan plan)
    {
        EmittedModel files = Write(plan.Configurations);
        LossChange loss = Steps.Evaluate(materials, runner, files);
        BudgetPolicy budget = materials.Policy.Budget;
        if (budget.Of(BudgetKind.AccuracyDrop) is not null && loss.Accuracy is null)
        {
            throw Errors.BudgetDoesNotSuit(materials.Policy.File, budget.ToString(), "not every sample has a label that counts");
        }

        if (budget.Of(BudgetKind.Agreement) is not null && loss.Agreement is null)
        {
            throw Errors.BudgetDoesNotSuit(materials.Policy.File, budget.ToString(), "no sample has an answer that counts");
        }

        var made = new Contestant(contestant, plan, files, loss, Limits.Measured(budget, loss), Limits.AreWithin(budget, loss) && !IsTooLarge(files));
        emitted.Add(made);
        if (!made.IsWithin)
        {
            Discard(plan.Configurations);
        }

        return made;
    }

    /// <summary>The file of a plan, written once.</summary>
    private EmittedModel Write(IReadOnlyList<Configuration> plan)
    {
        string key = Problems.KeyOf(plan);
        if (!files.TryGetValue(key, out EmittedModel? written))
        {
            files[key] = written = Emission.Write(runner, model, plan, Path.Combine(staging, $"{folders++}"), name, materials.Preparations, materials.IsApart);
        }

        return written;
    }

    /// <summary>Bytes of the file of a plan; one that is too large is not kept.</summary>
    private long BytesOf(Plan plan)
    {
        EmittedModel written = Write(plan.Configurations);
        if (IsTooLarge(written))
        {
            Discard(plan.Configurations);
        }

        return written.Bytes;
    }

    /// <summary>Deletes a file that will not be shipped, and may be large.</summary>
    private void Discard(IReadOnlyList<Configuration> plan)
    {
        if (files.Remove(Problems.KeyOf(plan), out EmittedModel? written))
        {
            Directory.Delete(Path.GetDirectoryName(written.Path)!, recursive: true);
        }
    }

    private bool IsTooLarge(EmittedModel made) => materials.MostBytes is { } most && made.Bytes > most;

    private bool IsOriginalTooLarge => materials.MostBytes is { } most && materials.Workspace.Bytes > most;

    private void WarnOfSlower(Contestant winner)
    {
        if (Contest.SlowerForSize(winner, materials.Policy, materials.Workspace.Bytes) is { } warning)
        {
            runner.Log.Warn(warning);
        }
    }

    /// <summary>What might be as fast as the plan, emitted and measured.</summary>
    private IEnumerable<Contestant> Uniform(PlanningInput input, Gains gains, Attempt met) => materials.Policy.Objective != Objective.Time ? []
        : Uniforms.Near(input, gains, met, materials.Policy.Formats).Concat(Uniforms.Fused(input, gains, met)).Select(u =>
            emitted.FirstOrDefault(c => c.Plan.Configurations.SequenceEqual(u.Plan.Configurations)) is { } known ? known with { Name = u.Name } : Emit(u.Name, u.Plan));

    /// <summary>
    /// The model with exact rewrites alone, and every layer as it is: initializers that an exporter listed as inputs are constants, which the runtime folds and lays out, constants beside convolutions are
    /// folded, and Ifs that are decided are gone. Where the runtime does not do the same by itself, this alone may be faster, and is no gain of any format. Only the file as a whole tells, so that a profile does not.
    /// </summary>
    private IEnumerable<Contestant> Exact()
    {
        if (materials.Profile is null && materials.Workspace.MayGainAsItIs && materials.Policy.Objective == Objective.Time)
        {
            yield return Emit(ExactRewrites.Name, new Plan(Reports.Baselines(materials.Workspace), 0, 0, SolverStatus.Feasible, 0, 0, 0));
        }
    }

    /// <summary>The contestant as it may be shipped: it carries the plan, in the kernels that its formats promise; if its outputs depend on optimizations, with that problem.</summary>
    /// <exception cref="MixedPrecisionException">MPB7002, MPB7004: the file is not what was planned.</exception>
    private Contestant Conforming(Contestant contestant)
    {
        if (!contestant.IsWithin)
        {
            return contestant;
        }

        Conformity found = runner.Get(Stages.Conform, new ConformInput(
            model,
            contestant.Emitted.Content,
            Emission.LayersOf(materials.Workspace, contestant.Plan.Configurations),
            Emission.StructuresOf(materials.Workspace, contestant.Plan.Configurations),
            materials.Data.Evaluation,
            Kernels.Of(materials.Machine),
            AppSession.Of(materials.Machine),
            Profiles.HasOtherKernels(materials.Profile, materials.Machine),
            materials.Preparations));
        if (found.Kernel is { } kernel)
        {
            // Kernels are those of the machine that counts.
            Machine device = materials.Profile!.Profile.Machine;
            runner.Log.Warn(kernel with
            {
                Severity = Severity.Warning,
                Message = $"{kernel.Message} This machine has {materials.Machine.Processor} and ONNX Runtime {materials.Machine.Runtime}; the profile is of {Wording.Escape(device.Processor)} with {Wording.Escape(device.Runtime)}, where the file was timed in parts.",
            });
        }

        foreach (string note in found.Notes)
        {
            runner.Log.Say(Stages.Conform.Name, note);
        }

        if (found.Problem is not { } problem)
        {
            return contestant;
        }

        runner.Log.Warn(problem with { Severity = Severity.Warning });
        return contestant with { Problem = problem };
    }

    /// <summary>Those within the budget with their times against the original, measured in turn in one run; with a profile, which is of another machine, as that predicts them.</summary>
    private List<Contestant> Timed(List<Contestant> contestants, Gains gains)
    {
        Contestant[] within = [.. contestants.Where(c => c.IsWithin && c.Problem is null)];
        if (within.Length == 0)
        {
            return contestants;
        }

        if (materials.Profile is not null)
        {
            return [.. contestants.Select(c => within.Contains(c) ? c with { Predicted = Predicted(c, gains) } : c)];
        }

        // Another objective is computed: no time decides on what is shipped.
        TimingSettings settings = materials.Policy.Objective == Objective.Time ? TimingSettings.WholeModel : TimingSettings.Told;
        List<ScenarioComparison> comparisons = runner.Get(Stages.Compare, new CompareInput(
            Original, [.. within.Select(c => c.Emitted.Content)], materials.Scenarios, materials.Machine, settings));
        return [.. contestants.Select(c => Array.IndexOf(within, c) is var i and >= 0 ? c with { Times = [.. comparisons.Select(s => s.Of(i + 1))] } : c)];
    }

    private PredictedTime Predicted(Contestant contestant, Gains gains) => materials.Policy.Objective == Objective.Time
        ? new PredictedTime(gains.Sum(materials.Workspace.Partition, contestant.Plan.Configurations), gains.OriginalMilliseconds) : new PredictedTime(Gain.None, 0);

    /// <summary>Where nothing is gained the original is shipped; where rules pin layers, with those in the formats that the rules say.</summary>
    private Shipped KeepRules(string why, Findings findings, PlanningInput input, IReadOnlyList<Contestant>? compared = null)
    {
        if (!input.HasPins)
        {
            return KeepOriginal(why, findings, compared);
        }

        Plan plan = Strategies.Of(input.Problem(findings.Gains, 0), input.RulesAlone);
        Contestant rules = Conforming(Emit("rules", plan));
        if (!rules.IsWithin)
        {
            throw IsTooLarge(rules.Emitted) ? Errors.SizeNotMet(materials.Policy.PlaceOfSize, materials.Policy.Budget.Size!.ToString(), rules.Emitted.Bytes, why)
                : Errors.RulesOverBudget(
                    materials.Policy.File, materials.Policy.Budget.ToString(), Limits.Text(materials.Policy.Budget, rules.Loss), [.. findings.Allowed.Where(a => !a.Value.Formats.Contains(Problems.Baseline)).Select(a => a.Key)]);
        }

        if (rules.Problem is { } problem)
        {
            throw new MixedPrecisionException(problem);
        }

        rules = Timed([rules], findings.Gains)[0];
        runner.Log.Warn(Errors.NothingGainedButRules(materials.Policy.Model, materials.ForScenario + why));
        WarnOfSlower(rules);
        return new Shipped("rules", why, plan.Configurations, rules.Emitted, findings, plan, rules.Loss, rules.Times ?? [], compared ?? []);
    }

    private Shipped KeepOriginal(string why, Findings findings, IReadOnlyList<Contestant>? compared = null)
    {
        if (compared is null && Timed([.. Exact().Select(Conforming)], findings.Gains) is [{ Times: not null } exact])
        {
            compared = [exact];
            if (Contest.Decide(compared, materials.Policy.Objective, materials.Workspace.Bytes, materials.Policy.MinimumGain, IsOriginalTooLarge) is { Winner: not null } verdict)
            {
                return new Shipped(ExactRewrites.Name, $"{verdict.Why}; {why}", Reports.Baselines(materials.Workspace), exact.Emitted, findings, exact.Plan, exact.Loss, exact.Times, compared);
            }
        }

        if (IsOriginalTooLarge)
        {
            throw Errors.SizeNotMet(materials.Policy.PlaceOfSize, materials.Policy.Budget.Size!.ToString(), materials.Workspace.Bytes, why);
        }

        Steps.WarnOfNothingGained(materials, runner, findings, why);
        EmittedModel kept = Emission.Keep(runner, model, Path.Combine(staging, "original"), name, materials.Preparations, materials.IsApart);
        return new Shipped(ShippedModel.Original, why, Reports.Baselines(materials.Workspace), kept, findings, null, null, [], compared ?? []);
    }

    private Content<string> Original => PathOf(materials.Workspace);
}
