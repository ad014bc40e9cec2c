namespace MixedPrecision.Benchmarks.Training;

/// <summary>A way to draw the strokes of characters.</summary>
internal enum Font
{
    /// <summary>Curves and lines as they are.</summary>
    Plain,

    /// <summary>Lines only.</summary>
    Angular,

    /// <summary>Corners rounded too.</summary>
    Pen,

    /// <summary>Short bars where strokes end at the foot or at the top.</summary>
    Serif,

    /// <summary>Only the rim of the strokes.</summary>
    Outline,

    /// <summary>Strokes with gaps.</summary>
    Broken,
}

/// <summary>Grey pictures of one character each, as seeds draw them: font, place, size, rotation, slant, width of strokes, points that are off, contrast either way, light that changes across, a line through it, noise.</summary>
internal static class CharacterPictures
{
    public const int Size = 32;

    /// <summary>The first seeds of pictures to train with, to calibrate and to evaluate with: they never meet.</summary>
    public const int TrainingSeed = 100_000_000, CalibrationSeed = 1, EvaluationSeed = 50_000_000;

    /// <summary>Lines that a stretch of a curve is drawn with.</summary>
    private const int Parts = 5;

    /// <summary>Draws a picture.</summary>
    /// <param name="picture">Takes rows of pixels of about 0 to 1.</param>
    /// <returns>The index of its character.</returns>
    public static int Draw(int seed, Span<float> picture)
    {
        var random = new Random(Mixed((uint)seed));
        int character = random.Next(Glyphs.Characters.Length);
        Font font = (Font)random.Next(6);
        List<(float X, float Y)[]> lines = Place(random, Lines(random, Glyphs.All[character], font));
        float width = Between(random, 0.7f, font == Font.Outline ? 1.8f : 2.2f), sharpness = Between(random, 0.7f, 1.5f);
        float ground = Between(random, 0.1f, 0.9f), ink = ground + (Between(random, 0.3f, 0.6f) * (ground < 0.5f ? 1 : -1));
        float slopeX = Between(random, -0.3f, 0.3f) / Size, slopeY = Between(random, -0.3f, 0.3f) / Size, noise = Between(random, 0.03f, 0.17f);
        if (random.Next(3) == 0)
        {
            lines.Add([(Between(random, 0, Size), Between(random, 0, Size)), (Between(random, 0, Size), Between(random, 0, Size))]);
        }

        for (int y = 0; y < Size; y++)
        {
            for (int x = 0; x < Size; x++)
            {
                float distance = Distance(lines, x + 0.5f, y + 0.5f);
                distance = font == Font.Outline ? MathF.Abs(distance - width) - 0.6f : distance - width;
                float cover = Math.Clamp(0.5f - (distance * sharpness), 0, 1);
                picture[(y * Size) + x] = ground + ((ink - ground) * cover) + (slopeX * (x - (Size / 2))) + (slopeY * (y - (Size / 2))) + (noise * Normal(random));
            }
        }

        return character;
    }

    /// <summary>What follows from a seed, without likeness among neighbours: first numbers of generators whose seeds follow each other do too.</summary>
    private static int Mixed(uint seed)
    {
        seed = (seed ^ (seed >> 16)) * 0x85EBCA6B;
        seed = (seed ^ (seed >> 13)) * 0xC2B2AE35;
        return (int)(seed ^ (seed >> 16));
    }

    /// <summary>The lines of a character, in its own measure.</summary>
    private static List<(float X, float Y)[]> Lines(Random random, Stroke[] strokes, Font font)
    {
        const float Serif = 0.9f;
        var lines = new List<(float X, float Y)[]>();
        foreach (Stroke stroke in strokes)
        {
            (float X, float Y)[] points = [.. stroke.Points.Select(p => (p.X + (0.25f * Normal(random)), p.Y + (0.25f * Normal(random))))];
            bool isClosed = stroke.Points[0] == stroke.Points[^1];
            if (isClosed)
            {
                points[^1] = points[0];
            }

            lines.Add(font == Font.Pen || (stroke.IsCurve && font != Font.Angular) ? Curve(points, isClosed) : points);
            foreach ((float x, float y) in font == Font.Serif && !stroke.IsCurve ? new[] { points[0], points[^1] } : [])
            {
                if (y is < 1 or > Glyphs.Height - 1)
                {
                    lines.Add([(x - Serif, y), (x + Serif, y)]);
                }
            }
        }

        return font == Font.Broken ? [.. lines.SelectMany(l => Pieces(random, l))] : lines;
    }

