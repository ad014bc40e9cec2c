using System.Diagnostics;
using System.Runtime.CompilerServices;
using MixedPrecision.Caching;

namespace MixedPrecision.Tests.Caching;

/// <summary>
/// A second process that holds a lock until it is killed: the program of these tests, started again with a variable set, which is
/// looked at before anything else of it runs.
/// </summary>
internal static class LockHolder
{
    private const string Variable = "MIXED_PRECISION_TEST_LOCK";

    /// <summary>Starts the process, which prints "held" once it has the lock.</summary>
    public static Process Start(string lockPath)
    {
        string program = Path.ChangeExtension(typeof(LockHolder).Assembly.Location, OperatingSystem.IsWindows() ? ".exe" : null);
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true };
        start.Environment[Variable] = lockPath;
        return Process.Start(start)!;
    }

    [ModuleInitializer]
    internal static void HoldWhenAsked()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { } path)
            return;
        using MachineLock held = MachineLock.Acquire(path, CancellationToken.None);
        Console.WriteLine("held");
        Thread.Sleep(TimeSpan.FromMinutes(1));
        Environment.Exit(1);
    }
}
