using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Solving;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>How a budget is met when measurements say what they like: three layers, each in int8-dynamic at a made-up loss and gain.</summary>
public sealed class BudgetMeetingTests : IDisposable
{
    private const string Format = "int8-dynamic";
    private const double MeanSquareLoss = 4;

    private readonly PipelineFolder folder = new();
    private readonly Workspace workspace;

    public BudgetMeetingTests() => workspace = Workspace.Open(folder["model.onnx"], "model.onnx");

    [Fact]
    public void APlanThatMeasuresOverTheBudgetIsMadeAnewWithLess()
    {
        PlanningInput input = Input(3e-5, 1e-5, 1e-6);
        // Every file is measured to have thrice the loss error that is predicted.
        Meeting meeting = Meet(input, "0.3%", plan => 3 * input.Tau(plan.Loss));
        Assert.True(meeting.Attempts.Count > 1);
        Assert.Equal(0.003, meeting.Attempts[0].Tau, 1e-12);
        Assert.All(meeting.Attempts.Zip(meeting.Attempts.Skip(1)), pair => Assert.True(pair.Second.Tau < pair.First.Tau));
        Assert.All(meeting.Attempts.SkipLast(1), a => Assert.True(a.Measured > 0.003));
        Assert.Same(meeting.Attempts[^1], meeting.Met);
        Assert.InRange(meeting.Met!.Measured, 1e-9, 0.003);
        // 3 · √(1e-5 / 4) is over, so that the last layer alone is left.
        Assert.Equal(["fp32", "fp32", Format], meeting.Met.Plan.Formats.SelectMany(f => f));
    }

    [Fact]
    public void WhereEveryChangeMeasuresOverNothingIsLeftButTheOriginal()
    {
        PlanningInput input = Input(3e-5, 1e-5, 1e-6);
        Meeting meeting = Meet(input, "1%", plan => plan.Loss == 0 ? 0 : 1);
        Assert.All(meeting.Met!.Plan.Formats.SelectMany(f => f), f => Assert.Equal("fp32", f));
        Assert.InRange(meeting.Attempts.Count, 2, BudgetMeeting.MostAttempts);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void AFileThatIsNoNumberIsOver(double error)
    {
        Meeting meeting = Meet(Input(3e-5, 1e-5, 1e-6), "1%", plan => plan.Loss == 0 ? 0 : error);
        Assert.Equal(0, meeting.Met!.Measured);
        Assert.Equal(2, meeting.Attempts.Count);
    }

    /// <summary>A layer without sensitivity may measure over a budget: there is no less to solve for.</summary>
    [Fact]
    public void APlanOfNoPredictedLossThatMeasuresOverEndsIt()
    {
        Meeting meeting = Meet(Input(0, 0, 0), "1%", _ => 0.5);
        Assert.Null(meeting.Met);
        Assert.Single(meeting.Attempts);
    }

    [Theory]
    [InlineData("0.005%", 5e-5)]
    [InlineData("0.0001%", 1e-6)]
    public void ABudgetBelowAHundredthOfAPercentIsHonoured(string budget, double tau)
    {
        PlanningInput input = Input(3e-5, 1e-5, 1e-6);
        Meeting meeting = Meet(input, budget, plan => input.Tau(plan.Loss));
        Assert.Equal(tau, meeting.Met!.Tau, tau * 1e-9);
        Assert.True(input.Tau(meeting.Met.Plan.Loss) <= tau);
    }

    /// <summary>Pinned layers whose errors add up: P is twice the sum of their losses, which the diagonal takes for the least.</summary>
    [Fact]
    public void TheLeastLossThatRulesAllowIsThatOfAllTheirErrorsTogether()
    {
        PlanningInput input = Input(1e-5, 1e-5, 1e-6);
        input = input with { Allowed = input.Allowed.ToDictionary(a => a.Key, a => a.Key == Layers()[2] ? a.Value : a.Value with { Formats = [Format], Pinned = "*" }) };
        double least = Strategies.Of(input.Problem(Gains(), 0), input.RulesAlone).Loss;
        Assert.True(least > 2.1e-5, $"{least}");

        // A budget in other words is searched from the least that there is, and the error of one on the loss names it.
        Meeting meeting = Meet(input, "lossIncrease: 0.0001%", _ => 1);
        Assert.Null(meeting.Met);
        Assert.All(meeting.Attempts, a => Assert.True(a.Plan.Loss >= least * (1 - 1e-9)));
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Meet(input, "0.2%", _ => 0)).Diagnostic;
        Assert.Equal(Codes.BudgetInfeasible, error.Code);
        Assert.Contains($"{Math.Ceiling(input.Tau(least) * 1e5 - 1e-6) / 1e3:0.000}"[..4], error.Message);
    }