    /// <summary>Catmull and Rom's curve through points.</summary>
    private static (float X, float Y)[] Curve((float X, float Y)[] p, bool isClosed)
    {
        var curve = new List<(float X, float Y)>();
        for (int i = 0; i + 1 < p.Length; i++)
        {
            (float X, float Y) before = i > 0 ? p[i - 1] : isClosed ? p[^2] : p[0], after = i + 2 < p.Length ? p[i + 2] : isClosed ? p[1] : p[^1];
            for (int part = 0; part < Parts; part++)
            {
                float t = part / (float)Parts;
                curve.Add((Between(before.X, p[i].X, p[i + 1].X, after.X, t), Between(before.Y, p[i].Y, p[i + 1].Y, after.Y, t)));
            }
        }

        return [.. curve, p[^1]];
    }

    private static float Between(float before, float from, float to, float after, float t) =>
        from + (0.5f * t * (to - before + (t * ((2 * before) - (5 * from) + (4 * to) - after + (t * ((3 * (from - to)) + after - before))))));

    /// <summary>A line's stretches of a length of about one, of which some are left out.</summary>
    private static IEnumerable<(float X, float Y)[]> Pieces(Random random, (float X, float Y)[] line)
    {
        for (int i = 0; i + 1 < line.Length; i++)
        {
            (float X, float Y) from = line[i], to = line[i + 1];
            int parts = Math.Max(1, (int)MathF.Round(Length(from, to)));
            for (int part = 0; part < parts; part++)
            {
                if (random.Next(4) > 0)
                {
                    float a = part / (float)parts, b = (part + 1f) / parts;
                    yield return [(from.X + (a * (to.X - from.X)), from.Y + (a * (to.Y - from.Y))), (from.X + (b * (to.X - from.X)), from.Y + (b * (to.Y - from.Y)))];
                }
            }
        }
    }

    /// <summary>Lines in pixels, after a random affine map.</summary>
    private static List<(float X, float Y)[]> Place(Random random, List<(float X, float Y)[]> lines)
    {
        float angle = Between(random, -0.35f, 0.35f), slant = Between(random, -0.3f, 0.4f), height = Between(random, 14, 25) / Glyphs.Height, width = height * Between(random, 0.7f, 1.2f);
        float middleX = (Size / 2) + Between(random, -4, 4), middleY = (Size / 2) + Between(random, -3.5f, 3.5f);
        (float sine, float cosine) = MathF.SinCos(angle);
        (float X, float Y) Map((float X, float Y) point)
        {
            float y = (point.Y - (Glyphs.Height / 2)) * height, x = ((point.X - (Glyphs.Width / 2)) * width) + (slant * y);

            // Pictures have their first row at the top.
            return (middleX + (cosine * x) - (sine * y), middleY - (sine * x) - (cosine * y));
        }

        return [.. lines.Select(l => l.Select(Map).ToArray())];
    }

    /// <summary>Of a point from the nearest line.</summary>
    private static float Distance(List<(float X, float Y)[]> lines, float x, float y)
    {
        float least = float.PositiveInfinity;
        foreach ((float X, float Y)[] line in lines)
        {
            for (int i = 0; i + 1 < line.Length; i++)
            {
                float dx = line[i + 1].X - line[i].X, dy = line[i + 1].Y - line[i].Y, px = x - line[i].X, py = y - line[i].Y;
                float along = Math.Clamp(((px * dx) + (py * dy)) / MathF.Max((dx * dx) + (dy * dy), 1e-6f), 0, 1);
                float offX = px - (along * dx), offY = py - (along * dy);
                least = MathF.Min(least, (offX * offX) + (offY * offY));
            }
        }

        return MathF.Sqrt(least);
    }

    private static float Length((float X, float Y) from, (float X, float Y) to) => MathF.Sqrt(((to.X - from.X) * (to.X - from.X)) + ((to.Y - from.Y) * (to.Y - from.Y)));

    private static float Between(Random random, float low, float high) => low + ((high - low) * random.NextSingle());

    /// <summary>Box and Muller's method.</summary>
    private static float Normal(Random random) => MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(2 * MathF.PI * random.NextSingle());
}
