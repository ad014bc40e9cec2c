using Google.Protobuf;
using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Formats;
using MixedPrecision.Tests.Policies;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>What layers may run in, by policy, kind of layer and processor.</summary>
public sealed class ChoicesTests : IDisposable
{
    private static readonly Machine Exact = Machine.Detect(new RuntimePolicy("cpu", 1, Place.None)) with { Architecture = "x64", InstructionSets = ["avx2", "avx512_vnni"] };
    private static readonly Machine Saturating = Exact with { InstructionSets = ["avx2"] };

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void WhatAPolicyLeavesOpenTheMachineDecides()
    {
        Policy policy = PolicyTests.Read("model: m\nformats: [ int8-dynamic, \"int8-dynamic(paired)\" ]\nlayers: [ { match: a, format: int8-dynamic } ]");
        Policy exact = Choices.On(Exact, policy), saturating = Choices.On(Saturating, policy);
        Assert.Equal(["fp32", "int8-dynamic(paired,gptq)", "int8-dynamic(full,gptq)"], exact.Formats);
        Assert.Equal(["fp32", "int8-dynamic(paired,gptq)"], saturating.Formats);
        Assert.Equal(("int8-dynamic(full,gptq)", "int8-dynamic(paired,gptq)"), (exact.Layers[0].Format, saturating.Layers[0].Format));
    }

    [Fact]
    public void WhatTheProcessorComputesWronglyIsLeftOutWithTheReason()
    {
        using Workspace workspace = Open("matmul", LayerModels.MatMul(4, 32, 16));
        Policy policy = PolicyTests.Read("model: m\nformats: [ \"int8-dynamic(full)\", int8-weight ]");
        LayerOptions exact = Assert.Single(Choices.Of(policy, workspace, Exact)).Value, saturating = Assert.Single(Choices.Of(policy, workspace, Saturating)).Value;
        Assert.Equal(["fp32", "int8-dynamic(full,gptq)", FormatTexts.Int8Weight], exact.Formats);
        Assert.Equal(["fp32", FormatTexts.Int8Weight], saturating.Formats);
        Assert.Contains("neither VNNI nor AMX", saturating.NotApplicable["int8-dynamic(full,gptq)"], StringComparison.Ordinal);

        Policy pinning = PolicyTests.Read("model: m\nformats: \"int8-dynamic(full)\"\nlayers: [ { match: \"*\", format: int8-dynamic(full) } ]");
        Assert.Equal(["int8-dynamic(full,gptq)"], Assert.Single(Choices.Of(pinning, workspace, Exact)).Value.Formats);
        Diagnostic refused = Assert.Throws<MixedPrecisionException>(() => Choices.Of(pinning, workspace, Saturating)).Diagnostic;
        Assert.Equal(Codes.PolicyPinnedFormatDoesNotApply, refused.Code);
        Assert.Contains("neither VNNI nor AMX", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FormatsForOtherKindsOfLayersAreNoNewsUnlessAllAre()
    {
        using Workspace matmul = Open("matmul", LayerModels.MatMul(4, 32, 16)), product = Open("product", LayerModels.Product());
        Policy all = PolicyTests.Read("model: m\nformats: [ \"int8-dynamic(paired)\", int8-dynamic(products), int4-weight ]"), weights = PolicyTests.Read("model: m\nformats: \"int8-dynamic(paired)\"");
        Assert.Empty(Assert.Single(Choices.Of(all, matmul, Exact)).Value.NotApplicable);
        LayerOptions found = Assert.Single(Choices.Of(all, product, Exact)).Value;
        Assert.Empty(found.NotApplicable);
        Assert.Equal(["fp32", FormatTexts.Products], found.Formats);
        Assert.Equal(
            "both operands are activations; 'int8-dynamic(products)' is the format for these",
            Assert.Single(Assert.Single(Choices.Of(weights, product, Exact)).Value.NotApplicable).Value);
    }

    /// <summary>A rule that pins a product to the format for weights is told which one is for products.</summary>
    [Fact]
    public void APinnedProductIsToldItsFormat()
    {
        using Workspace product = Open("product", LayerModels.Product());
        Policy policy = PolicyTests.Read("model: m\nformats: \"int8-dynamic(paired)\"\nlayers: [ { match: \"*\", format: int8-dynamic(paired) } ]");
        Diagnostic refused = Assert.Throws<MixedPrecisionException>(() => Choices.Of(policy, product, Exact)).Diagnostic;
        Assert.Contains("'int8-dynamic(products)' is the format for these", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void InspectTellsNoFormatOfAnotherKind()
    {
        using Workspace matmul = Open("matmul", LayerModels.MatMul(4, 32, 16));
        string text = string.Join('\n', Reports.Inspect(matmul).ToLines());
        Assert.DoesNotContain("not int8-dynamic", text, StringComparison.Ordinal);
    }

    private Workspace Open(string name, ModelProto model)
    {
        string path = Path.Combine(folder.Path, $"{name}.onnx");
        File.WriteAllBytes(path, model.ToByteArray());
        return Workspace.Open(path, name);
    }
}