    [Fact]
    public void WithPinsATightenedBudgetThatIsInfeasibleLeavesNothing()
    {
        PlanningInput input = Input(1e-5, 1e-6, 1e-6);
        input = input with { Allowed = input.Allowed.ToDictionary(a => a.Key, a => a.Key == Layers()[0] ? a.Value with { Formats = [Format], Pinned = "*" } : a.Value) };
        Meeting meeting = Meet(input, "1%", _ => 0.5);
        Assert.Null(meeting.Met);
        Assert.InRange(meeting.Attempts.Count, 1, BudgetMeeting.MostAttempts - 1);
    }

    /// <summary>The error that is measured is half of what is predicted: answers decide, and no plan is made for more than the error of the loss allows.</summary>
    [Theory]
    [InlineData("lossError: 1%, agreement: 99.9%", 0.002)]
    [InlineData("lossError: 1%, agreement: 99%", 0.01)]
    [InlineData("lossIncrease: 50%, agreement: 99.95%", 0.001)]
    [InlineData("agreement: 99.9%", 0.002)]
    [InlineData("lossError: 0.04%, agreement: 99%", 0.0004)]
    public void SeveralLimitsAreMetTogether(string budget, double most)
    {
        PlanningInput input = Input(1e-5, 1e-6, 1e-8);
        Meeting meeting = Meet(input, budget, plan => input.Tau(plan.Loss) / 2);
        Assert.InRange(input.Tau(meeting.Met!.Plan.Loss), most / 100, most);

        // Nothing that is within gains more.
        Plan best = Solver.Solve(input.Problem(Gains(), input.LossBudget(most)), TestContext.Current.CancellationToken);
        Assert.Equal(best.Gain, meeting.Met.Plan.Gain, 1e-9);
    }

    /// <summary>Each layer has 1,000 bytes, and 250 in the format, which costs time; the file has 400 more than is counted.</summary>
    [Theory]
    [InlineData("lossError: 1%", 4000, 0, 1)]
    [InlineData("lossError: 1%", 2700, 1, 1)]
    [InlineData("lossError: 1%", 2650, 1, 1)] // 2,250 and 400
    [InlineData("lossError: 1%", 2649, 2, 2)] // though 2,250 bytes are predicted
    [InlineData("lossIncrease: 2%", 2649, 2, 2)]
    [InlineData("agreement: 90%, lossError: 1%", 1200, 3, 1)]
    public void AFileThatComesOutLargerIsPlannedAnewWithLess(string budget, long most, int changed, int emitted)
    {
        PlanningInput input = Sized(Input(1e-9, 1e-9, 1e-9), most);
        var sizes = new List<long>();
        Meeting meeting = Meet(input, budget, plan => input.Tau(plan.Loss), plan =>
        {
            sizes.Add(input.Size!.Predicted(input, plan) + 400);
            return sizes[^1];
        }, gain: -1);
        Assert.Equal(changed, meeting.Met!.Plan.Formats.SelectMany(f => f).Count(f => f == Format));
        Assert.Equal(emitted, sizes.Distinct().Count());
        Assert.InRange(sizes[^1], 0, most);
    }

    [Fact]
    public void ASizeThatNoPlanHasNamesTheSmallestAndWhatWouldHelp()
    {
        PlanningInput input = Sized(Input(1e-5, 1e-6, 1e-7), 1000);
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Meet(input, "0.1%", _ => 0)).Diagnostic;
        Assert.Equal(Codes.SizeNotMet, error.Code);

