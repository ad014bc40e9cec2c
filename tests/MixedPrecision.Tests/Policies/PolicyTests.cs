using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Policies;

public class PolicyTests
{
    private const string Full = """
        model: model.onnx
        budget: 1%                # τ: root-mean-square error of the loss, relative to the loss's root mean square
        calibration: { data: calibration.jsonl, loss: cross-entropy, labels: label, samples: 256 }
        evaluation: { data: evaluation.jsonl }
        formats: cpu              # a preset, or a list such as [int8-dynamic, int4-weight]
        objective: time           # time, theoretical-time or memory
        scenarios: [ { inputs: { batch: 8, sequence: 48 }, weight: 1 } ]   # values of the model's symbolic dimensions
        layers: [ { match: "/classifier/*", format: fp32 } ]
        runtime: { provider: cpu, threads: 2 }
        """;

    [Fact]
    public void Every_key_is_read()
    {
        Policy policy = Read(Full);

        Assert.Equal("model.onnx", policy.Model);
        Assert.Equal([new LossLimit(BudgetKind.LossError, 0.01)], policy.Budget.Limits);
        Assert.Equal(new CalibrationPolicy("calibration.jsonl", LossKind.CrossEntropy, "label", 256, null), policy.Calibration);
        Assert.Equal(new EvaluationPolicy("evaluation.jsonl", null), policy.Evaluation);
        Assert.Equal(FormatFamilies.Presets["cpu"], policy.Formats);
        Assert.Equal(Objective.Time, policy.Objective);
        Assert.Equal(0.01, policy.MinimumGain);
        ScenarioPolicy scenario = Assert.Single(policy.Scenarios);
        Assert.Equal((8, 48, 1.0), (scenario.Inputs["batch"], scenario.Inputs["sequence"], scenario.Weight));
        Assert.Equal(new Place("p.yaml", 7, 14), scenario.Place);
        Assert.Equal(new LayerRule("/classifier/*", "fp32", new Place("p.yaml", 8, 11)), Assert.Single(policy.Layers));
        Assert.Equal(new RuntimePolicy("cpu", 2, new Place("p.yaml", 9, 10)), policy.Runtime);
    }

    [Fact]
    public void Block_style_line_ends_and_other_values_are_read()
    {
        Policy policy = Read("""
            # a comment
            model: "größe/my model.onnx"
            output: small.onnx
            budget: 0.003
            calibration:
              samples: 12
              loss: next-token
              output: logits
            evaluation:
              data: 'held out.jsonl'
              samples: 7
            formats: [int4-weight, int8-dynamic]
            objective: theoretical-time
            minimumGain: 2%
            scenarios:
              - name: prefill
                inputs: { batch: 1, "past sequence": 4294967296 }
                weight: 0.3
              - inputs: {}
            layers:
              - { match: lm_head, format: int4-weight }
              - match: "*"
                format: fp32
            """.Replace("\n", "\r\n", StringComparison.Ordinal));

        Assert.Equal("größe/my model.onnx", policy.Model);
        Assert.Equal("small.onnx", policy.Output);
        Assert.Equal([new LossLimit(BudgetKind.LossError, 0.003)], policy.Budget.Limits);
        Assert.Equal(new CalibrationPolicy(null, LossKind.NextToken, null, 12, "logits"), policy.Calibration);
        Assert.Equal(new EvaluationPolicy("held out.jsonl", 7), policy.Evaluation);
        Assert.Equal(["fp32", "int8-dynamic(gptq)", "int4-weight(block=32,symmetric,accuracy=4,gptq)"], policy.Formats);
        Assert.Equal(Objective.TheoreticalTime, policy.Objective);
        Assert.Equal(0.02, policy.MinimumGain);
        Assert.Equal(("prefill", 0.3, 4294967296), (policy.Scenarios[0].Name, policy.Scenarios[0].Weight, policy.Scenarios[0].Inputs["past sequence"]));
        Assert.Equal(new Place("p.yaml", 16, 5), policy.Scenarios[0].Place);
        Assert.Equal((1.0, 0), (policy.Scenarios[1].Weight, policy.Scenarios[1].Inputs.Count));
        Assert.Equal(["lm_head", "*"], policy.Layers.Select(rule => rule.Match));
    }

