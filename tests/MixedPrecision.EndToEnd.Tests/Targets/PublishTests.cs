using System.Diagnostics;
using System.Globalization;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>What <c>dotnet publish</c> and its relatives do, with a tool that only pretends.</summary>
public sealed class PublishTests : IClassFixture<AppFixture>
{
    private const string Model = AppFixture.Model;
    private const string Manifest = AppFixture.Manifest;

    private readonly AppFixture app;

    private string Warning => Path.Combine(app.App, "model.policy.yaml") + "(2,1): warning MPB7001: a warning";

    private string WhereTheReportIs => "report: " + app.Stage("emitted/" + AppFixture.Report);

    public PublishTests(AppFixture app)
    {
        this.app = app;
        app.Reset();
    }

    [Fact]
    public void Publish_puts_model_and_manifest_beside_the_app()
    {
        ProcessRun published = app.Publish("-p:MixedPrecisionCacheDirectory=my cache");

        Success(published);
        Assert.Equal(AppFixture.Emitting + "first", File.ReadAllText(app.Published(Model)));
        Assert.True(File.Exists(app.Published(Manifest)));
        Assert.True(File.Exists(app.Stage("emitted/" + AppFixture.Report)));
        Assert.False(File.Exists(app.Published(AppFixture.Report)));
        Assert.Contains("calibrate: done in 0.1 s", published.Output, StringComparison.Ordinal);
        Assert.Contains("App -> out/\n      model.mixed: 1.62× faster, 13.6 → 8.35 MB\n", published.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(app.Published(AppFixture.TextReport)));
        Assert.Contains("report: " + app.Stage("emitted/" + AppFixture.TextReport), published.Output, StringComparison.Ordinal);
        Assert.Contains(WhereTheReportIs, published.Output, StringComparison.Ordinal);
        Assert.Contains(Warning, published.Output, StringComparison.Ordinal);
        string[] arguments = Assert.Single(app.RunLines).Split('|');
        string run = Path.GetDirectoryName(arguments[3])!;
        Assert.Equal(app.Stage("run-"), run[..^32]);
        Assert.Equal(
            ["quantize", Path.Combine(app.App, "model.policy.yaml"), "--output", Path.Combine(run, "emitted"), "--cache", Path.Combine(app.App, "my cache"), "--inputs-file", Path.Combine(run, "read.txt"), "--log-format", "msbuild"],
            arguments);
        Assert.False(Directory.Exists(run));
    }

    [Fact]
    public void A_second_publish_runs_nothing_and_costs_little()
    {
        Success(app.Publish());
        ProcessRun second = app.Publish("-clp:PerformanceSummary");

        Success(second);
        Assert.Equal(1, app.Runs);
        Assert.Contains(Warning, second.Output, StringComparison.Ordinal);
        Assert.Contains("    model.mixed: 1.62× faster, 13.6 → 8.35 MB; reused, nothing changed\n", second.Output, StringComparison.Ordinal);
        Assert.Contains(WhereTheReportIs, second.Output, StringComparison.Ordinal);
        int[] costs = [.. new[] { "_MixedPrecisionPrepare", "_MixedPrecisionQuantize", "_MixedPrecisionAddItems" }.Select(target => AppFixture.MillisecondsOf(second.Output, target)).OfType<int>()];
        Assert.True(costs.Length >= 2, second.Output);
        Assert.InRange(costs.Sum(), 0, 499);

        Directory.Delete(Path.Combine(app.App, "out"), recursive: true);
        Success(app.Publish("--no-build"));
        Assert.Equal(1, app.Runs);
        Assert.True(File.Exists(app.Published(Model)));
    }

    [Fact]
    public void A_warning_that_counts_as_an_error_fails_the_second_publish_like_the_first()
    {
        foreach (int _ in new[] { 1, 2 })
        {
            ProcessRun published = app.Publish("-warnaserror:MPB7001");

            Assert.NotEqual(0, published.ExitCode);
            Assert.Contains(Warning.Replace("warning", "error", StringComparison.Ordinal).Replace("a error", "a warning", StringComparison.Ordinal), published.Output, StringComparison.Ordinal);
            Assert.Equal(1, app.Runs);
        }
        ProcessRun tolerated = app.Publish("-p:MSBuildWarningsAsMessages=MPB7001");
        Success(tolerated);
        Assert.DoesNotContain("MPB7001", tolerated.Output, StringComparison.Ordinal);
        Assert.Equal(1, app.Runs);
    }

