using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Policies;

public class PolicyChecksTests
{
    private static readonly string[] Layers = ["/embed/MatMul", "/block.0/MatMul", "/block.1/MatMul", "/classifier/Gemm"];

    [Fact]
    public void The_last_rule_that_matches_counts()
    {
        Policy policy = PolicyTests.Read("""
            model: m.onnx
            layers:
              - { match: "*/MatMul", format: int8-dynamic }
              - { match: /block.1/MatMul, format: fp32 }
            """);

        IReadOnlyDictionary<string, RulesOfLayer> rules = PolicyChecks.Rules(policy.Layers, Layers);

        Assert.Equal(["int8-dynamic(gptq)", "int8-dynamic(gptq)", "fp32"], Layers.SkipLast(1).Select(layer => rules[layer].Pin!.Format!));
        Assert.Null(rules["/classifier/Gemm"].Pin);
    }

    /// <summary>What is forbidden adds up; of the least precisions the last one counts.</summary>
    [Fact]
    public void Rules_that_forbid_all_count_and_the_last_least_precision()
    {
        Policy policy = PolicyTests.Read("""
            model: m.onnx
            layers:
              - { match: "*", not: int4-weight, atLeast: int8-weight }
              - { match: "/block.*", not: [ int8-weight ], atLeast: int2-weight }
            """);
        RulesOfLayer free = RulesOfLayer.Of(policy.Layers, "/embed/MatMul"), block = RulesOfLayer.Of(policy.Layers, "/block.0/MatMul");
        string[] formats = ["fp32", "bf16", "int8-weight", "fp8-e4m3", "int4-weight", "int2-weight"];

        Assert.Equal(["fp32", "bf16", "int8-weight"], formats.Where(f => free.WhyNot(FormatId.Parse(f)) is null));
        Assert.Equal(["fp32", "bf16", "fp8-e4m3", "int2-weight"], formats.Where(f => block.WhyNot(FormatId.Parse(f)) is null));
        Assert.Equal("the rule '*' forbids it", block.WhyNot(FormatId.Parse("int4-weight"))!.Value.Reason);
        Assert.Equal("the rule '*' asks for int8-weight at least", free.WhyNot(FormatId.Parse("fp8-e4m3"))!.Value.Reason);
    }

    [Fact]
    public void Formats_are_ordered_by_bits_and_then_by_those_that_are_significant() => Assert.Equal(
        ["fp32", "fp16", "bf16", "int8-dynamic", "int8-static", "int8-weight", "fp8-e4m3", "fp8-e5m2", "int4-weight", "int2-weight"],
        FormatFamilies.All.OrderByDescending(f => f.Precision).Select(f => f.Name));

    /// <summary>Groups that have a layer in common are one; a layer alone shares with none.</summary>
    [Fact]
    public void Layers_that_share_a_format_are_found_by_pattern()
    {
        Policy policy = PolicyTests.Read("""
            model: m.onnx
            layers:
              - { match: "/embed/*", sharedFormat: true }
              - { match: "/block.?/*", sharedFormat: true }
              - { match: "*.1/MatMul", not: int4-weight, sharedFormat: true }
              - { match: "/classifier/*", sharedFormat: false }
            """);
        SharingLayers group = Assert.Single(SharingLayers.Of(policy.Layers, Layers));
        Assert.Equal(["/block.0/MatMul", "/block.1/MatMul"], group.Layers);
        Assert.Equal("/block.?/*", group.Rule.Match);
        Policy joined = policy with { Layers = [.. policy.Layers, policy.Layers[0] with { Match = "/[eb]*" }, policy.Layers[0] with { Match = "*MatMul" }] };
        Assert.Equal(Layers[..3], Assert.Single(SharingLayers.Of(joined.Layers, Layers)).Layers);
    }

    [Fact]
    public void A_rule_that_matches_nothing_is_an_error_at_its_place()
    {
        Policy policy = PolicyTests.Read("model: m.onnx\nlayers:\n  - match: /clasifier/Gemm\n    format: fp32");

        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => PolicyChecks.Rules(policy.Layers, Layers)).Diagnostic;

        Assert.Equal((Codes.PolicyRuleMatchesNothing, new Place("p.yaml", 3, 5)), (error.Code, error.Place));
        Assert.Contains("did you mean '/classifier/Gemm'? The model has the layers '/embed/MatMul'", error.Message, StringComparison.Ordinal);
    }
}