        // The loss of the first alone is over τ² · 4 = 4e-6, and without it no plan has less than 1,500 bytes.
        Assert.Contains("size: 1000 B (1.0 kB) at a relative loss error of 0.1 %: the smallest file within it has about 1.5 kB", error.Message, StringComparison.Ordinal);
        double all = input.Tau(Strategies.Of(input.Problem(Gains(), 0), input.Uniform(Format)).Loss);
        Assert.Contains($"With a loss error of {all * 100:0.000}"[..^1], error.Message, StringComparison.Ordinal);
        Assert.Contains("a file of 1.0 kB is possible", error.Message, StringComparison.Ordinal);
        Assert.Equal(Codes.SizeNotMet, Assert.Throws<MixedPrecisionException>(() => Meet(input, "lossError: 0.1%, agreement: 50%", _ => 0)).Diagnostic.Code);

        foreach (string budget in new[] { "10%", "lossIncrease: 10%" })
        {
            error = Assert.Throws<MixedPrecisionException>(() => Meet(Sized(input, 700), budget, _ => 0)).Diagnostic;
            Assert.Equal(Codes.SizeNotMet, error.Code);
            Assert.Contains("whatever the loss. Allow 0.8 kB", error.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Rules that force too much are what is in the way, whatever the size.</summary>
    [Fact]
    public void WhereRulesForceTooMuchTheSizeIsNotBlamed()
    {
        PlanningInput input = Sized(Input(1e-5, 1e-6, 1e-7), 1000);
        input = input with { Allowed = input.Allowed.ToDictionary(a => a.Key, a => a.Value with { Formats = [Format], Pinned = "*" }) };
        Assert.Equal(Codes.BudgetInfeasible, Assert.Throws<MixedPrecisionException>(() => Meet(input, "0.1%", _ => 0)).Diagnostic.Code);
    }

    /// <summary>The original takes 10 ms in each of three sub-graphs; a layer in the format saves 1 ms, so that the plan of one layer takes 29 ms, and all in the format 27.</summary>
    [Theory]
    [InlineData(1.0, 1.0, 1)]
    [InlineData(-1.0, 1.0, 1)] // 33 ms of 31 · 1.1
    [InlineData(-2.0, 1.0, 0)] // 36 ms of 32 · 1.1
    [InlineData(1.0, 9.5, 0)] // thrice the loss error is nine times the loss MSE
    [InlineData(1.0, 8.5, 1)]
    public void UniformConfigurationsNearThePlanAreTried(double saved, double timesTheBudget, int count)
    {
        double budget = 1e-5, all = budget * timesTheBudget;
        double small = Math.Sqrt(budget) / 10, large = (Math.Sqrt(all) - small) / 2;
        PlanningInput input = Input(large * large, large * large, small * small);
        Gains gains = workspace.Partition.Subgraphs.Aggregate(
            MixedPrecision.Pipeline.Gains.Empty,
            (known, s) => known.With(new SubgraphConfiguration(s, InFormat), new ConfigurationTiming(InFormat, [Format], [new Timing(10, 10 - saved, saved, saved, saved, 1, 9, [])], null, false), [1]));
        Plan plan = Strategies.Of(input.Problem(gains, budget), [.. input.RulesAlone.Take(2), InFormat]);
        IReadOnlyList<NamedPlan> found = Uniforms.Near(input, gains, new Attempt(input.Tau(budget), plan, null!, 0), ["fp32", Format]);
        Assert.Equal(count, found.Count);
        Assert.All(found, f => Assert.Equal(("uniform int8-dynamic", all), (f.Name, Math.Round(f.Plan.Loss, 12))));
        Plan whole = Strategies.Of(input.Problem(gains, budget), input.Uniform(Format));
        Assert.Empty(Uniforms.Near(input, gains, new Attempt(input.Tau(budget), whole, null!, 0), ["fp32", Format]));
    }

    /// <summary>Fused operators lose nothing: a plan that leaves them out, since each gains too little to be told, is held against itself with all of them that are known to run.</summary>
    [Fact]
    public void ThePlanWithAllFusedOperatorsIsTried()
    {
        PlanningInput input = Input(1e-6, 1e-6, 1e-6) with
        {
            Structures = _ => [new FoundStructure(new MixedPrecision.Structures.Structure(StructureNames.Fused, 1, _ => null), new StructureMatch(new Dictionary<string, string>(), [], [], _ => { }))],
        };
        Configuration fused = new(StructureNames.Fused, ["fp32"]);
        Gains gains = workspace.Partition.Subgraphs.Zip([fused, fused, InFormat]).Aggregate(
            MixedPrecision.Pipeline.Gains.Empty,
            (known, s) => known.With(new SubgraphConfiguration(s.First, s.Second), new ConfigurationTiming(s.Second, s.Second.Formats, [new Timing(10, 10, 0.01, -0.01, 0.03, 1, 9, [])], null, false), [1]));
        Plan plan = Strategies.Of(input.Problem(gains, 1e-5), [.. input.RulesAlone.Take(2), InFormat]);
        NamedPlan[] found = [.. Uniforms.Fused(input, gains, new Attempt(input.Tau(1e-5), plan, null!, 0))];
        Assert.Equal(["plan, fused", "fused"], found.Select(f => f.Name));
        Assert.Equal([fused, fused, InFormat], found[0].Plan.Configurations);
        Assert.Equal([fused, fused, input.RulesAlone[2]], found[1].Plan.Configurations);
        Assert.Equal("fused", Assert.Single(Uniforms.Fused(input, gains, new Attempt(input.Tau(1e-5), found[0].Plan, null!, 0))).Name);
    }

    public void Dispose()
    {
        workspace.Dispose();
        folder.Dispose();
    }

    private static Configuration InFormat => Configuration.Exported([Format]);

    private string[] Layers() => [.. workspace.Partition.Layers.Select(l => l.Name)];

    /// <summary>Three layers of one loss MSE each; their errors have one sign on every sample, so that they add up.</summary>
    private PlanningInput Input(params double[] losses)
    {
        const int samples = 64;
        var layers = Layers().Zip(losses, (name, loss) => new LayerSensitivity(name, true, 0, 0, new Dictionary<string, FormatSensitivity>
        {
            [Format] = new(loss, loss, 0, [.. Enumerable.Repeat(Math.Sqrt(loss), samples)]),
        })).ToList();
        return new PlanningInput(
            workspace.Partition,
            Layers().ToDictionary(l => l, _ => new LayerOptions(["fp32", Format], null, new Dictionary<string, string>())),
            new Sensitivities("made up", samples, MeanSquareLoss, layers));
    }

    /// <summary>The same with a limit of the size: layers have 1,000 bytes each, and 250 in the format.</summary>
    private PlanningInput Sized(PlanningInput input, long most) => input with
    {
        Size = new FileSize(most, 0, Layers().SelectMany(l => new[] { (new LayerChoice(l, "fp32"), 1000L), (new LayerChoice(l, Format), 250L) }).ToDictionary(l => l.Item1, l => l.Item2), []),
    };

    /// <summary>Every layer gains a millisecond in the format, or what is said.</summary>
    private Gains Gains(double gain = 1) => workspace.Partition.Subgraphs.SelectMany(s => s.Layers.Select((_, i) => Problems.Alone(s, i, Format)))
        .Aggregate(MixedPrecision.Pipeline.Gains.Empty, (all, c) => all.With(c, new Gain(gain, gain, gain)));

    /// <param name="emit">Bytes of a plan's file.</param>
    /// <param name="gain">What each layer gains in the format.</param>
    private Meeting Meet(PlanningInput input, string budget, Func<Plan, double> measure, Func<Plan, long>? emit = null, double gain = 1)
    {
        string size = input.Size is { } limit ? $", size: {limit.Most} B" : "";
        folder.WritePolicy($"{{ {(budget.Contains(':', StringComparison.Ordinal) ? budget : $"lossError: {budget}")}{size} }}");
        return BudgetMeeting.Meet(input, Policy.Load(folder.PolicyFile), Gains(gain), new PlanningSteps(
            problem => Solver.Solve(problem, TestContext.Current.CancellationToken),
            (gains, configurations) => configurations.Aggregate(gains, (all, c) => all.With(c, new Gain(c.Configuration.Formats.Count(f => f == Format) * gain, 0, 0))),
            (gains, _) => gains,
            plan => measure(plan) is var error ? new LossChange(1, error * error * MeanSquareLoss, MeanSquareLoss, error, error * 2, null) { MeanLoss = 2, Agreement = 1 - error } : null!,
            _ => { },
            _ => false)
        { Emit = emit ?? (_ => throw new InvalidOperationException()) });
    }
}