    [Fact]
    public void Only_the_model_is_required()
    {
        Policy policy = Read("model: m.onnx");

        Assert.Equal("m.onnx", policy.Model);
        Assert.Equal([new LossLimit(BudgetKind.LossError, 0.01)], policy.Budget.Limits);
        Assert.Equal(new CalibrationPolicy(null, null, null, 256, null), policy.Calibration);
        Assert.Null(policy.Evaluation);
        Assert.Null(policy.Output);
        Assert.Equal(FormatFamilies.Presets["cpu"], policy.Formats);
        Assert.Equal(Objective.Time, policy.Objective);
        Assert.Empty(policy.Scenarios);
        Assert.Empty(policy.Layers);
        Assert.Equal(new RuntimePolicy("cpu", 0, new Place("p.yaml")), policy.Runtime);
    }

    [Fact]
    public void Three_lines_are_a_policy()
    {
        Policy policy = Read("model: m.onnx\nbudget: 1%\ncalibration: { data: calibration.jsonl, loss: cross-entropy, labels: label }\n");

        Assert.Equal(("m.onnx", 0.01, "label"), (policy.Model, policy.Budget.Limits[0].Value, policy.Calibration.Labels));
    }

    [Theory]
    [InlineData("1%", 0.01)]
    [InlineData("\"1%\"", 0.01)]
    [InlineData("0.1 %", 0.001)]
    [InlineData("100%", 1)]
    [InlineData(".5%", 0.005)]
    [InlineData("0.01", 0.01)]
    [InlineData("1e-3", 0.001)]
    public void A_budget_is_a_percentage_or_a_fraction(string text, double expected)
    {
        Assert.Equal(expected, Read($"model: m.onnx\nbudget: {text}").Budget.Limits[0].Value, 1e-15);
        Assert.Equal(expected, Read("model: m.onnx").WithBudget(text.Trim('"'), Place.None).Budget.Limits[0].Value, 1e-15);
    }

    [Theory]
    [InlineData("{ lossError: 1% }", BudgetKind.LossError, 0.01, "lossError: 1%")]
    [InlineData("{ lossIncrease: 0.005 }", BudgetKind.LossIncrease, 0.005, "lossIncrease: 0.5%")]
    [InlineData("{ accuracyDrop: 0.25% }", BudgetKind.AccuracyDrop, 0.0025, "accuracyDrop: 0.25%")]
    [InlineData("{ accuracyDrop: 0 }", BudgetKind.AccuracyDrop, 0, "accuracyDrop: 0%")]
    [InlineData("{ agreement: 99.5% }", BudgetKind.Agreement, 0.995, "agreement: 99.5%")]
    [InlineData("{ agreement: 0.98 }", BudgetKind.Agreement, 0.98, "agreement: 98%")]
    [InlineData("{ agreement: 1 }", BudgetKind.Agreement, 1, "agreement: 100%")]
    public void A_budget_may_say_what_it_is_about(string text, BudgetKind kind, double value, string words)
    {
        BudgetPolicy budget = Read($"model: m.onnx\nbudget: {text}").Budget;

        Assert.Equal((kind, value, words), (budget.Limits.Single().Kind, budget.Limits[0].Value, budget.ToString()));
        Assert.Equal(words, Read("model: m.onnx").WithBudget(text.Trim('{', '}', ' '), Place.None).Budget.ToString());
    }

    /// <summary>Limits stand in one order however they are written, and the size alone leaves the loss its default.</summary>
    [Theory]
    [InlineData("{ size: 40 MB, agreement: 99%, lossError: 1% }", "lossError: 1%, agreement: 99%, size: 40 MB", 40_000_000)]
    [InlineData("{ lossIncrease: 0, accuracyDrop: 0.5%, size: 60% }", "lossIncrease: 0%, accuracyDrop: 0.5%, size: 60%", 600_000)]
    [InlineData("{ size: 1.5KiB }", "lossError: 1%, size: 1.5 KiB", 1536)]
    public void A_budget_may_state_several_limits(string text, string words, long bytes)
    {
        BudgetPolicy budget = Read($"model: m.onnx\nbudget: {text}").Budget;

        Assert.Equal(words, budget.ToString());
        Assert.Equal(bytes, budget.Size!.Bytes(1_000_000));
        Policy other = Read("model: m.onnx\nbudget: { size: 1 B }").WithBudget(text.Trim('{', '}', ' '), new Place("--budget"));
        Assert.Equal(words, other.Budget.ToString());
        Assert.Equal(new Place("--budget"), other.PlaceOfSize);
        Assert.DoesNotContain("budget.size", other.Texts.Keys);
        Assert.Equal(words, Read("model: m.onnx").WithBudget(words, Place.None).Budget.ToString());
    }

