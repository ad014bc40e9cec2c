using System.Numerics.Tensors;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using Tensor = MixedPrecision.Onnx.Tensor;

namespace MixedPrecision.Tests.Data;

public sealed class ImageFolderTests : IDisposable
{
    private static readonly Dimension Open = Dimension.Unknown;
    private readonly TemporaryFolder folder = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PixelsAreScaledAndLaidOutInPlanes(bool png)
    {
        byte[] rgb = Pictures.Pattern(2, 3);
        (png ? (Action<string, int, int, byte[]>)Pictures.WritePng : Pictures.WriteBmp)(folder.Combine(png ? "a.png" : "a.bmp"), 2, 3, rgb);
        Sample sample = Assert.Single(Read(ImagePolicy.Default with { Mean = [0.5, 0.25, 0], Deviation = [2] }, Input(Open, 3, Open, Open)));
        Tensor value = sample.Inputs["x"];
        Assert.Equal([1, 3, 2, 3], value.Shape);
        double[] mean = [0.5, 0.25, 0];
        float[] expected = [.. Enumerable.Range(0, 18).Select(i => (float)(((rgb[(i % 6 * 3) + (i / 6)] / 255.0) - mean[i / 6]) / 2))];
        Assert.Equal(expected, value.Values<float>());
        Assert.Equal(png ? "images/a.png" : "images/a.bmp", sample.Place.File);
    }

    [Fact]
    public void ChannelsMayComeLastAndBlueFirst()
    {
        byte[] rgb = Pictures.Pattern(2, 2);
        Pictures.WriteBmp(folder.Combine("a.bmp"), 2, 2, rgb);
        Tensor value = Assert.Single(Read(ImagePolicy.Default with { Scale = 1, Channels = ChannelOrder.Bgr }, Input(1, Open, Open, 3))).Inputs["x"];
        Assert.Equal([1, 2, 2, 3], value.Shape);
        Assert.Equal(Enumerable.Range(0, 12).Select(i => (float)rgb[(i / 3 * 3) + 2 - (i % 3)]), value.Values<float>().ToArray());
        Tensor forced = Assert.Single(Read(ImagePolicy.Default with { Layout = ImageLayout.ChannelsLast }, Input(Open, Open, Open, Open))).Inputs["x"];
        Assert.Equal([1, 2, 2, 3], forced.Shape);
    }

    [Fact]
    public void AnInputOfBytesGetsPixelsAsTheyAre()
    {
        byte[] rgb = Pictures.Pattern(2, 2);
        Pictures.WriteBmp(folder.Combine("a.bmp"), 2, 2, rgb);
        Tensor value = Assert.Single(Read(ImagePolicy.Default, new InputDeclaration("x", new TensorType(ElementType.UInt8, [Dimension.Of(1), Dimension.Of(2), Dimension.Of(2), Dimension.Of(3)])))).Inputs["x"];
        Assert.Equal(rgb, value.Values<byte>());
        Assert.Equal(
            Codes.DataWrongType,
            Refused(ImagePolicy.Default with { Mean = [200], Scale = 1 }, new InputDeclaration("x", new TensorType(ElementType.UInt8, [Dimension.Of(1), Dimension.Of(2), Dimension.Of(2), Dimension.Of(3)]))).Code);
    }

    [Fact]
    public void GreyIsTakenForOneChannel()
    {
        Pictures.WriteBmp(folder.Combine("a.bmp"), 1, 2, [100, 100, 100, 30, 30, 30]);
        Assert.Equal([100f, 30], Assert.Single(Read(ImagePolicy.Default with { Scale = 1 }, Input(1, 1, 1, 2))).Inputs["x"].Values<float>());
    }

    /// <summary>Halving takes all pixels: a new one, 2 wide, reaches 1 pixel to each side of them, with weights 1, 3, 3 and 1.</summary>
    [Fact]
    public void ResizingReachesOverAllPixelsThatANewOneCovers()
    {
        float[] line = [0, 40, 80, 200, 240, 240, 0, 0];
        var image = new Image(1, 8, 1, line);
        float[] expected = [(3 * 0 + 3 * 40 + 80) / 7f, (40 + (3 * 80) + (3 * 200) + 240) / 8f, (200 + (3 * 240) + (3 * 240) + 0) / 8f, (240 + 0 + 0) / 7f];
        Assert.Equal(expected.Select(v => MathF.Round(v)), image.Resize(1, 4).Values);
        // Enlarged, pixels lie between their neighbours; the same along the other axis.
        Assert.Equal([0, 10, 30, 40], new Image(1, 2, 1, [0, 40]).Resize(1, 4).Values);
        Assert.Equal([0, 10, 30, 40], new Image(2, 1, 1, [0, 40]).Resize(4, 1).Values);
        Assert.All(new Image(7, 5, 3, [.. Enumerable.Repeat(9f, 105)]).Resize(3, 11).Values, v => Assert.Equal(9, v));
    }

