namespace MixedPrecision.Benchmarks.Training;

/// <summary>A stroke of a character: points from 0 to 6 across and from 0 to 8 up.</summary>
/// <param name="IsCurve">Whether it is a curve through the points, else a line from one to the next.</param>
internal sealed record Stroke(bool IsCurve, (float X, float Y)[] Points);

/// <summary>26 letters and 10 digits as strokes.</summary>
internal static class Glyphs
{
    public const float Width = 6, Height = 8;

    public const string Characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    /// <summary>Strokes of each character: points as two digits, a curve begins with ~.</summary>
    private static readonly string[] Texts =
    [
        "00-38-60 13-53",
        "00-08 ~08-38-57-55-34-04 ~04-34-53-51-30-00",
        "~67-48-28-06-02-20-40-61",
        "00-08 ~08-28-57-64-51-20-00",
        "68-08-00-60 04-44",
        "68-08-00 04-44",
        "~67-48-28-06-02-20-40-62 62-64-34",
        "00-08 60-68 04-64",
        "38-30 18-58 10-50",
        "58-52 ~52-40-20-02 38-68",
        "00-08 68-04-60",
        "08-00-60",
        "00-08-34-68-60",
        "00-08-60-68",
        "~38-17-04-11-30-51-64-57-38",
        "00-08 ~08-38-57-55-34-04",
        "~38-17-04-11-30-51-64-57-38 42-60",
        "00-08 ~08-38-57-55-34-04 34-60",
        "~67-48-28-06-15-34-53-62-40-20-01",
        "08-68 38-30",
        "08-02 ~02-20-40-62 62-68",
        "08-30-68",
        "08-10-36-50-68",
        "00-68 08-60",
        "08-34-68 34-30",
        "08-68-00-60",
        "~38-17-04-11-30-51-64-57-38 21-47",
        "16-38-30 10-50",
        "~06-28-48-66-54-00 00-60",
        "~07-28-48-66-44-24 ~24-44-62-40-20-01",
        "40-48-02-62",
        "68-08-04 ~04-25-45-62-40-20-01",
        "~58-26-04-02-20-40-62-44-24-03",
        "08-68-20",
        "~34-16-28-48-56-34 ~34-02-20-40-62-34",
        "~10-40-64-66-48-28-06-24-44-65",
    ];

    /// <summary>By the index of the character.</summary>
    public static IReadOnlyList<Stroke[]> All { get; } = [.. Texts.Select(t => t.Split(' ').Select(Read).ToArray())];

    private static Stroke Read(string text) => new(
        text[0] == '~', [.. text.TrimStart('~').Split('-').Select(p => ((float)(p[0] - '0'), (float)(p[1] - '0')))]);
}