    [Fact]
    public void Changed_policy_or_data_runs_again_also_when_an_older_file_comes_back()
    {
        Success(app.Publish());
        DateTime firstWritten = File.GetLastWriteTimeUtc(Path.Combine(app.App, "data.txt"));

        app.WriteData("second");
        Success(app.Publish());
        Assert.Equal(2, app.Runs);
        Assert.EndsWith("second", File.ReadAllText(app.Published(Model)), StringComparison.Ordinal);

        app.WriteData("first");
        File.SetLastWriteTimeUtc(Path.Combine(app.App, "data.txt"), firstWritten);
        Success(app.Publish());
        Assert.Equal(3, app.Runs);
        Assert.EndsWith("first", File.ReadAllText(app.Published(Model)), StringComparison.Ordinal);

        app.WritePolicy(AppFixture.Emitting + "budget: 2%\n");
        Success(app.Publish());
        Assert.Equal(4, app.Runs);
        Assert.Contains("budget: 2%", File.ReadAllText(app.Published(Model)), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_cache_or_a_lost_model_runs_again()
    {
        Success(app.Publish());
        Success(app.Publish("-p:MixedPrecisionCacheDirectory=elsewhere"));
        Assert.Equal(2, app.Runs);

        File.Delete(app.Stage("emitted/" + Model));
        Success(app.Publish("-p:MixedPrecisionCacheDirectory=elsewhere"));
        Assert.Equal(3, app.Runs);
        Assert.True(File.Exists(app.Published(Model)));
    }

    [Fact]
    public void A_failure_shows_its_place_and_leaves_nothing_of_an_earlier_success()
    {
        Success(app.Publish());
        app.WritePolicy("fail\n");
        ProcessRun failed = app.Publish();

        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains("model.policy.yaml(3,7): error MPB1005: unknown key 'é {0}'", failed.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("MPB9001", failed.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(app.Stage("stamp")));

        ProcessRun again = app.Publish();
        Assert.NotEqual(0, again.ExitCode);
        Assert.Equal(3, app.Runs);

        app.WritePolicy(AppFixture.Emitting);
        Success(app.Publish());
        Assert.Equal(4, app.Runs);
    }

    [Fact]
    public void A_crash_publishes_nothing_and_shows_what_the_tool_said_last()
    {
        app.WritePolicy("crash\n");
        ProcessRun crashed = app.Publish();

        Assert.NotEqual(0, crashed.ExitCode);
        Assert.Contains("error MPB9001: The tool ended with exit code", crashed.Output, StringComparison.Ordinal);
        Assert.Contains("out of sorts", crashed.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(app.Stage("stamp")));
        Assert.False(File.Exists(app.Published(Model)));
    }

    [Fact]
    public void A_missing_policy_is_an_error_before_the_tool_starts()
    {
        ProcessRun failed = app.Publish("-p:MixedPrecisionPolicy=none.yaml");

        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains("error MPB1001: ", failed.Output, StringComparison.Ordinal);
        Assert.Contains(Path.Combine(app.App, "none.yaml"), failed.Output, StringComparison.Ordinal);
        Assert.Equal(0, app.Runs);
    }

    [Fact]
    public void Clean_removes_what_the_stage_wrote()
    {
        Success(app.Publish());
        Success(app.Target("Clean"));

        Assert.False(Directory.Exists(app.Stage("")));
    }

    [Fact]
    public void A_cancelled_publish_leaves_nothing_half_written_and_a_killed_one_nothing_that_clean_does_not_remove()
    {
        app.WritePolicy(AppFixture.Emitting + "wait: 30000\n");
        Stop("-INT");
        Assert.Equal(["lock"], Directory.GetFileSystemEntries(app.Stage("")).Select(Path.GetFileName));
        Assert.False(File.Exists(app.Published(Model)));

        Stop("-KILL");
        Assert.Contains(Directory.GetFileSystemEntries(app.Stage("")), entry => Path.GetFileName(entry).StartsWith("run-", StringComparison.Ordinal));
        app.WritePolicy(AppFixture.Emitting);
        Success(app.Publish());
        Assert.Equal(["emitted", "lock", "stamp"], Directory.GetFileSystemEntries(app.Stage("")).Select(Path.GetFileName).Order());

        app.WritePolicy(AppFixture.Emitting + "wait: 30000\n");
        Stop("-KILL");
        // `dotnet clean` is of another configuration than `dotnet publish` unless told.
        Success(ProcessRun.Dotnet(app.App, "clean", "-nodeReuse:false"));
        Assert.False(Directory.Exists(app.Stage("")));
    }

    [Fact]
    public void Build_pack_and_design_time_builds_do_nothing()
    {
        Success(app.Dotnet("build"));
        Success(app.Dotnet("pack", "-o", "out"));
        Success(app.Target("GetCopyToPublishDirectoryItems", "-p:DesignTimeBuild=true"));

        Assert.Equal(0, app.Runs);
        Assert.False(Directory.Exists(app.Stage("")));
    }

    [Fact]
    public void Build_emits_when_asked_to()
    {
        Success(app.Dotnet("build", "-p:MixedPrecisionRunOnBuild=true"));

        string built = Path.Combine(app.App, "bin", "Release", "net10.0", Model);
        Assert.True(File.Exists(built));
        File.Delete(built);
        Assert.Equal(1, app.Runs);
    }

    [Fact]
    public void An_app_that_refers_to_the_owner_of_the_policy_receives_the_model()
    {
        string output = Path.Combine(app.App, "out");
        Success(ProcessRun.Dotnet(app.Other, "publish", "-c", "Release", "--no-restore", "-o", output, "-nodeReuse:false"));

        Assert.Equal(1, app.Runs);
        Assert.True(File.Exists(app.Published(Model)));
        Assert.True(File.Exists(app.Published(Manifest)));
    }

    /// <summary>Starts a publish, and sends it a signal once the tool runs.</summary>
    private void Stop(string signal)
    {
        int runs = app.Runs;
        using Process publish = ProcessRun.StartDotnet(app.App, "publish", "-c", "Release", "--no-restore", "-o", "out", "-nodeReuse:false");
        Task<string> output = publish.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.True(SpinWait.SpinUntil(() => app.Runs > runs || publish.HasExited, TimeSpan.FromMinutes(2)) && !publish.HasExited, "The tool did not start.");
        using (Process kill = Process.Start("kill", [signal, publish.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            kill.WaitForExit();
        }
        Assert.True(publish.WaitForExit(TimeSpan.FromSeconds(40)), "The publish did not end.");
        Assert.NotEqual(0, publish.ExitCode);
    }

    private static void Success(ProcessRun run) => Assert.True(run.ExitCode == 0, run.All);
}
