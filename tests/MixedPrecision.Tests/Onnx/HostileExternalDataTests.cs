using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Onnx;

/// <summary>
/// Attacks by external data. A hard link in the model's folder is read: it cannot be told from a file, and whoever can make one can already
/// read what it names.
/// </summary>
public sealed class HostileExternalDataTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("external").FullName;
    private readonly string folder;

    public HostileExternalDataTests()
    {
        folder = Directory.CreateDirectory(Path.Combine(root, "model")).FullName;
        File.WriteAllBytes(Path.Combine(root, "secret"), new byte[16]);
        File.WriteAllBytes(Path.Combine(folder, "data"), [.. Enumerable.Range(0, 32).Select(i => (byte)i)]);
    }

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData("data")]
    [InlineData("./data")]
    public void AFileBesideTheModelIsRead(string location) => Assert.Equal(8, Read(location, "8", "16").Bytes.Span[0]);

    [Theory]
    [InlineData("../secret")]
    [InlineData("..\\secret")]
    [InlineData("sub/../../secret")]
    [InlineData("/etc/passwd")]
    [InlineData("C:\\secret")]
    [InlineData("file:///etc/passwd")]
    [InlineData("data\0")]
    public void ALocationOutsideIsRefused(string location) => Refused(Codes.ExternalDataOutside, location);

    [Fact]
    public void AnAbsolutePathOfAFileThatExistsIsRefused() => Refused(Codes.ExternalDataOutside, Path.Combine(root, "secret"));

    [Fact]
    public void ALinkThatLeadsOutIsRefused()
    {
        File.CreateSymbolicLink(Path.Combine(folder, "link"), Path.Combine(root, "secret"));
        File.CreateSymbolicLink(Path.Combine(folder, "chain"), Path.Combine(folder, "link"));
        Directory.CreateSymbolicLink(Path.Combine(folder, "directory"), root);
        Refused(Codes.ExternalDataOutside, "link");
        Refused(Codes.ExternalDataOutside, "chain");
        Refused(Codes.ExternalDataOutside, "directory/secret");
    }

    /// <summary>A file may be replaced by a link between loading and reading; what the link names is checked at the time of reading.</summary>
    [Fact]
    public void ALinkThatStaysInsideIsRead()
    {
        File.CreateSymbolicLink(Path.Combine(folder, "link"), Path.Combine(folder, "data"));
        Assert.Equal(16, Read("link", "0", "16").Bytes.Length);
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("sub/data")]
    [InlineData("")]
    public void AFileThatIsNotThereIsNamed(string location) => Refused(Codes.ExternalDataMissing, location);

    [Theory]
    [InlineData("17", "16")]
    [InlineData("33", "16")]
    [InlineData("9223372036854775807", "16")]
    [InlineData("0", "9223372036854775807")]
    [InlineData("0", "15")]
    [InlineData("-1", "16")]
    [InlineData("0", "-16")]
    [InlineData("99999999999999999999", "16")]
    [InlineData("0x10", "16")]
    [InlineData("", "16")]
    public void AnOffsetOrLengthThatDoesNotFitIsRefused(string offset, string length) => Refused(Codes.ExternalDataInvalid, "data", offset, length);

    [Fact]
    public void AReferenceWithoutALocationIsRefused()
    {
        using var external = new ExternalData(folder);
        var tensor = new TensorProto { Name = "w", DataType = ElementType.Float, Dims = { 4 }, DataLocation = 1 };
        Assert.Equal(Codes.ExternalDataInvalid, Assert.Throws<MixedPrecisionException>(() => TensorProtos.Read(tensor, external)).Diagnostic.Code);
    }

    [Fact]
    public void AnEmptyFileIsRefused()
    {
        File.WriteAllBytes(Path.Combine(folder, "empty"), []);
        Refused(Codes.ExternalDataInvalid, "empty");
    }

    private void Refused(ErrorCode code, string location, string offset = "0", string length = "16")
    {
        var error = Assert.Throws<MixedPrecisionException>(() => Read(location, offset, length));
        Assert.Equal((code, "w"), (error.Diagnostic.Code, error.Diagnostic.Place.Tensor));
    }

    /// <summary>Four floats from a location; the bytes are copied since the file is unmapped at the end.</summary>
    private Tensor Read(string location, string offset, string length)
    {
        using var external = new ExternalData(folder);
        var tensor = new TensorProto { Name = "w", DataType = ElementType.Float, Dims = { 4 }, DataLocation = 1 };
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = offset });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = length });
        Tensor read = TensorProtos.Read(tensor, external);
        return new Tensor(read.ElementType, read.Shape, read.Bytes.ToArray());
    }
}
