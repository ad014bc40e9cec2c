using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Limits of size and answers, and rules that forbid, bound and share, from the policy to the emitted file. Objectives are computed but where timings decide on nothing.</summary>
public sealed class ConstraintTests : IDisposable
{
    private readonly PipelineFolder folder = new();

    private long Original => new FileInfo(folder["model.onnx"]).Length;

    /// <summary>Without the limit nothing would change at so small a minimum of loss; with it the file has to be small, and is.</summary>
    [Theory]
    [InlineData("objective: theoretical-time\nminimumGain: 100%", 0.6)]
    [InlineData("objective: theoretical-time\nminimumGain: 100%", 0.35)]
    [InlineData("objective: memory", 0.6)]
    [InlineData("objective: time\nsearchSeconds: 0", 0.6)]
    public void TheFileIsAsSmallAsIsAsked(string more, double share)
    {
        folder.WritePolicy($"{{ lossError: 20%, size: {share * 100}% }}", $"formats: [int8-weight, int4-weight]\n{more}");
        QuantizeResult result = folder.Quantize();
        Manifest manifest = result.Manifest;
        Assert.InRange(new FileInfo(result.Files[0]).Length, 1, (long)(Original * share));
        Assert.NotEqual("original", manifest.Shipped.What);
        Assert.Equal(["lossError", "size"], manifest.Budget.Limits!.Select(l => l.Name));
        Assert.All(manifest.Budget.Limits!, l => Assert.True(l.IsWithin));
        ManifestLimit size = manifest.Budget.Limits![1];
        Assert.Equal((Math.Floor(Original * share), manifest.Bytes.Mixed), (size.Allowed, size.Measured));

        // What is added in names and nodes is not predicted.
        Assert.InRange(size.Measured - size.Predicted!.Value, -100, 3000);
        Assert.Contains(manifest.ToLines(), l => l.StartsWith($"budget size: {share * 100}%: measured", StringComparison.Ordinal));
        Assert.Equal(manifest.Bytes.Mixed, manifest.Output.Bytes);
    }

    [Fact]
    public void WhereNoPlanIsSmallEnoughTheErrorSaysWhatIsPossible()
    {
        folder.WritePolicy("{ lossError: 0.0001%, size: 50% }", "formats: [int8-weight, int4-weight]\nobjective: memory");
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal((Codes.SizeNotMet, 2), (error.Code, error.Place.Line));
        Assert.Contains("the smallest file within it has about", error.Message, StringComparison.Ordinal);
        Assert.Contains("With a loss error of", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["out"]));
        Assert.Equal(Codes.SizeNotMet, Assert.Throws<MixedPrecisionException>(() => Verbs.Solve(folder.PolicyFile, folder.Options())).Diagnostic.Code);

        // The loss that it names makes it possible.
        double least = Verbs.Explain(folder.PolicyFile, null, folder.Options()).Plan!.Infeasible!.Size!.LeastTau!.Value;
        SolveReport solved = Verbs.Solve(folder.PolicyFile, folder.Options() with { Budget = $"lossError: {least * 100.01:R}%, size: 50%" });
        Assert.InRange(solved.Size!.Predicted, 1, solved.Size.Allowed);

        folder.WritePolicy("{ size: 2% }", "formats: [int8-weight, int4-weight]\nobjective: memory");
        Assert.Contains("whatever the loss", Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Message, StringComparison.Ordinal);
        Assert.Equal(Codes.SizeNotMet, Assert.Throws<MixedPrecisionException>(() => Verbs.Frontier(folder.PolicyFile, folder.Options())).Diagnostic.Code);
        folder.WritePolicy("{ size: 50% }", "formats: fp32");
        Assert.Contains("no layer has a format to choose", Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("agreement: 100%", true)]
    [InlineData("lossIncrease: 50%, agreement: 98%", true)]
    [InlineData("agreement: 90%", false)]
    [InlineData("lossError: 0.5%, lossIncrease: 1%, agreement: 99%, size: 90%", false)]
    public void AsManyAnswersAreTheOriginalsAsAreAskedFor(string budget, bool hasLabels)
    {
        folder.WriteData("evaluation.jsonl", seed: 3, samples: 200);
        folder.WritePolicy($"{{ {budget} }}", "formats: [int8-weight, int4-weight]\nobjective: memory");
        if (!hasLabels)
        {
            File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace(", labels: label", "", StringComparison.Ordinal));
        }

        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal(budget, manifest.Budget.Text);
        Assert.Equal("plan", manifest.Shipped.What);
        Assert.All(manifest.Budget.Limits!, l => Assert.True(l.IsWithin));
        ManifestLimit agreement = manifest.Budget.Limits!.Single(l => l.Name == "agreement");
        Assert.InRange(agreement.Measured, agreement.Allowed - 1e-9, 1);
        Assert.Equal(agreement.Measured, manifest.Measured.Agreement);