    [Fact]
    public void TheShorterSideIsResizedAndTheMiddleCutOut()
    {
        byte[] rgb = [.. Enumerable.Range(0, 4 * 8 * 3).Select(i => (byte)(i / 3 % 8 * 20))];
        Pictures.WriteBmp(folder.Combine("a.bmp"), 4, 8, rgb);
        Assert.Equal([1, 3, 2, 4], Shape(ImagePolicy.Default with { Resize = [2] }));
        Assert.Equal([1, 3, 6, 5], Shape(ImagePolicy.Default with { Resize = [6, 5] }));
        Assert.Equal([1, 3, 2, 2], Shape(ImagePolicy.Default with { Crop = [2] }));
        Tensor middle = Assert.Single(Read(ImagePolicy.Default with { Crop = [1, 4], Scale = 1 }, Input(Open, 3, Open, Open))).Inputs["x"];
        Assert.Equal([40f, 60, 80, 100], middle.Values<float>()[..4]);
        // A model of fixed size gets its size without a word in the policy.
        Assert.Equal([1, 3, 2, 2], Assert.Single(Read(ImagePolicy.Default, Input(1, 3, 2, 2))).Inputs["x"].Shape);
        Diagnostic tooSmall = Refused(ImagePolicy.Default with { Crop = [5] }, Input(Open, 3, Open, Open));
        Assert.Equal((Codes.DataImageInvalid, "images/a.bmp"), (tooSmall.Code, tooSmall.Place.File));

        long[] Shape(ImagePolicy policy) => Assert.Single(Read(policy, Input(Open, 3, Open, Open))).Inputs["x"].Shape;
    }

    [Fact]
    public void NamesOfSubFoldersAreClasses()
    {
        foreach (string name in new[] { "dog/1.bmp", "cat/2.bmp", "cat/deep/3.bmp", "bird/4.bmp" })
        {
            Pictures.WriteBmp(folder.Combine(name), 1, 1, [1, 2, 3]);
        }

        File.WriteAllText(folder.Combine("cat/readme.txt"), "no image");
        Assert.Equal(["label"], SampleReader.Keys(folder.Path, "images"));
        IReadOnlyList<Sample> samples = Read(ImagePolicy.Default, Input(1, 3, 1, 1), "class");
        Assert.Equal(
            [("images/bird/4.bmp", 0), ("images/cat/2.bmp", 1), ("images/cat/deep/3.bmp", 1), ("images/dog/1.bmp", 2)],
            samples.Select(s => (s.Id, (int)s.Label!.Values<long>()[0])).Order());
        // Neither sorted by class nor in the order of the file system.
        Assert.Equal(ImageFolder.Files(folder.Path).Select(f => "images/" + f), samples.Select(s => s.Id));
    }

    /// <summary>A class that the evaluation's images lack must not move the others.</summary>
    [Fact]
    public void ClassesOfOtherFoldersAreThoseOfTheFolderThatIsNamed()
    {
        foreach (string name in new[] { "a/bird/1.bmp", "a/cat/2.bmp", "b/cat/3.bmp", "c/dog/4.bmp" })
        {
            Pictures.WriteBmp(folder.Combine(name), 1, 1, [1, 2, 3]);
        }

        var format = new DataFormat(null, null, folder.Path, folder.Combine("a"));
        Assert.Equal([1L], SampleReader.Read(folder.Combine("b"), "b", [Input(1, 3, 1, 1)], "label", null, null, format).Single().Label!.Values<long>());
        Diagnostic unknown = Assert.Throws<MixedPrecisionException>(() => SampleReader.Read(folder.Combine("c"), "c", [Input(1, 3, 1, 1)], "label", null, null, format)).Diagnostic;
        Assert.Equal((Codes.DataMissingKey, "c/dog/4.bmp"), (unknown.Code, unknown.Place.File));
    }

