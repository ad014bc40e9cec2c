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

        IReadOnlyDictionary<string, string> pins = PolicyChecks.Pins(policy.Layers, Layers);

        Assert.Equal(["int8-dynamic(gptq)", "int8-dynamic(gptq)", "fp32"], Layers.SkipLast(1).Select(layer => pins[layer]));
        Assert.False(pins.ContainsKey("/classifier/Gemm"));
    }

    [Fact]
    public void A_rule_that_matches_nothing_is_an_error_at_its_place()
    {
        Policy policy = PolicyTests.Read("model: m.onnx\nlayers:\n  - match: /clasifier/Gemm\n    format: fp32");

        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => PolicyChecks.Pins(policy.Layers, Layers)).Diagnostic;

        Assert.Equal((Codes.PolicyRuleMatchesNothing, new Place("p.yaml", 3, 5)), (error.Code, error.Place));
        Assert.Contains("did you mean '/classifier/Gemm'? The model has the layers '/embed/MatMul'", error.Message, StringComparison.Ordinal);
    }
}