        // Of 200 answers, a whole number.
        Assert.Equal(Math.Round(agreement.Measured * 200), agreement.Measured * 200, 9);
        Assert.True(manifest.Budget.StatedTau is not { } stated || manifest.Predicted.RelativeLossError <= stated);
    }

    [Fact]
    public void ALossWithoutAnswersHasNoAgreement()
    {
        folder.WritePolicy("{ agreement: 99% }");
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("loss: cross-entropy, labels: label", "loss: output-mse", StringComparison.Ordinal));
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal(Codes.BudgetDoesNotSuit, error.Code);
        Assert.Contains("equal answers need a loss of classes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RulesForbidBoundAndShare()
    {
        string[][] free = Formats("");
        Assert.Contains(free.SelectMany(f => f), f => f == FormatTexts.Int4Weight);
        Assert.DoesNotContain(Formats("{ match: '*', not: int4-weight }").SelectMany(f => f), f => f == FormatTexts.Int4Weight);
        Assert.All(Formats("{ match: '*', atLeast: int8-weight }").SelectMany(f => f), f => Assert.NotEqual(FormatTexts.Int4Weight, f));
        Assert.All(Formats("{ match: '*', not: [fp32, int8-weight] }").SelectMany(f => f), f => Assert.Equal(FormatTexts.Int4Weight, f));

        // At budgets from little to all, all layers have one format, and more of it is found than by pinning.
        var seen = new HashSet<string>();
        foreach (string budget in new[] { "0.001%", "0.3%", "20%" })
        {
            seen.Add(Assert.Single(Formats("{ match: '*', sharedFormat: true }", budget).SelectMany(f => f).Distinct()));
        }

        Assert.Equal(["fp32", FormatTexts.Int4Weight], new[] { seen.First(), seen.Last() });
    }

    [Fact]
    public void RulesThatCannotBeKeptTogetherAreErrorsWithTheirPlace()
    {
        string[] names = [.. Verbs.Inspect(folder["model.onnx"], folder.Options()).Subgraphs.SelectMany(s => s.Layers).Select(l => l.Name)];
        AssertError(Codes.RulesContradict, $"exclude each other", $"{{ match: '*', not: int4-weight }}, {{ match: '{names[0]}', format: int4-weight }}");
        AssertError(Codes.RulesContradict, "'*' (atLeast: int8-weight)", $"{{ match: '{names[0]}', format: int4-weight, not: int8-weight }}, {{ match: '*', atLeast: int8-weight }}");
        AssertError(Codes.RulesContradict, "no format: fp32: the rule '*' forbids it", "{ match: '*', not: [fp32, int8-weight, int4-weight] }");
        AssertError(
            Codes.FormatCannotBeShared, $"'{names[0]}' may take {FormatTexts.Int4Weight}, and '{names[2]}' fp32",
            $"{{ match: '*', sharedFormat: true }}, {{ match: '{names[0]}', format: int4-weight }}, {{ match: '{names[2]}', format: fp32 }}");

        void AssertError(ErrorCode code, string words, string rules)
        {
            Policy("1%", $"layers: [ {rules} ]");
            Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Verbs.Solve(folder.PolicyFile, folder.Options())).Diagnostic;
            Assert.Equal(code, error.Code);
            Assert.Contains(words, error.Message, StringComparison.Ordinal);
            Assert.Equal(9, error.Place.Line);
        }
    }

    [Fact]
    public void ExplainSaysWhatRulesAndLimitsCost()
    {
        Policy("{ lossError: 5%, lossIncrease: 100%, agreement: 50%, size: 90% }", "layers: [ { match: '*', not: int4-weight, sharedFormat: true } ]");
        ExplainReport report = Verbs.Explain(folder.PolicyFile, null, folder.Options());
        double bound = Verbs.Solve(folder.PolicyFile, folder.Options()).Predicted.Gain.Value;
        ExplainedRule rule = Assert.Single(report.Plan!.Rules);
        Policy("{ lossError: 5%, lossIncrease: 100%, agreement: 50%, size: 90% }");
        Assert.Equal(Verbs.Solve(folder.PolicyFile, folder.Options()).Predicted.Gain.Value - bound, rule.Cost!.Value, 1.0);
        Assert.Equal("not: [int4-weight], sharedFormat: true", rule.Asks);
        Assert.Equal(["lossError: 5%", "lossIncrease: 100%", "agreement: 50%", "size: 90%"], report.Plan.Limits.Select(l => l.Text));
        Assert.Null(report.Plan.Limits[2].Cost);

        // The objective is memory, which no limit of the size holds back; a wider loss gains more.
        Assert.Equal(0, report.Plan.Limits[3].Cost!.Value, 1.0);
        Assert.True(report.Plan.Limits[0].Cost >= 0);
        Assert.Contains("limit size: 90%: costs nothing", report.ToLines());
    }

    [Fact]
    public void ExplainNamesTheLimitThatIsInTheWay()
    {
        Policy("{ lossError: 0.0001%, size: 50% }");
        ExplainReport report = Verbs.Explain(folder.PolicyFile, null, folder.Options());
        ExplainedSize size = report.Plan!.Infeasible!.Size!;
        Assert.Equal(Original / 2, size.Allowed);
        Assert.InRange(size.Smallest, size.Allowed + 1, Original);
        Assert.InRange(size.TauOfSmallest, 0, 1e-6);
        Assert.All(report.Plan.Limits, l => Assert.True(l.IsInTheWay));
        Assert.StartsWith($"model.onnx: no plan meets size: 50% within a relative loss error of {ReportText.Percent(1e-6)}: the smallest has about", report.ToLines().First(), StringComparison.Ordinal);
        Assert.Contains("limit size: 50%: without it there is a plan", report.ToLines());
    }

    [Fact]
    public void TheFrontierHasNoLargerFiles()
    {
        Policy("1%");
        FrontierReport all = Verbs.Frontier(folder.PolicyFile, folder.Options());
        Policy("{ lossError: 1%, size: 50% }");
        FrontierReport small = Verbs.Frontier(folder.PolicyFile, folder.Options());
        Assert.Contains(all.Points, p => p.Bytes > Original / 2);
        Assert.All(small.Points, p => Assert.InRange(p.Bytes, 1, Original / 2));
        Assert.Equal(all.Points[^1].Gain, small.Points[^1].Gain);
    }

    [Fact]
    public void ALockSeesEveryConstraint()
    {
        Policy("{ lossError: 5%, agreement: 50%, size: 80% }", "layers: [ { match: '*', not: [int4-weight], atLeast: int8-weight, sharedFormat: true } ]");
        LockResult locked = Verbs.Lock(folder.PolicyFile, folder.Options());
        Assert.Equal(3, locked.Lock.Models[0].Manifest.Budget.Limits!.Count);
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal(locked.Lock.Models[0].Manifest.ToJson(), manifest.ToJson());
        string text = File.ReadAllText(folder.PolicyFile);
        foreach ((string from, string to) in new[] { ("[int4-weight]", "[fp32]"), ("atLeast: int8-weight", "atLeast: int4-weight"), ("sharedFormat: true", "sharedFormat: false"), ("size: 80%", "size: 81%"), ("agreement: 50%", "agreement: 51%") })
        {
            File.WriteAllText(folder.PolicyFile, text.Replace(from, to, StringComparison.Ordinal));
            Assert.Equal(Codes.LockPolicyDrift, Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic.Code);
        }
    }

    public void Dispose() => folder.Dispose();

    private string[][] Formats(string rule, string budget = "20%")
    {
        Policy(budget, rule.Length == 0 ? "" : $"layers: [ {rule} ]");
        return [.. Verbs.Solve(folder.PolicyFile, folder.Options()).Subgraphs.Select(s => s.Layers.Select(l => l.Format).ToArray())];
    }

    private void Policy(string budget, string more = "") => folder.WritePolicy(budget, $"objective: memory\nformats: [int8-weight, int4-weight]\n{more}");
}