    [Theory]
    [InlineData("lossError: 1%, lossError: 2%", "'lossError' twice")]
    [InlineData("1%, lossError: 2%", "'lossError' twice")]
    [InlineData("1%, speed: 2", "unknown name 'speed'")]
    [InlineData("1%, size: 40", "units are %, B, kB, MB")]
    public void Several_limits_of_the_command_line_have_their_mistakes(string text, string words) =>
        Assert.Contains(words, Assert.Throws<MixedPrecisionException>(() => Read("model: m.onnx").WithBudget(text, new Place("--budget"))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_rule_may_forbid_bound_and_share()
    {
        Policy policy = Read("""
            model: m.onnx
            formats: [ int8-dynamic, "int4-weight(block=32)", "int4-weight(block=128)", bf16 ]
            layers:
              - { match: "*", not: int4-weight }
              - { match: "a", not: [ "int4-weight(block=128)", { int8-dynamic: { preparation: rounded } } ], atLeast: int8-weight, sharedFormat: true }
            """);

        Assert.Equal((null, "not: [int4-weight]"), (policy.Layers[0].Format, policy.Layers[0].Asks));
        LayerRule rule = policy.Layers[1];
        Assert.Equal("not: [int4-weight(block=128), int8-dynamic(rounded)], atLeast: int8-weight, sharedFormat: true", rule.Asks);
        Assert.True(rule.Not[0].Matches(FormatId.Parse("int4-weight(block=128,zero-points)")));
        Assert.False(rule.Not[0].Matches(FormatId.Parse("int4-weight(block=32)")));
        Assert.True(policy.Layers[0].Not[0].Matches(FormatId.Parse("int4-weight(block=32)")));
        Assert.Equal((false, true), (rule.Not[1].Matches(FormatId.Parse("int8-dynamic(full,gptq)")), rule.Not[1].Matches(FormatId.Parse("int8-dynamic(paired,rounded)"))));
    }

    [Fact]
    public void A_wrong_budget_of_the_command_line_names_its_place()
    {
        var error = Assert.Throws<MixedPrecisionException>(() => Read("model: m.onnx").WithBudget("1", new Place("--budget")));

        Assert.Equal(Codes.PolicyImpossibleValue, error.Diagnostic.Code);
        Assert.Equal(new Place("--budget"), error.Diagnostic.Place);
        Assert.Contains("write 1%", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_baseline_leads_the_formats()
    {
        Assert.Equal(FormatFamilies.Baseline, FormatFamilies.All[0].Name);
        Assert.All(FormatFamilies.Presets.Values, formats => Assert.Equal(FormatFamilies.Baseline, formats[0]));
        Assert.All(FormatFamilies.Presets.Values, formats => Assert.Equal(FormatFamilies.InOrder(formats), formats));
        Assert.Contains(FormatFamilies.DefaultPreset, FormatFamilies.Presets);
    }

    [Fact]
    public void Losses_have_a_short_form_sections_and_lists()
    {
        CalibrationPolicy calibration = Read("""
            model: m.onnx
            calibration:
              labels: label
              mask: keep
              loss:
                - next-token
                - { kind: cross-entropy, output: a, labels: b, weight: 0.5, ignoreLabel: -7 }
                - { kind: graph, file: loss.onnx, mask: other }
            """).Calibration;

        Assert.Null(calibration.Loss);
        Assert.Equal(
            [
                new LossPolicy(LossKind.NextToken, new Place("p.yaml", 6, 7), Labels: "label", Mask: "keep"),
                new LossPolicy(LossKind.CrossEntropy, new Place("p.yaml", 7, 7), "a", 0.5, "b", "keep", -7),
                new LossPolicy(LossKind.Graph, new Place("p.yaml", 8, 7), Labels: "label", Mask: "other", File: "loss.onnx"),
            ],
            calibration.AllLosses(Place.None));
        Assert.Equal(
            [new LossPolicy(LossKind.OutputMse, Place.None, "y")],
            Read("model: m.onnx\ncalibration: { loss: output-mse, output: y }").Calibration.AllLosses(Place.None));
        Assert.Empty(Read("model: m.onnx").Calibration.AllLosses(Place.None));
    }

    [Fact]
    public void Each_scenario_may_have_a_plan_of_its_own_with_sizes_that_the_app_fixes()
    {
        const string Text = "model: m.onnx\nscenarios: [ { inputs: { a: 1 } }, { inputs: { a: 2 } } ]\n";
        Assert.False(Read(Text).PlansPerScenario);
        Assert.False(Read(Text + "plans: one").PlansPerScenario);
        Assert.True(Read(Text + "plans: per-scenario\nruntime: { freeDimensions: true }").PlansPerScenario);
        Assert.Throws<MixedPrecisionException>(() => Read(Text + "runtime: { freeDimensions: true }"));
    }

    internal static Policy Read(string text) => PolicyReader.Read("p.yaml", text, Path.GetTempPath());
}
