using System.Diagnostics;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Tests.Caching;

public sealed class MachineLockTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string LockPath => folder.Combine("lock");

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task SecondWaitsUntilTheFirstReleases()
    {
        using var waits = new ManualResetEventSlim();
        Task<MachineLock> second;
        using (MachineLock.Acquire(LockPath, CancellationToken.None))
        {
            second = Task.Run(() => MachineLock.Acquire(LockPath, CancellationToken.None, _ => waits.Set()));
            Assert.True(waits.Wait(TimeSpan.FromSeconds(30)));
            Assert.False(second.IsCompleted);
        }

        using MachineLock acquired = await second.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void AWaitThatIsNotShortIsToldOnceInWords()
    {
        var told = new List<string>();
        using MachineLock held = MachineLock.Acquire(LockPath, CancellationToken.None);
        using var limit = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => MachineLock.Acquire(LockPath, limit.Token, text =>
        {
            told.Add(text);
            limit.CancelAfter(TimeSpan.FromSeconds(0.5));
        }));
        Assert.Equal(["waiting for another benchmark on this machine to end"], told);
    }

    [Fact]
    public void OneHoldsTheLockAtATime()
    {
        int holders = 0;
        Parallel.For(0, 6, new ParallelOptions { MaxDegreeOfParallelism = 6 }, _ =>
        {
            using MachineLock held = MachineLock.Acquire(LockPath, CancellationToken.None);
            Assert.Equal(1, Interlocked.Increment(ref holders));
            Thread.Sleep(20);
            Interlocked.Decrement(ref holders);
        });
    }

    [Fact]
    public void WaitIsCancelled()
    {
        using MachineLock held = MachineLock.Acquire(LockPath, CancellationToken.None);
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => MachineLock.Acquire(LockPath, cancellation.Token, _ => cancellation.Cancel()));
    }

    [Fact]
    public void CrashOfTheHolderReleasesTheLock()
    {
        using Process holder = LockHolder.Start(LockPath);
        Assert.Equal("held", holder.StandardOutput.ReadLine());

        using (var cancellation = new CancellationTokenSource())
            Assert.Throws<OperationCanceledException>(() => MachineLock.Acquire(LockPath, cancellation.Token, _ => cancellation.Cancel()));

        holder.Kill(entireProcessTree: true);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using MachineLock acquired = MachineLock.Acquire(LockPath, limit.Token);
    }

    [Fact]
    public void RunsOfOnePolicyShareALockUnderEveryNameOfItsFile()
    {
        string policy = folder.Combine("p.yaml"), link = folder.Combine("link.yaml"), other = folder.Combine("other.yaml");
        File.WriteAllText(policy, "");
        File.WriteAllText(other, "");
        File.CreateSymbolicLink(link, policy);
        using var cancellation = new CancellationTokenSource();
        using (MachineLock.OfPolicy(policy, folder.Combine("cache"), CancellationToken.None))
        {
            MachineLock.OfPolicy(other, folder.Combine("cache"), CancellationToken.None).Dispose();
            MachineLock.OfPolicy(policy, folder.Combine("cache 2"), CancellationToken.None).Dispose();
            Assert.Throws<OperationCanceledException>(() => MachineLock.OfPolicy(link, folder.Combine("cache"), cancellation.Token, _ => cancellation.Cancel()));
        }

        MachineLock.OfPolicy(link, folder.Combine("cache"), CancellationToken.None).Dispose();
    }

    [Fact]
    public void FolderThatIsMissingIsAnError()
    {
        var error = Assert.Throws<MixedPrecisionException>(() => MachineLock.Acquire(folder.Combine("absent", "lock"), CancellationToken.None));
        Assert.Equal(Codes.LockUnavailable, error.Diagnostic.Code);
    }
}
