using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>What budgets would buy, and why a plan is what it is. The objective is memory, whose gains are computed: no timing decides.</summary>
public sealed class ExplainTests : IDisposable
{
    private readonly PipelineFolder folder = new();

    [Fact]
    public void TheFrontierGoesFromNothingToEverything()
    {
        Policy("1%");
        FrontierReport found = Verbs.Frontier(folder.PolicyFile, folder.Options());
        Assert.Equal((0, 0), (found.Points[0].Tau, found.Points[0].Changed));
        Assert.Equal(3, found.Points[^1].Changed);
        Assert.All(found.Points.Zip(found.Points.Skip(1)), p => Assert.True(p.First.Tau < p.Second.Tau && p.First.Gain < p.Second.Gain && p.First.Bytes > p.Second.Bytes));
        Assert.All(found.Points, p => Assert.Equal(new FileInfo(folder["model.onnx"]).Length - p.Gain, p.Bytes, 1.0));

        // What solve finds within a budget is a point of it.
        FrontierPoint middle = found.Points[found.Points.Count / 2];
        SolveReport solved = Verbs.Solve(folder.PolicyFile, folder.Options() with { Budget = $"{middle.Tau * 100.5:R}%" });
        Assert.Equal(middle.Gain, solved.Predicted.Gain.Value, 1.0);
        FrontierReport again = Verbs.Frontier(folder.PolicyFile, folder.Options());
        Assert.Equal(found.ToJson(), again.ToJson());
        Assert.Equal(3 + 1, folder.Log.Count(l => l == "search reused"));
        Assert.Single(folder.Log, l => l.StartsWith("solve", StringComparison.Ordinal));
        Assert.DoesNotContain(folder.Log, l => l.EndsWith("started", StringComparison.Ordinal));
        Verbs.Frontier(folder.PolicyFile, folder.Options() with { Budget = "0.7%" });
        Assert.Contains("search reused", folder.Log);
        Assert.Contains("frontier reused", folder.Log);
        Assert.Contains(found.ToLines(), l => l.Contains("bought by the policy's budget", StringComparison.Ordinal));
    }

    [Fact]
    public void OneLineTellsOfManyPrograms()
    {
        Policy("1%");
        FrontierReport found = Verbs.Frontier(folder.PolicyFile, folder.Options());
        Assert.Collection(
            Told("search", "solve", "frontier", "benchmark"),
            l => Assert.Equal("search: started", l),
            l => Assert.Matches(@"^search: done in [0-9]+\.[0-9] s, [1-9][0-9]* programs solved, [1-9][0-9]* reused$", l),
            l => Assert.Equal("frontier: started", l),
            l => Assert.Matches($@"^frontier: done in [0-9]+\.[0-9] s, {found.Points.Count} plans$", l));

        Verbs.Frontier(folder.PolicyFile, folder.Options());
        Assert.Equal(["search: reused", $"frontier: reused, {found.Points.Count} plans"], Told("search", "solve", "frontier", "benchmark"));

        Policy("2%");
        Verbs.Solve(folder.PolicyFile, folder.Options());
        Assert.Collection(
            Told("solve"), l => Assert.Equal("solve: started", l), l => Assert.Matches(@"^solve: done in [0-9]+\.[0-9] s, [1-9][0-9]* programs? solved(, [0-9]+ reused)?$", l));
        Verbs.Solve(folder.PolicyFile, folder.Options());
        Assert.Equal(["solve: reused"], Told("solve"));

        Verbs.Explain(folder.PolicyFile, null, folder.Options());
        Assert.Equal("solve: reused", Assert.Single(Told("solve")));
        Assert.Equal(2, Told("explain").Length);
        Verbs.Explain(folder.PolicyFile, null, folder.Options());
        Assert.Equal(["solve: reused", "explain: reused"], Told("solve", "frontier", "explain"));

        string[] Told(params string[] stages) => [.. folder.Lines.Where(l => stages.Contains(l.Split(':')[0]))];
    }

