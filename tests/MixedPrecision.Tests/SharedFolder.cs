namespace MixedPrecision.Tests;

/// <summary>The folder beside the repository that holds models and references too large, or not ours, to commit.</summary>
internal static class SharedFolder
{
    /// <summary>Names of the model folders.</summary>
    public static readonly string[] Models =
        ["docarea", "doclm", "textline-orientation", "yolox-nano", "ppocr-det", "silero-vad", "ppocr-rec"];

    /// <summary>Full path of a file or folder in it; the running test is skipped when it is absent.</summary>
    public static string Path(params string[] parts)
    {
        string? root = Root();
        Assert.SkipWhen(root is null, "the shared folder with models is not beside the repository");
        return System.IO.Path.Combine([root!, .. parts]);
    }

    public static string Model(string name) => Path("models", name, "model.onnx");

    private static string? Root()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "MixedPrecision.Build.sln")))
            {
                string shared = System.IO.Path.Combine(folder.Parent!.FullName, "shared");
                return Directory.Exists(System.IO.Path.Combine(shared, "models")) ? shared : null;
            }
        }

        return null;
    }
}
