using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;

namespace MixedPrecision.Build;

/// <summary>
/// The folder in obj that a policy's emitted files stand in, with a stamp that says what they came from. One run at a time has it: the lock is the
/// operating system's on an open file, and ends with the process that holds it. A run works in a folder of its own; its files are renamed to their
/// places when it has succeeded, so that a publish beside it, which copies them at that moment, finds each of them whole.
/// </summary>
internal sealed class EmittedFolder : IDisposable
{
    private const string RunPrefix = "run-";
    private const int Attempts = 50;
    private static readonly TimeSpan BetweenAttempts = TimeSpan.FromMilliseconds(100);

    private readonly string folder;
    private readonly FileStream held;

    private EmittedFolder(string folder, FileStream held)
    {
        this.folder = folder;
        this.held = held;
    }

    private string Emitted => EmittedIn(folder);

    private string StampFile => StampIn(folder);

    /// <summary>Where the emitted files of a policy's folder lie.</summary>
    public static string EmittedIn(string folder) => Path.Combine(folder, "emitted");

    /// <summary>What came of the models of a policy's folder, in order; nothing where no run succeeded.</summary>
    public static IReadOnlyList<ToolEvent> ResultsIn(string folder) => File.Exists(StampIn(folder)) ? [.. Stamp.Read(StampIn(folder)).Results.Select(ToolEvent.TryParse).OfType<ToolEvent>()] : [];

    /// <summary>Whether a file is made for whoever publishes, and is not published.</summary>
    public static bool IsReport(string file) => file.EndsWith(".report.html", StringComparison.Ordinal) || file.EndsWith(".report.txt", StringComparison.Ordinal);

    /// <summary>The folder, once no other run has it; null when cancelled.</summary>
    /// <param name="waiting">Called once when another run has it.</param>
    public static EmittedFolder? Open(string folder, Func<bool> cancelled, Action waiting)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "lock");
        for (bool first = true; !cancelled(); first = false)
        {
            try
            {
                return new EmittedFolder(folder, new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException exception) when (IsHeld(exception))
            {
                if (first)
                {
                    waiting();
                }
                Thread.Sleep(BetweenAttempts);
            }
        }
        return null;
    }

    /// <summary>The warnings of the run that made what is here, or null where a run is needed: nothing is here, or something changed.</summary>
    public IReadOnlyList<string>? WarningsIfCurrent(IReadOnlyList<string> settings) =>
        File.Exists(StampFile) && Stamp.Read(StampFile) is { } stamp && stamp.IsCurrent(settings, Emitted) ? stamp.Warnings : null;

    /// <summary>A new folder for a run. The stamp goes: a failure must leave nothing that could pass for a result.</summary>
    public string NewRun()
    {
        File.Delete(StampFile);
        // Whoever left one was killed: the lock is ours.
        foreach (string abandoned in Directory.GetDirectories(folder, RunPrefix + "*"))
        {
            Directory.Delete(abandoned, recursive: true);
        }
        return Directory.CreateDirectory(Path.Combine(folder, RunPrefix + Guid.NewGuid().ToString("N"))).FullName;
    }

    /// <summary>Renames the files of a run that succeeded to their places, takes away those of earlier runs, and writes the stamp.</summary>
    /// <param name="files">Folder of the emitted files.</param>
    public void Commit(string files, Stamp stamp)
    {
        Directory.CreateDirectory(Emitted);
        foreach (string name in stamp.Emitted)
        {
            Put(Path.Combine(files, name), Path.Combine(Emitted, name));
        }
        foreach (string old in Directory.GetFiles(Emitted).Where(file => !stamp.Emitted.Contains(Path.GetFileName(file))))
        {
            File.Delete(old);
        }
        string written = Path.Combine(files, "stamp");
        stamp.Write(written);
        Put(written, StampFile);
    }

    /// <summary>Takes away what is left of a run.</summary>
    public static void Delete(string run)
    {
        try
        {
            Directory.Delete(run, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A tool that was ended by force may still hold a file: the next run takes it away, or `dotnet clean`.
        }
    }

    public void Dispose() => held.Dispose();

    /// <summary>The errors of a lock that another holds: ERROR_SHARING_VIOLATION on Windows, EWOULDBLOCK on Linux and on macOS.</summary>
    private static bool IsHeld(IOException exception) => (exception.HResult & 0xFFFF)
        == (RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? 32 : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? 35 : 11);

    private static string StampIn(string folder) => Path.Combine(folder, "stamp");

    private static void Put(string source, string target)
    {
        for (int left = Attempts; ; left--)
        {
            try
            {
                if (File.Exists(target))
                {
                    File.Replace(source, target, null);
                }
                else
                {
                    File.Move(source, target);
                }
                return;
            }
            catch (IOException) when (left > 1)
            {
                // Windows refuses while a publish beside this one copies the file.
                Thread.Sleep(BetweenAttempts);
            }
        }
    }
}