    [Fact]
    public void EachLayerHasItsReason()
    {
        Policy("0.05%");
        Explanation plan = Verbs.Explain(folder.PolicyFile, null, folder.Options()).Plan!;
        Assert.Equal(3, plan.Layers.Count);
        Assert.All(plan.Layers, l => Assert.Equal("taken", l.Format == "fp32" ? "taken" : l.Formats.Single(f => f.Format == l.Format).Why));
        Assert.All(plan.Layers.Where(l => l.Format == "fp32"), l => Assert.Equal(l.Formats.All(f => f.LossShare > 1) ? "too sensitive" : "its gain is not worth the loss", l.Reason));
        Assert.All(plan.Layers, l => Assert.Contains("of the budget", l.Detail, StringComparison.Ordinal));
        Assert.All(plan.Layers.SelectMany(l => l.Formats).Where(f => f.LossShare > 1), f => Assert.Equal("loses more than the whole budget by itself", f.Why));
        Assert.NotNull(plan.Next);
        Assert.True(plan.Next.Tau > 0.0005 && plan.Next.Gain > 0);

        // The budget that it names buys what it says.
        SolveReport more = Verbs.Solve(folder.PolicyFile, folder.Options() with { Budget = $"{plan.Next.Tau * 100.01:R}%" });
        Assert.Equal(plan.Gain + plan.Next.Gain, more.Predicted.Gain.Value, 1.0);
        Assert.All(plan.Helpful, h => Assert.True(h.Gain > 0));
    }

    [Fact]
    public void ARuleCostsWhatThePlanGainsWithoutIt()
    {
        Policy("10%");
        string first = Verbs.Explain(folder.PolicyFile, null, folder.Options()).Plan!.Layers[0].Name;
        double free = Verbs.Solve(folder.PolicyFile, folder.Options()).Predicted.Gain.Value;
        Policy("10%", $"layers: [ {{ match: '{first}', format: fp32 }} ]");
        double bound = Verbs.Solve(folder.PolicyFile, folder.Options()).Predicted.Gain.Value;
        ExplainReport report = Verbs.Explain(folder.PolicyFile, first, folder.Options());
        ExplainedRule rule = Assert.Single(report.Plan!.Rules);
        Assert.Equal(free - bound, rule.Cost!.Value, 1.0);
        Assert.True(rule.Cost > 0);
        Assert.Contains("pins it", Assert.Single(report.Plan.Layers).Reason, StringComparison.Ordinal);
        Assert.StartsWith($"{first} (MatMul): fp32: the rule", report.ToLines().First(), StringComparison.Ordinal);
    }

    [Fact]
    public void RulesThatForceTooMuchAreNamedWithTheBudgetThatTheyNeed()
    {
        Policy("10%");
        string[] names = [.. Verbs.Explain(folder.PolicyFile, null, folder.Options()).Plan!.Layers.Select(l => l.Name)];
        Policy("0.001%", $"layers: [ {{ match: '{names[0]}', format: int4-weight }}, {{ match: '{names[1]}', format: int8-weight }} ]");
        ExplainReport report = Verbs.Explain(folder.PolicyFile, null, folder.Options());
        Explanation plan = report.Plan!;
        Assert.NotNull(plan.Infeasible);
        Assert.True(plan.Infeasible.LeastTau > 1e-5);
        Assert.Equal(names[..2].Order(), plan.Infeasible.Layers.Select(l => l.Name).Order());
        Assert.All(plan.Rules, r => Assert.InRange(r.LeastTau!.Value, 0, plan.Infeasible.LeastTau));
        Assert.True(plan.Rules[0].LeastTau < plan.Infeasible.LeastTau);
        Assert.StartsWith("model.onnx: no plan is within the budget of 0.001 %: rules force", report.ToLines().First(), StringComparison.Ordinal);
        Assert.Contains(report.ToLines(), l => l.StartsWith($"forced: '{names[0]}' loses", StringComparison.Ordinal));

        // With the budget that they need there is a plan.
        Policy($"{plan.Infeasible.LeastTau * 101:R}%", $"layers: [ {{ match: '{names[0]}', format: int4-weight }}, {{ match: '{names[1]}', format: int8-weight }} ]");
        Assert.Null(Verbs.Explain(folder.PolicyFile, null, folder.Options()).Plan!.Infeasible);
    }

