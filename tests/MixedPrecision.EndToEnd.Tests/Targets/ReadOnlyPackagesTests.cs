namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>A packages folder that nobody may write to, as on build machines that share one.</summary>
public sealed class ReadOnlyPackagesTests
{
    [Fact]
    public void Nothing_is_written_there()
    {
        using var app = new PackagedApp();
        app.WritePolicy();
        app.WriteProject();
        app.Succeed("restore");
        string[] before = Files(app.Packages);
        Assert.Contains(before, file => file.Contains("/MixedPrecision.Build.targets ", StringComparison.Ordinal));
        if (!OperatingSystem.IsWindows())
        {
            PackagedApp.SetMode(app.Packages, "a-w");
        }

        app.Succeed("publish", "-o", "out");
        app.Succeed("clean");
        app.Publish();
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed"));
        // The superuser may write in spite of the rights.
        Assert.Equal(before, Files(app.Packages));
    }

    private static string[] Files(string folder) =>
        [.. Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(file => $"{file} {File.GetLastWriteTimeUtc(file).Ticks}")];
}
