using System.Text.Json;

namespace Characters;

/// <summary>What the pictures show, as the policy reads it too.</summary>
/// <param name="Classes">In the order of the model's scores.</param>
/// <param name="Files">The class of each file, by its path below the folder of pictures.</param>
public sealed record Labels(IReadOnlyList<string> Classes, IReadOnlyDictionary<string, string> Files)
{
    public static Labels Read(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
        return new Labels(
            [.. document.RootElement.GetProperty("classes").EnumerateArray().Select(name => name.GetString()!)],
            document.RootElement.GetProperty("labels").EnumerateObject().ToDictionary(label => label.Name, label => label.Value.GetString()!));
    }

    /// <summary>The files of one set and their classes.</summary>
    public IEnumerable<(string File, string Class)> Of(string set) =>
        Files.Where(label => label.Key.StartsWith(set + "/", StringComparison.Ordinal)).Select(label => (label.Key, label.Value));
}
