using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Pipeline;

/// <summary>
/// The declaration of a stage: what it reads, from which its key follows, and what it makes. A stage reads nothing that it does not declare.
/// </summary>
/// <param name="Name">Name in the cache, in messages and in documents.</param>
/// <param name="Version">Raised when the stage computes something else from the same inputs.</param>
/// <param name="Key">Everything that determines the artifact, and nothing else: no paths, no clocks.</param>
/// <param name="Run">Makes the artifact.</param>
internal sealed record Stage<TInput, TArtifact>(
    string Name,
    int Version,
    Func<TInput, CacheKey> Key,
    Func<TInput, StageContext, TArtifact> Run);

/// <summary>What a stage has while it runs.</summary>
/// <param name="Report">Told the fraction that is done, and what is under way (or "").</param>
/// <param name="Kept">What an earlier run of the same stage on the same inputs saved before it was stopped, or null.</param>
/// <param name="Save">Keeps what the stage would resume from; called at any rate, written at most once a second.</param>
/// <param name="Cancel">Stops the stage.</param>
internal sealed record StageContext(Action<double, string> Report, byte[]? Kept, Action<Func<byte[]>> Save, CancellationToken Cancel);

/// <summary>Runs stages, or takes their artifacts from the cache, and says which.</summary>
internal sealed class StageRunner(ContentStore store, RunOptions options)
{
    private static readonly TimeSpan SavingInterval = TimeSpan.FromSeconds(1);
    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, IncludeFields = true };

    public ContentStore Store => store;

    /// <summary>The artifact of a stage for an input.</summary>
    public TArtifact Get<TInput, TArtifact>(Stage<TInput, TArtifact> stage, TInput input)
    {
        options.Cancel.ThrowIfCancellationRequested();
        CacheKey key = KeyOf(stage, input);
        byte[]? stored = store.TryGet(stage.Name, key, out string? damage);
        if (damage is not null)
        {
            options.Warn(Errors.CacheEntryDamaged(stage.Name, damage));
        }

        if (stored is not null)
        {
            options.Progress(new ProgressUpdate(stage.Name, "reused"));
            return JsonSerializer.Deserialize<TArtifact>(stored, Json)!;
        }

        string unfinished = stage.Name + "-unfinished";
        long saved = Stopwatch.GetTimestamp();
        byte[]? kept = store.TryGet(unfinished, key, out _);
        if (kept is not null)
        {
            options.Progress(new ProgressUpdate(stage.Name, "goes on where an earlier run was stopped"));
        }

        TArtifact artifact = Timed(stage.Name, report => stage.Run(input, new StageContext(report, kept, content =>
        {
            if (Stopwatch.GetElapsedTime(saved) >= SavingInterval)
            {
                store.Put(unfinished, key, content());
                saved = Stopwatch.GetTimestamp();
            }
        }, options.Cancel)));
        store.Put(stage.Name, key, JsonSerializer.SerializeToUtf8Bytes(artifact, Json));
        store.Remove(unfinished, key);
        return artifact;
    }

    /// <summary>The key of a stage's artifact: its name, its version and its inputs.</summary>
    public static CacheKey KeyOf<TInput, TArtifact>(Stage<TInput, TArtifact> stage, TInput input) =>
        CacheKey.Of(("stage", stage.Name)).With("version", stage.Version).With("inputs", stage.Key(input));

    /// <summary>The SHA-256 of an artifact as it is stored, for the keys of stages that read it.</summary>
    public static byte[] Serialize<T>(T artifact) => JsonSerializer.SerializeToUtf8Bytes(artifact, Json);

    /// <summary>What <see cref="Serialize"/> wrote.</summary>
    public static T Deserialize<T>(byte[] content) => JsonSerializer.Deserialize<T>(content, Json)!;

    /// <summary>Does work of a stage with a running report of fraction and time left.</summary>
    public T Timed<T>(string stage, Func<Action<double, string>, T> work)
    {
        options.Progress(new ProgressUpdate(stage, "started"));
        long start = Stopwatch.GetTimestamp();
        double first = -1;
        T result = work((fraction, text) =>
        {
            // What was done before the start (by a run that was stopped) took none of this run's time.
            first = first < 0 ? fraction : first;
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            options.Progress(new ProgressUpdate(stage, text, fraction, fraction > first ? elapsed * ((1 - fraction) / (fraction - first)) : null));
        });
        options.Progress(new ProgressUpdate(stage, $"done in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s"));
        return result;
    }
}
