using MixedPrecision.Onnx;
using MixedPrecision.Tests.Structure;

namespace MixedPrecision.Tests;

/// <summary>Data flows one way through the engine: each folder uses only those before it.</summary>
public class StructureTests
{
    // The table of gradient rules names the rules, and these read the walker's context: the two folders are one place in the order.
    private static readonly string[] Order =
    [
        "Diagnostics", "Caching", "Policies", "Onnx", "Onnx.Lowering", "Execution", "Partitioning", "Formats", "Structures.Shapes", "Structures", "Quantization",
        "Data", "Autodiff + Autodiff.Rules", "Losses", "Calibration", "Benchmarking", "Solving", "Verification", "Validation", "Reporting", "Reporting.Page", "Pipeline",
    ];

    private static readonly IReadOnlySet<(string User, string Used)> Uses = TypeUses.Of(typeof(OnnxModel).Assembly.Location);

    [Fact]
    public void NoTypeUsesOneOfALaterFolder() => Assert.Empty(TypeUses.Violations(Uses, Order));

    /// <summary>Against an order that is wrong, the check has to find what it exists to find: both names, from signatures as well as bodies.</summary>
    [Theory]
    [InlineData("MixedPrecision.Onnx.ExternalData uses MixedPrecision.Diagnostics.Errors")] // only in the bodies of its methods
    [InlineData("MixedPrecision.Onnx.OnnxModel uses MixedPrecision.Diagnostics.Errors")]
    public void AUseAgainstTheOrderIsNamed(string violation)
    {
        string[] reversed = [.. Order.Reverse()];
        Assert.Contains(violation, TypeUses.Violations(Uses, reversed));
    }

    [Fact]
    public void AUseInASignatureIsSeen() =>
        Assert.Contains(("MixedPrecision.Partitioning.Partition", "MixedPrecision.Onnx.GraphView"), Uses);

    [Fact]
    public void AFolderThatIsNotInTheOrderIsNamed() =>
        Assert.Contains("MixedPrecision.Partitioning is no folder of the engine's order", TypeUses.Violations(Uses, [.. Order.Except(["Partitioning"])]));
}
