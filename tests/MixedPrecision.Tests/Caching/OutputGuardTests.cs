using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Tests.Caching;

public sealed class OutputGuardTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Model => folder.Combine("model.onnx");

    public OutputGuardTests() => File.WriteAllText(Model, "model");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AFileThatIsNotThereReplacesNothing() => OutputGuard.Check([folder.Combine("mixed.onnx")], [Model, folder.Combine("absent")]);

    [Fact]
    public void AFileOfItsOwnMayBeReplaced()
    {
        File.WriteAllText(folder.Combine("mixed.onnx"), "model");
        OutputGuard.Check([folder.Combine("mixed.onnx")], [Model]);
    }

    [Fact]
    public void TheInputUnderItsOwnNameIsRefused() => Refused(Model, Model, Model);

    [Fact]
    public void LinksOfBothKindsAreSeenThrough()
    {
        string symbolic = folder.Combine("symbolic.onnx"), hard = folder.Combine("hard.onnx"), linkedFolder = folder.Combine("linked");
        File.CreateSymbolicLink(symbolic, Model);
        Directory.CreateSymbolicLink(linkedFolder, Path.GetDirectoryName(Model)!);
        // There is no method for a hard link: the system's command makes one.
        using (var link = System.Diagnostics.Process.Start("ln", [Model, hard]))
        {
            link.WaitForExit();
        }

        Refused(symbolic, Model);
        Refused(Model, symbolic);
        Refused(hard, Model);
        Refused(Path.Combine(linkedFolder, "model.onnx"), Model);
    }

    [Fact]
    public void AFolderInTheFilesPlaceIsNamed()
    {
        string place = Directory.CreateDirectory(folder.Combine("mixed.onnx")).FullName;
        var error = Assert.Throws<MixedPrecisionException>(() => OutputGuard.Check([place], [Model]));
        Assert.Equal((Codes.OutputNotWritable, place), (error.Diagnostic.Code, error.Diagnostic.Place.File));
    }

    [Theory]
    [InlineData("""{"policy": "other.yaml", "model": {"file": "model.onnx"}}""", "other.yaml")]
    [InlineData("""{"model": {"file": "other.onnx"}}""", "other.onnx")] // as written before manifests named the policy
    public void AnotherPolicysManifestIsRefused(string manifest, string owner)
    {
        File.WriteAllText(Model, manifest);
        var error = Assert.Throws<MixedPrecisionException>(() => OutputGuard.CheckOwner(Model, "own.yaml", "model.onnx"));
        Assert.Equal((Codes.OutputOverwrites, Model), (error.Diagnostic.Code, error.Diagnostic.Place.File));
        Assert.Contains($"'{owner}'", error.Diagnostic.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"policy": "own.yaml", "model": {"file": "earlier.onnx"}}""")]
    [InlineData("""{"model": {"file": "model.onnx"}}""")]
    [InlineData("""{"policy": "own""")]
    [InlineData("""["no manifest"]""")]
    [InlineData("")]
    public void OnesOwnManifestAndWhatIsNoneMayBeReplaced(string manifest)
    {
        File.WriteAllText(Model, manifest);
        OutputGuard.CheckOwner(Model, "own.yaml", "model.onnx");
        OutputGuard.CheckOwner(folder.Combine("absent.json"), "own.yaml", "model.onnx");
    }

    private static void Refused(string target, string input, string? named = null)
    {
        var error = Assert.Throws<MixedPrecisionException>(() => OutputGuard.Check([target], [input]));
        Assert.Equal((Codes.OutputOverwrites, target), (error.Diagnostic.Code, error.Diagnostic.Place.File));
        Assert.Contains(named is null ? $"'{input}'" : "This file is read", error.Diagnostic.Message, StringComparison.Ordinal);
    }
}
