using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using MixedPrecision.Caching;

namespace MixedPrecision.Pipeline;

/// <summary>
/// The declaration of a stage: what it makes of its input record, from which its key follows (<see cref="StageKey"/>).
/// </summary>
/// <param name="Name">Name in the cache, in messages and in documents.</param>
/// <param name="Version">Raised when the stage computes something else from the same inputs.</param>
/// <param name="Run">Makes the artifact from the record alone.</param>
/// <param name="IsClocked">Whether the artifact holds times, which differ from run to run.</param>
/// <param name="IsKept">Whether an artifact is kept for further runs; null: every one.</param>
/// <param name="IsQuiet">Whether nothing is said of it, since it is done at once and part of opening a model.</param>
internal sealed record Stage<TInput, TArtifact>(
    string Name, int Version, Func<TInput, StageContext, TArtifact> Run, bool IsClocked = false, Func<TArtifact, bool>? IsKept = null, bool IsQuiet = false)
    where TInput : notnull;

/// <summary>What a stage has while it runs.</summary>
/// <param name="Report">Told the fraction that is done, and what is under way (or "").</param>
/// <param name="Kept">What an earlier run of the same stage on the same inputs saved before it was stopped, or null.</param>
/// <param name="Save">Keeps what the stage would resume from; called at any rate, written at most once a second.</param>
/// <param name="Cancel">Stops the stage.</param>
internal sealed record StageContext(Action<double, string> Report, byte[]? Kept, Action<Func<byte[]>> Save, CancellationToken Cancel);