    [Theory]
    [InlineData("l.json", """{ "images/a.bmp": 4, "b.bmp": 0 }""")]
    [InlineData("l.json", """{ "classes": ["x", "y", "z", "u", "v"], "labels": { "a.bmp": "v", "b.bmp": 0 } }""")]
    [InlineData("l.txt", "a.bmp 4\nb.bmp\t0\n\n")]
    [InlineData("l.csv", "a.bmp,4\nb.bmp,0")]
    public void LabelsComeFromAFile(string name, string text)
    {
        Directory.CreateDirectory(folder.Combine("images"));
        Pictures.WriteBmp(folder.Combine("images/a.bmp"), 1, 1, [1, 2, 3]);
        Pictures.WriteBmp(folder.Combine("images/b.bmp"), 1, 1, [1, 2, 3]);
        File.WriteAllText(folder.Combine(name), text);
        var format = new DataFormat(ImagePolicy.Default with { Labels = name }, null, folder.Path);
        IReadOnlyList<Sample> samples = SampleReader.Read(folder.Combine("images"), "images", [Input(1, 3, 1, 1)], "label", null, null, format);
        Assert.Equal([4, 0], samples.OrderBy(s => s.Id, StringComparer.Ordinal).Select(s => (int)s.Label!.Values<long>()[0]));
    }

    [Theory]
    [InlineData("l.json", "{ \"a.bmp\": 4, ", 1)]
    [InlineData("l.json", "{ \"a.bmp\": 1.5 }", null)]
    [InlineData("l.json", "[ 4 ]", null)]
    [InlineData("l.txt", "a.bmp 4\nb.bmp", 2)]
    public void ABadFileOfLabelsIsNamed(string name, string text, int? line)
    {
        Pictures.WriteBmp(folder.Combine("a.bmp"), 1, 1, [1, 2, 3]);
        File.WriteAllText(folder.Combine(name), text);
        Diagnostic diagnostic = Refused(ImagePolicy.Default with { Labels = name }, Input(1, 3, 1, 1), "label");
        Assert.Equal((Codes.DataLabelsInvalid, new Place(name, line)), (diagnostic.Code, diagnostic.Place));
    }

    [Fact]
    public void AnImageWithoutALabelIsNamed()
    {
        Pictures.WriteBmp(folder.Combine("a.bmp"), 1, 1, [1, 2, 3]);
        Diagnostic diagnostic = Refused(ImagePolicy.Default, Input(1, 3, 1, 1), "label");
        Assert.Equal((Codes.DataMissingKey, "images/a.bmp"), (diagnostic.Code, diagnostic.Place.File));
    }

