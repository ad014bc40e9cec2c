namespace MixedPrecision.EndToEnd.Tests;

/// <summary>Files of this repository.</summary>
internal static class Repository
{
    private static readonly Lazy<string> RootFolder = new(() =>
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder, "MixedPrecision.Build.sln")))
        {
            folder = System.IO.Path.GetDirectoryName(folder);
        }
        return folder ?? throw new InvalidOperationException("The tests have to run below the repository's root.");
    });

    /// <summary>What this is built as, and so all that the tests need.</summary>
    public static string Configuration { get; } = System.IO.Path.GetFileName(System.IO.Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd(System.IO.Path.DirectorySeparatorChar)))!;

    public static string Path(string relative) => System.IO.Path.Combine(RootFolder.Value, relative);
}
