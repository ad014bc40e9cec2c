using System.Diagnostics;
using System.Globalization;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary><c>dotnet watch</c>, which builds and runs an app, and stays.</summary>
public sealed class WatchTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async System.Threading.Tasks.Task It_runs_nothing_and_holds_up_nothing()
    {
        using var app = new PackagedApp();
        app.WritePolicy();
        app.WriteProject(program: """
            System.IO.File.WriteAllText("started.txt.new", System.Environment.ProcessId.ToString());
            System.IO.File.Move("started.txt.new", "started.txt");
            System.Threading.Thread.Sleep(System.Threading.Timeout.Infinite);
            """);
        // Looks at times of files: the system's own way is one of few that a user may have.
        using Process watch = ProcessRun.StartDotnet(app.Folder, [("NUGET_PACKAGES", app.Packages), ("DOTNET_USE_POLLING_FILE_WATCHER", "1")], "watch", "--non-interactive", "run");
        System.Threading.Tasks.Task<ProcessRun> run = System.Threading.Tasks.Task.Run(() => ProcessRun.End(watch));
        bool started = SpinWait.SpinUntil(() => File.Exists(app["started.txt"]) || run.IsCompleted, Patience) && !run.IsCompleted;
        using (Process signal = Process.Start("kill", ["-TERM", watch.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            signal.WaitForExit();
        }

        bool ended = watch.WaitForExit(Patience);
        if (!ended)
        {
            watch.Kill(entireProcessTree: true);
        }

        if (started)
        {
            // An app outlives a watch that is told to end in this way, and holds its output open.
            using Process kill = Process.Start("kill", ["-KILL", app.Read("started.txt")]);
            kill.WaitForExit();
        }

        Assert.True(started && ended, (await run).All);
        Assert.Equal(0, app.Runs());
        Assert.Empty(Directory.GetDirectories(app["obj"], "mixed-precision", SearchOption.AllDirectories));
    }
}
