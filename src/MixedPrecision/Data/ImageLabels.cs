using System.Text.Json;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Data;

/// <summary>The class of each image: from a file of labels, or from the names of sub-folders in sorted order.</summary>
internal sealed class ImageLabels
{
    private const long LargestFile = 64L << 20;
    private readonly IReadOnlyDictionary<string, long> labels;
    private readonly string folder;
    private readonly bool byFolder;

    private ImageLabels(IReadOnlyDictionary<string, long> labels, string folder, bool byFolder)
    {
        this.labels = labels;
        this.folder = folder.Replace('\\', '/');
        this.byFolder = byFolder;
    }

    /// <param name="folder">Full path of the images' folder.</param>
    /// <param name="images">Paths below it, with slashes.</param>
    /// <param name="file">Full path of the file of labels, or null.</param>
    /// <param name="displayName">That path as the user wrote it.</param>
    /// <param name="classes">Names of the classes in their order, or null: those of the sub-folders.</param>
    /// <returns>Null without a file when images lie outside of sub-folders.</returns>
    /// <exception cref="MixedPrecisionException">MPB3001, MPB3002 or MPB3014: the file is missing, unreadable or says no labels.</exception>
    public static ImageLabels? Of(string folder, IReadOnlyList<string> images, string? file, string? displayName, IReadOnlyList<string>? classes)
    {
        if (file is not null)
            return new ImageLabels(Read(file, displayName!), folder, byFolder: false);
        if (images.Any(image => !image.Contains('/', StringComparison.Ordinal)))
            return null;
        classes ??= ClassesOf(images);
        return classes.Count < 2 ? null : new ImageLabels(classes.Select((name, index) => (name, index)).ToDictionary(c => c.name, c => (long)c.index), folder, byFolder: true);
    }

    /// <summary>The class of an image. The file may name it by its path below the images' folder, or below a folder around it.</summary>
    public long? Find(string image)
    {
        if (byFolder)
            return labels.TryGetValue(ClassOf(image), out long index) ? index : null;
        string name = image;
        foreach (string parent in folder.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse().Take(4).Prepend(""))
        {
            name = parent.Length == 0 ? name : $"{parent}/{name}";
            if (labels.TryGetValue(name, out long label))
                return label;
        }

        return null;
    }

    /// <summary>Names of sub-folders, sorted; empty when an image lies outside of one.</summary>
    public static IReadOnlyList<string> ClassesOf(IReadOnlyList<string> images) =>
        images.Any(image => !image.Contains('/', StringComparison.Ordinal)) ? [] : [.. images.Select(ClassOf).Distinct().Order(StringComparer.Ordinal)];

    private static string ClassOf(string image) => image[..image.IndexOf('/', StringComparison.Ordinal)];

    private static Dictionary<string, long> Read(string file, string displayName)
    {
        if (!File.Exists(file))
            throw Errors.DataNotFound(displayName);
        if (new FileInfo(file).Length > LargestFile)
            throw Errors.DataUnreadable(new Place(displayName), "the file of labels is larger than 64 MB");
        return Path.GetExtension(file).Equals(".json", StringComparison.OrdinalIgnoreCase) ? ReadJson(file, displayName) : ReadLines(file, displayName);
    }

    /// <summary>{ "file": class, … }, possibly as "labels" beside "classes"; a class is a number, or a name among the classes.</summary>
    private static Dictionary<string, long> ReadJson(string file, string displayName)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            JsonElement root = document.RootElement;
            JsonElement labels = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("labels", out JsonElement inner) ? inner : root;
            if (labels.ValueKind != JsonValueKind.Object)
                throw Errors.DataLabelsInvalid(new Place(displayName), "no object { \"file\": class, … }");
            string[] named = root.TryGetProperty("classes", out JsonElement list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(c => c.ToString())]
                : [.. labels.EnumerateObject().Where(l => l.Value.ValueKind == JsonValueKind.String).Select(l => l.Value.GetString()!).Distinct().Order(StringComparer.Ordinal)];
            return labels.EnumerateObject().DistinctBy(l => l.Name).ToDictionary(l => l.Name.Replace('\\', '/'), l => l.Value switch
            {
                { ValueKind: JsonValueKind.Number } number when number.TryGetInt64(out long label) => label,
                { ValueKind: JsonValueKind.String } text when Array.IndexOf(named, text.GetString()) is >= 0 and int index => index,
                _ => throw Errors.DataLabelsInvalid(new Place(displayName), $"for {Wording.Quote(l.Name)} {Wording.Quote(l.Value.ToString())}, which is no class"),
            });
        }
        catch (JsonException e)
        {
            throw Errors.DataLabelsInvalid(new Place(displayName, (int?)e.LineNumber + 1), "no valid JSON");
        }
    }

    /// <summary>On each line a file and, after a tab, comma or space, its class as a number.</summary>
    private static Dictionary<string, long> ReadLines(string file, string displayName)
    {
        var labels = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach ((int number, string line) in TextLines.ReadLines(file, displayName).Where(l => l.Line.Trim().Length > 0))
        {
            int split = line.TrimEnd().LastIndexOfAny(['\t', ',', ' ']);
            if (split <= 0 || !long.TryParse(line.AsSpan(split + 1).Trim(), System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out long label))
                throw Errors.DataLabelsInvalid(new Place(displayName, number), $"{Wording.Quote(line)}, and no file with its class, as in cat/001.jpg 3");
            labels[line[..split].Trim().Replace('\\', '/')] = label;
        }

        return labels;
    }
}
