using System.Diagnostics;
using System.Globalization;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary><c>dotnet watch</c>, which builds and runs an app, and stays.</summary>
public sealed class WatchTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async System.Threading.Tasks.Task It_runs_nothing_and_ends_with_the_app()
    {
        using var app = new PackagedApp();
        app.WritePolicy();
        app.WriteProject(program: """
            System.IO.File.WriteAllText("started.txt.new", System.Environment.ProcessId.ToString());
            System.IO.File.Move("started.txt.new", "started.txt");
            System.Threading.Thread.Sleep(System.Threading.Timeout.Infinite);
            """);
        using Process watch = ProcessRun.StartDotnet(app.Folder, [("NUGET_PACKAGES", app.Packages)], "watch", "--non-interactive", "run");
        System.Threading.Tasks.Task<string> output = watch.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        System.Threading.Tasks.Task<string> error = watch.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        bool started = SpinWait.SpinUntil(() => File.Exists(app["started.txt"]) || watch.HasExited, Patience) && !watch.HasExited;
        using (Process signal = Process.Start("kill", ["-INT", watch.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            signal.WaitForExit();
        }

        bool ended = watch.WaitForExit(Patience) && (!File.Exists(app["started.txt"]) || SpinWait.SpinUntil(() => Running() is null, Patience));
        if (!ended)
        {
            // What goes on would hold the output open.
            Running()?.Kill();
            watch.Kill(entireProcessTree: true);
        }

        Assert.True(started && ended, await output + await error);
        Assert.Equal(0, app.Runs());
        Assert.Empty(Directory.GetDirectories(app["obj"], "mixed-precision", SearchOption.AllDirectories));

        Process? Running()
        {
            try
            {
                return Process.GetProcessById(int.Parse(app.Read("started.txt"), CultureInfo.InvariantCulture)) is { HasExited: false } process ? process : null;
            }
            catch (Exception exception) when (exception is ArgumentException or FileNotFoundException)
            {
                return null;
            }
        }
    }
}
