namespace MixedPrecision.Tests;

/// <summary>The checkout that the tests run from.</summary>
internal static class RepositoryRoot
{
    private static readonly string Folder = Find();

    /// <summary>Full path of a file or folder below the repository's root.</summary>
    public static string Path(string relative) => System.IO.Path.Combine(Folder, relative);

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "MixedPrecision.Build.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException("The tests do not run from a checkout of the repository.");
    }
}
