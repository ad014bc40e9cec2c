using MixedPrecision.Diagnostics;
using StbImageSharp;

namespace MixedPrecision.Data;

/// <summary>Pixels of 0 to 255, row by row, their channels beside each other.</summary>
/// <param name="Channels">3 for red, green, blue; 1 for grey.</param>
internal sealed record Image(int Height, int Width, int Channels, float[] Values)
{
    /// <summary>Endings of files that are taken for images.</summary>
    public static readonly IReadOnlyList<string> Extensions = [".jpg", ".jpeg", ".png", ".bmp", ".gif"];

    private const long LargestFile = 256L << 20;
    private const long MostPixels = 32L << 20;

    /// <summary>Decodes a file. Its header is looked at first, so that a small file cannot ask for a large memory.</summary>
    /// <exception cref="MixedPrecisionException">MPB3012: the file is no image, is damaged, or is too large.</exception>
    public static Image Read(string path, Place place, int channels)
    {
        if (new FileInfo(path).Length > LargestFile)
            throw Errors.DataImageInvalid(place, "the file is larger than 256 MB");
        byte[] bytes = File.ReadAllBytes(path);
        try
        {
            using var header = new GuardedStream(bytes);
            ImageInfo info = ImageInfo.FromStream(header) ?? throw Errors.DataImageInvalid(place, "it is no JPEG, PNG, BMP or GIF");
            if (info.Width < 1 || info.Height < 1 || (long)info.Width * info.Height > MostPixels)
                throw Errors.DataImageInvalid(place, $"it has {info.Width} × {info.Height} pixels, and 32 million are the most");
            using var whole = new GuardedStream(bytes);
            ImageResult image = ImageResult.FromStream(whole, channels == 1 ? ColorComponents.Grey : ColorComponents.RedGreenBlue);
            var values = new float[image.Height * image.Width * channels];
            System.Numerics.Tensors.TensorPrimitives.ConvertTruncating<byte, float>(image.Data.AsSpan(0, values.Length), values);
            return new Image(image.Height, image.Width, channels, values);
        }
        catch (Exception e) when (e is not (MixedPrecisionException or OutOfMemoryException or OperationCanceledException))
        {
            // The decoder checks little: a damaged file may fail in any way.
            throw Errors.DataImageInvalid(place, Wording.Escape(e.Message.TrimEnd('.')));
        }
    }

    /// <summary>The middle of the image.</summary>
    public Image Crop(int height, int width)
    {
        if ((height, width) == (Height, Width))
            return this;
        int top = (Height - height) / 2, left = (Width - width) / 2;
        var values = new float[height * width * Channels];
        for (int row = 0; row < height; row++)
            Values.AsSpan((((top + row) * Width) + left) * Channels, width * Channels).CopyTo(values.AsSpan(row * width * Channels));
        return new Image(height, width, Channels, values);
    }

    /// <summary>
    /// The image in another size, by linear interpolation; when it becomes smaller, over all pixels that a new one covers, so that nothing is
    /// skipped (the triangle filter, as common imaging libraries have it). Rounded to whole numbers.
    /// </summary>
    public Image Resize(int height, int width)
    {
        if ((height, width) == (Height, Width))
            return this;
        float[] rows = Along(Values, Height, Width, width, Channels);
        // The second pass sees columns as rows of single pixels of a whole line each.
        float[] all = Along(rows, 1, Height, height, width * Channels);
        return new Image(height, width, Channels, [.. all.Select(v => MathF.Round(Math.Clamp(v, 0, 255)))]);
    }

    /// <summary>Resizes each of so many lines of cells from one length to another; a cell is so many numbers.</summary>
    private static float[] Along(float[] values, int lines, int from, int to, int cell)
    {
        var result = new float[lines * to * cell];
        double ratio = (double)from / to, reach = Math.Max(ratio, 1);
        for (int position = 0; position < to; position++)
        {
            double centre = (position + 0.5) * ratio;
            int first = Math.Max(0, (int)(centre - reach + 0.5)), last = Math.Min(from, (int)(centre + reach + 0.5));
            double[] weights = [.. Enumerable.Range(first, last - first).Select(p => Math.Max(0, 1 - (Math.Abs(p + 0.5 - centre) / reach)))];
            double sum = weights.Sum();
            for (int line = 0; line < lines; line++)
            {
                Span<float> target = result.AsSpan(((line * to) + position) * cell, cell);
                for (int w = 0; w < weights.Length; w++)
                {
                    ReadOnlySpan<float> source = values.AsSpan(((line * from) + first + w) * cell, cell);
                    System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(source, (float)(weights[w] / sum), target, target);
                }
            }
        }

        return result;
    }
}