    [Fact]
    public void WhereNoFormatIsLeftTheReasonIsSaid()
    {
        folder.WriteModel(1, hasUnique: true);
        Policy("1%");
        ExplainReport report = Verbs.Explain(folder.PolicyFile, null, folder.Options());
        ExplainedLayer[] left = [.. report.Plan!.Layers.Where(l => l.Formats.Count == 0)];
        Assert.NotEmpty(left);
        Assert.All(left, l => Assert.True(l.Reason.StartsWith("the loss does not depend on it", StringComparison.Ordinal) && l.NotApplicable.Count > 0));
    }

    /// <summary>What was timed and calibrated serves other budgets, objectives and rules: nothing is measured twice.</summary>
    [Fact]
    public void OtherBudgetsAndRulesMeasureNothingAnew()
    {
        folder.WritePolicy("1%", "formats: [int8-dynamic]");
        Verbs.Frontier(folder.PolicyFile, folder.Options());
        string layer = Verbs.Explain(folder.PolicyFile, null, folder.Options()).Plan!.Layers[0].Name;
        AssertReused("0.2%", "formats: [int8-dynamic]");
        AssertReused("3%", "formats: [int8-dynamic]");
        AssertReused("1%", $"formats: [int8-dynamic]\nlayers: [ {{ match: '{layer}', format: fp32 }} ]");
        AssertReused("1%", "formats: [int8-dynamic]\nobjective: theoretical-time");
        AssertReused("1%", "formats: [int8-dynamic]\nminimumGain: 5%");
    }

    [Fact]
    public void APlanThatWasEmittedIsMarkedVerified()
    {
        Policy("1%");
        Assert.All(Verbs.Frontier(folder.PolicyFile, folder.Options()).Points, p => Assert.Null(p.Verified));
        Manifest manifest = folder.Quantize().Manifest;
        Assert.NotNull(manifest.Frontier);
        FrontierPoint shipped = manifest.Frontier.Last(p => p.Tau <= manifest.Budget.SolvedTau);
        Assert.Equal(manifest.Measured.RelativeLossError, shipped.Verified);
        Assert.True(manifest.Solver!.Objective <= shipped.Gain * (1 + 1e-9));

        // What was measured once is known to frontier too.
        Assert.Contains(shipped.Verified, Verbs.Frontier(folder.PolicyFile, folder.Options()).Points.Select(p => p.Verified));
    }

    [Fact]
    public void ALayerThatIsNotThereIsAnErrorThatNamesThoseThatAre()
    {
        Policy("1%");
        Diagnostic found = Assert.Throws<MixedPrecisionException>(() => Verbs.Explain(folder.PolicyFile, "node/MatMull", folder.Options())).Diagnostic;
        Assert.Equal(Codes.LayerUnknown, found.Code);
        Assert.Contains("did you mean", found.Message, StringComparison.Ordinal);
    }

    public void Dispose() => folder.Dispose();

    private void AssertReused(string budget, string more)
    {
        folder.WritePolicy(budget, more);
        var said = new List<string>();
        RunOptions options = folder.Options() with { Progress = update => said.Add($"{update.Stage} {update.Text}") };
        Verbs.Solve(folder.PolicyFile, options);
        Verbs.Frontier(folder.PolicyFile, options);
        Assert.Contains("calibrate reused", said);
        Assert.DoesNotContain(said, l => l.EndsWith("timings taken", StringComparison.Ordinal));
    }

    private void Policy(string budget, string more = "") => folder.WritePolicy(budget, $"objective: memory\nformats: [int8-weight, int4-weight]\n{more}");
}
