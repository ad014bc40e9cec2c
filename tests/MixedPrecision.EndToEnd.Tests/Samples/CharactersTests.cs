using System.Buffers.Binary;
using Characters;

namespace MixedPrecision.EndToEnd.Tests.Samples;

public sealed class CharactersTests
{
    private static readonly string Folder = Repository.Path("samples/Characters/pictures");

    private readonly Labels labels = Labels.Read(Path.Combine(Folder, "labels.json"));

    [Fact]
    public void Every_picture_has_a_label_and_every_label_a_picture()
    {
        string[] files = [.. Directory.EnumerateFiles(Folder, "*.png", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Folder, file).Replace('\\', '/'))];

        Assert.Equal(files.Order(StringComparer.Ordinal), labels.Files.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(36, labels.Classes.Distinct().Count());
        Assert.Subset(labels.Classes.ToHashSet(), labels.Files.Values.ToHashSet());
        Assert.Equal((128, 500), (labels.Of("calibration").Count(), labels.Of("evaluation").Count()));
    }

    [Fact]
    public void The_original_tells_nine_of_ten_and_the_table_has_both_models()
    {
        using var model = new Classifier(Repository.Path("samples/Characters/model.onnx"), labels.Classes);
        using var other = new Classifier(Repository.Path("samples/Characters/model.onnx"), labels.Classes);
        (float[] Pixels, string Class)[] pictures = [.. labels.Of("evaluation").Take(100).Select(picture => (Picture.Read(Path.Combine(Folder, picture.File)), picture.Class))];

        int right = pictures.Count(picture => model.Classify(picture.Pixels).Class == picture.Class);
        string[] lines = Comparison.Of(model, other, pictures).Split('\n');

        Assert.InRange(right, 88, 99);
        Assert.Contains("100 of 100 answers are the same.", lines[^2]);
        Assert.All(["original", "mixed precision"], name => Assert.EndsWith($"3.90 MB{right,10:0.0} %", Assert.Single(lines, line => line.StartsWith(name, StringComparison.Ordinal))));
    }

    [Fact]
    public void Of_a_larger_picture_pixels_are_means()
    {
        string file = Path.GetTempFileName();
        try
        {
            // Four columns a pixel: black, white, white, white.
            WriteBitmap(file, 4 * Picture.Size, (column, _) => (byte)(column % 4 == 0 ? 0 : 255));
            Assert.All(Picture.Read(file), pixel => Assert.Equal(0.75f, pixel, 1e-5f));

            // Smaller ones are enlarged: the upper half stays dark.
            WriteBitmap(file, 4, (_, row) => (byte)(row < 2 ? 0 : 255));
            float[] pixels = Picture.Read(file);
            Assert.All(pixels[..(pixels.Length / 2)], pixel => Assert.Equal(0, pixel));
            Assert.All(pixels[(pixels.Length / 2)..], pixel => Assert.Equal(1, pixel));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>A square bitmap of 24 bits, whose width is a multiple of four, so that rows need no filling.</summary>
    private static void WriteBitmap(string file, int size, Func<int, int, byte> grey)
    {
        byte[] bytes = new byte[54 + (3 * size * size)];
        (bytes[0], bytes[1], bytes[26], bytes[28]) = ((byte)'B', (byte)'M', 1, 24);
        foreach ((int place, int value) in new[] { (2, bytes.Length), (10, 54), (14, 40), (18, size), (22, size) })
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(place), value);
        }

        // Rows come from the bottom.
        for (int i = 0; i < 3 * size * size; i++)
        {
            bytes[54 + i] = grey(i / 3 % size, size - 1 - (i / 3 / size));
        }

        File.WriteAllBytes(file, bytes);
    }
}