    [Fact]
    public void DamagedAndHugeImagesAreNamed()
    {
        Pictures.WritePng(folder.Combine("a.png"), 40, 40, Pictures.Pattern(40, 40));
        byte[] bytes = File.ReadAllBytes(folder.Combine("a.png"));
        foreach (byte[] damaged in new[] { bytes[..60], bytes[..20], [1, 2, 3], [], [.. bytes[..100], .. new byte[50], .. bytes[150..]] })
        {
            File.WriteAllBytes(folder.Combine("a.png"), damaged);
            Diagnostic diagnostic = Refused(ImagePolicy.Default, Input(1, 3, 40, 40));
            Assert.Equal((Codes.DataImageInvalid, "images/a.png"), (diagnostic.Code, diagnostic.Place.File));
        }

        // A header that asks for 16 GB.
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(16), 70_000);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(20), 80_000);
        File.WriteAllBytes(folder.Combine("a.png"), bytes);
        Assert.Equal(Codes.DataImageInvalid, Refused(ImagePolicy.Default, Input(1, 3, 40, 40)).Code);
    }

    /// <summary>Whatever is wrong with a file, reading it ends, and ends in an image or an error of ours.</summary>
    [Theory]
    [InlineData(".jpg")]
    [InlineData(".png")]
    [InlineData(".bmp")]
    public void DamageOfAnyKindEnds(string ending)
    {
        string path = folder.Combine("a" + ending);
        string jpeg = Directory.EnumerateFiles(SharedFolder.Path("models", "textline-orientation", "images", "calibration"), "*.jpg").Order(StringComparer.Ordinal).First();
        switch (ending)
        {
            case ".jpg":
                File.WriteAllBytes(path, File.ReadAllBytes(jpeg));
                break;
            case ".png":
                Pictures.WritePng(path, 20, 30, Pictures.Pattern(20, 30));
                break;
            default:
                Pictures.WriteBmp(path, 20, 30, Pictures.Pattern(20, 30));
                break;
        }

        byte[] whole = File.ReadAllBytes(path);
        var random = new Random(6);
        int refused = 0;
        for (int round = 0; round < 150; round++)
        {
            byte[] damaged = [.. whole];
            for (int change = random.Next(12); change >= 0; change--)
            {
                damaged[random.Next(random.Next(2) == 0 ? Math.Min(whole.Length, 200) : whole.Length)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(path, random.Next(3) == 0 ? damaged[..random.Next(damaged.Length)] : damaged);
            Exception? error = Record.Exception(() => Image.Read(path, new Place("a"), 3));
            Assert.True(error is null or MixedPrecisionException { Diagnostic.Code.Id: "MPB3012" }, error?.ToString());
            refused += error is null ? 0 : 1;
        }

        Assert.InRange(refused, 20, 150);
    }

    [Fact]
    public void AModelThatTakesMoreThanAnImageIsRefused()
    {
        Pictures.WriteBmp(folder.Combine("a.bmp"), 1, 1, [1, 2, 3]);
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => SampleReader.Read(
            folder.Path, "images", [Input(1, 3, 1, 1), new InputDeclaration("scale", new TensorType(ElementType.Float, [Dimension.Of(2)]))], null, null)).Diagnostic;
        Assert.Equal(Codes.DataInputsNotGiven, diagnostic.Code);
        Assert.Contains("scale", diagnostic.Message);
    }

    [Fact]
    public void LinksAreNotFollowed()
    {
        using var other = new TemporaryFolder();
        Pictures.WriteBmp(other.Combine("secret.bmp"), 1, 1, [1, 2, 3]);
        Pictures.WriteBmp(folder.Combine("a.bmp"), 1, 1, [1, 2, 3]);
        Directory.CreateSymbolicLink(folder.Combine("link"), other.Path);
        Assert.Equal(["a.bmp"], ImageFolder.Files(folder.Path));
    }

    /// <summary>What the model's own page of these data says: 61 of 64 right.</summary>
    [Fact]
    public void ARealClassifierIsAsRightAsOthersFoundIt()
    {
        string root = SharedFolder.Path("models", "textline-orientation");
        var format = new DataFormat(
            ImagePolicy.Default with { Mean = [0.485, 0.456, 0.406], Deviation = [0.229, 0.224, 0.225], Labels = "labels.json" }, null, root);
        using OnnxModel model = OnnxModel.Load(Path.Combine(root, "model.onnx"));
        IReadOnlyList<Sample> samples = SampleReader.Read(
            Path.Combine(root, "images", "calibration"), "images/calibration", [.. model.Inputs.Select(i => new InputDeclaration(i.Name, TensorType.Read(i.Type)))], "label", null, null, format);
        using Session session = Session.Open(Path.Combine(root, "model.onnx"), SessionSettings.Default);
        Assert.Equal(64, samples.Count);
        Assert.Equal(61, samples.Count(s => TensorPrimitives.IndexOfMax(session.Run(s.Inputs).Values.First().Values<float>()) == s.Label!.Values<long>()[0]));
    }

    public void Dispose() => folder.Dispose();

    private static InputDeclaration Input(params Dimension[] shape) => new("x", new TensorType(ElementType.Float, shape));

    private static InputDeclaration Input(int batch, int a, int b, int c) => Input(Dimension.Of(batch), Dimension.Of(a), Dimension.Of(b), Dimension.Of(c));

    private static InputDeclaration Input(Dimension batch, int channels, Dimension height, Dimension width) => Input([batch, Dimension.Of(channels), height, width]);

    private static InputDeclaration Input(int batch, Dimension height, Dimension width, int channels) => Input([Dimension.Of(batch), height, width, Dimension.Of(channels)]);

    private IReadOnlyList<Sample> Read(ImagePolicy policy, InputDeclaration input, string? label = null) =>
        SampleReader.Read(folder.Path, "images", [input], label, null, null, new DataFormat(policy, null, folder.Path));

    private Diagnostic Refused(ImagePolicy policy, InputDeclaration input, string? label = null) =>
        Assert.Throws<MixedPrecisionException>(() => Read(policy, input, label)).Diagnostic;
}
