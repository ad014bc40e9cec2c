using MixedPrecision.Policies;

namespace MixedPrecision.Data;

/// <summary>What a policy says of how files become samples.</summary>
/// <param name="Images">Of images, or null: the defaults.</param>
/// <param name="Text">Of text, or null: it is none.</param>
/// <param name="Folder">Full path that further paths in these are relative to.</param>
/// <param name="Classes">Full path of the folder whose sub-folders are the classes, also of images elsewhere; null: each folder has its own.</param>
public sealed record DataFormat(ImagePolicy? Images, TextPolicy? Text, string Folder, string? Classes = null)
{
    /// <summary>Full paths of the files besides the data that samples depend on.</summary>
    public IReadOnlyList<string> Files =>
        [.. new[] { Images?.Labels, Text?.Tokenizer }.OfType<string>().Select(file => Path.GetFullPath(file, Folder))];
}
