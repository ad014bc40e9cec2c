using StbImageSharp;

namespace Characters;

/// <summary>Pictures as the model takes them: grey, 32 × 32 pixels of 0 to 1, row by row.</summary>
public static class Picture
{
    public const int Size = 32;

    /// <summary>Reads a PNG or JPEG file; of a larger picture each pixel is the mean of those that it covers.</summary>
    public static float[] Read(string file)
    {
        using FileStream stream = File.OpenRead(file);
        ImageResult image = ImageResult.FromStream(stream, ColorComponents.Grey);
        var pixels = new float[Size * Size];
        for (int y = 0; y < Size; y++)
        {
            for (int x = 0; x < Size; x++)
            {
                pixels[(y * Size) + x] = Mean(image, x * image.Width / Size, (x + 1) * image.Width / Size, y * image.Height / Size, (y + 1) * image.Height / Size);
            }
        }
        return pixels;
    }

    private static float Mean(ImageResult image, int left, int right, int top, int bottom)
    {
        (right, bottom) = (Math.Max(right, left + 1), Math.Max(bottom, top + 1));
        float sum = 0;
        for (int y = top; y < bottom; y++)
        {
            for (int x = left; x < right; x++)
            {
                sum += image.Data[(y * image.Width) + x];
            }
        }
        return sum / (255f * (right - left) * (bottom - top));
    }
}