/// <summary>Runs stages, or takes their artifacts from the cache, and says which.</summary>
internal sealed class StageRunner(ContentStore store, RunLog log)
{
    private static readonly TimeSpan SavingInterval = TimeSpan.FromSeconds(1);
    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, IncludeFields = true };

    public ContentStore Store => store;

    public RunLog Log => log;

    /// <summary>The same for one of several files of a run: see <see cref="RunLog.Branch"/>.</summary>
    public StageRunner Branch() => new(store, log.Branch());

    /// <summary>The artifact of a stage for an input.</summary>
    public TArtifact Get<TInput, TArtifact>(Stage<TInput, TArtifact> stage, TInput input)
        where TInput : notnull
    {
        log.Cancel.ThrowIfCancellationRequested();
        CacheKey key = KeyOf(stage.Name, stage.Version, input);
        byte[]? stored = Find(stage.Name, key);
        if (stored is not null && !log.Recomputes)
        {
            if (!stage.IsQuiet)
            {
                log.Count(stage.Name, isReused: true);
                log.SayOfStage(stage.Name, "reused", isWork: false);
            }

            return Deserialize<TArtifact>(stored);
        }

        string unfinished = stage.Name + "-unfinished";
        byte[]? kept = stored is null ? Find(unfinished, key) : null;
        if (kept is not null)
        {
            log.Progress(new ProgressUpdate(stage.Name, "goes on where an earlier run was stopped"));
        }

        long saved = Stopwatch.GetTimestamp();
        TArtifact Run(Action<double, string> report) => stage.Run(input, new StageContext(report, kept, content =>
        {
            if (Stopwatch.GetElapsedTime(saved) >= SavingInterval)
            {
                store.Put(unfinished, key, content());
                saved = Stopwatch.GetTimestamp();
            }
        }, log.Cancel));
        TArtifact artifact = stage.IsQuiet ? Run((_, _) => { }) : Timed(stage.Name, Run);
        byte[] made = Serialize(artifact);
        if (stored is not null && !stage.IsClocked && !made.AsSpan().SequenceEqual(stored))
        {
            throw new InvalidOperationException($"stage '{stage.Name}' made another artifact from the same inputs: {string.Join(", ", StageKey.Of(input).Describe())}");
        }

        if (stage.IsKept?.Invoke(artifact) != false)
        {
            store.Put(stage.Name, key, made);
        }

        store.Remove(unfinished, key);
        return artifact;
    }

    /// <summary>The artifact of a stage for an input if it is known, else null: nothing is run.</summary>
    public TArtifact? Find<TInput, TArtifact>(Stage<TInput, TArtifact> stage, TInput input)
        where TInput : notnull
        where TArtifact : class => Find(stage.Name, KeyOf(stage.Name, stage.Version, input)) is { } stored ? Deserialize<TArtifact>(stored) : null;

    /// <summary>Paths, in the cache, of the files of a stage if they are known, else null.</summary>
    public IReadOnlyList<string>? FindFiles(string stage, int version, object input, int count)
    {
        CacheKey key = KeyOf(stage, version, input);
        string?[] stored = [.. Enumerable.Range(0, count).Select(file => FindFile(NameOf(stage, file), key))];
        return stored.Contains(null) ? null : [.. stored.Select(s => s!)];
    }

    /// <summary>The artifact of a stage that is kept as files: copied to the paths given, or made there.</summary>
    /// <param name="paths">Full paths of the files, the same number and order for equal inputs.</param>
    public void GetFiles(string stage, int version, object input, IReadOnlyList<string> paths, Action make)
    {
        log.Cancel.ThrowIfCancellationRequested();
        CacheKey key = KeyOf(stage, version, input);
        string?[] stored = [.. paths.Select((_, i) => FindFile(NameOf(stage, i), key))];
        if (stored.All(s => s is not null) && !log.Recomputes)
        {
            log.SayOfStage(stage, "reused", isWork: false);
            foreach ((string? from, string to) in stored.Zip(paths))
            {
                File.Copy(from!, to, overwrite: true);
            }

            return;
        }

        Timed(stage, _ =>
        {
            make();
            return true;
        });
        for (int i = 0; i < paths.Count; i++)
        {
            if (stored[i] is { } before && !SameBytes(before, paths[i]))
            {
                throw new InvalidOperationException($"stage '{stage}' made another file from the same inputs: {string.Join(", ", StageKey.Of(input).Describe())}");
            }

            store.PutFile(NameOf(stage, i), key, paths[i]);
        }
    }

    private static string NameOf(string stage, int file) => file == 0 ? stage : $"{stage}-{file}";

    /// <summary>Writes an artifact as it is stored.</summary>
    public static byte[] Serialize<T>(T artifact) => JsonSerializer.SerializeToUtf8Bytes(artifact, Json);

    /// <summary>What <see cref="Serialize"/> wrote.</summary>
    public static T Deserialize<T>(byte[] content) => JsonSerializer.Deserialize<T>(content, Json)!;

    /// <summary>Has the reader of JSON find out how artifacts are read, which takes longer than to read them.</summary>
    public static void MakeReady(params IEnumerable<Type> artifacts)
    {
        foreach (Type artifact in artifacts)
        {
            JsonSerializer.Deserialize("null"u8, artifact, Json);
        }
    }

    /// <summary>Does work of a stage with a running report of fraction and time left.</summary>
    public T Timed<T>(string stage, Func<Action<double, string>, T> work)
    {
        log.SayOfStage(stage, "started", isWork: true);
        long start = Stopwatch.GetTimestamp();
        double first = -1;
        T result = work((fraction, text) =>
        {
            // What was done before the start (by a run that was stopped) took none of this run's time.
            first = first < 0 ? fraction : first;
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            log.Progress(new ProgressUpdate(stage, text, fraction, fraction > first ? elapsed * ((1 - fraction) / (fraction - first)) : null));
        });
        log.Count(stage, isReused: false);
        log.SayOfStage(stage, $"done in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s", isWork: true);
        return result;
    }

    /// <summary>The key of a stage's artifact: its name, its version and its input.</summary>
    private CacheKey KeyOf(string stage, int version, object input)
    {
        CacheKey inputs = StageKey.Of(input);
        log.Key(stage, inputs);
        return CacheKey.Of(("stage", stage)).With("version", version).With("inputs", inputs);
    }

    private byte[]? Find(string stage, CacheKey key)
    {
        byte[]? stored = store.TryGet(stage, key, out string? damage);
        log.WarnOfDamage(stage, damage);
        return stored;
    }

    private string? FindFile(string stage, CacheKey key)
    {
        string? stored = store.TryGetFile(stage, key, out string? damage);
        log.WarnOfDamage(stage, damage);
        return stored;
    }

    private static bool SameBytes(string first, string second)
    {
        using FileStream a = File.OpenRead(first), b = File.OpenRead(second);
        return System.Security.Cryptography.SHA256.HashData(a).AsSpan().SequenceEqual(System.Security.Cryptography.SHA256.HashData(b));
    }
}
