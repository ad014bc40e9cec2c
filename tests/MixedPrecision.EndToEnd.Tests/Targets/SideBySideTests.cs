using System.Diagnostics;
using MixedPrecision.EndToEnd.Tests.Task;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>Publishes of apps that share the project with the policy, beside each other.</summary>
public sealed class SideBySideTests : IClassFixture<AppFixture>
{
    private readonly AppFixture app;

    public SideBySideTests(AppFixture app)
    {
        this.app = app;
        app.Reset();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(700)]
    [InlineData(1500)]
    [InlineData(2500)]
    [InlineData(4000)]
    public async System.Threading.Tasks.Task Neither_disturbs_the_other(int offset)
    {
        app.WritePolicy(AppFixture.Emitting + "wait: 2000\n");
        string[] outputs = [app.Published("first"), app.Published("second")];
        using Process first = Publish(app.Other, outputs[0]);
        Task<ProcessRun> firstRun = System.Threading.Tasks.Task.Run(() => ProcessRun.End(first));
        await System.Threading.Tasks.Task.Delay(offset, TestContext.Current.CancellationToken);
        using Process second = Publish(app.Another, outputs[1]);
        ProcessRun secondRun = ProcessRun.End(second);

        Assert.True(secondRun.ExitCode == 0, secondRun.All);
        Assert.True((await firstRun).ExitCode == 0, (await firstRun).All);
        Assert.Equal(1, app.Runs);
        Assert.All(outputs, output =>
        {
            Assert.Equal(AppFixture.Emitting + "wait: 2000\nfirst", File.ReadAllText(Path.Combine(output, AppFixture.Model)));
            Assert.Equal("{}", File.ReadAllText(Path.Combine(output, AppFixture.Manifest)));
        });
    }

    [Fact]
    public async System.Threading.Tasks.Task The_second_waits_says_so_and_reuses()
    {
        string lockFile = app.Stage("lock");
        Directory.CreateDirectory(app.Stage(""));
        TaskProbe[] tasks = [Probe(), Probe()];
        Task<bool>[] runs;
        using (new FileStream(lockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            runs = [.. tasks.Select(task => System.Threading.Tasks.Task.Run(task.Execute))];
            Assert.True(SpinWait.SpinUntil(() => tasks.All(task => task.Messages.Count > 0), TimeSpan.FromMinutes(1)));
        }

        bool[] succeeded = await System.Threading.Tasks.Task.WhenAll(runs);
        Assert.DoesNotContain(false, succeeded);
        Assert.All(tasks, task => Assert.Contains("waits for another run", task.Messages[0].Message, StringComparison.Ordinal));
        Assert.All(tasks, task => Assert.Equal("a warning", Assert.Single(task.Warnings).Message));
        Assert.Equal(1, app.Runs);
    }

    [Fact]
    public async System.Threading.Tasks.Task A_wait_is_cancelled()
    {
        Directory.CreateDirectory(app.Stage(""));
        TaskProbe task = Probe();
        using (new FileStream(app.Stage("lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            Task<bool> run = System.Threading.Tasks.Task.Run(task.Execute);
            Assert.True(SpinWait.SpinUntil(() => task.Messages.Count > 0, TimeSpan.FromMinutes(1)));
            task.Cancel();
            Assert.False(await run);
        }

        Assert.Equal(0, app.Runs);
    }

    private static Process Publish(string folder, string output) =>
        ProcessRun.StartDotnet(folder, "publish", "-c", "Release", "--no-build", "-o", output, "-nodeReuse:false");

    private TaskProbe Probe() => new()
    {
        DotnetHost = ProcessRun.DotnetHost,
        ToolAssembly = Path.Combine(AppContext.BaseDirectory, "fake-tool.dll"),
        Policy = Path.Combine(app.App, "model.policy.yaml"),
        Folder = app.Stage(""),
    };
}
