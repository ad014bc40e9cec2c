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

    public static string Path(string relative) => System.IO.Path.Combine(RootFolder.Value, relative);
}
