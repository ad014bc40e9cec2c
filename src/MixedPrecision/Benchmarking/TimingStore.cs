using System.Text.Json;
using System.Text.Json.Serialization;
using MixedPrecision.Caching;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Timings by their key: those of this process, and in the cache those of earlier ones. It is the only cache of timings. With a profile, timings are those of that alone, and none is added.
/// </summary>
/// <param name="store">The cache.</param>
/// <param name="machine">What is measured on; with the key of a timing it is that of its entry in the cache.</param>
/// <param name="profile">Timings of another machine by the text of their keys, or null.</param>
internal sealed class TimingStore(ContentStore store, Machine machine, IReadOnlyDictionary<string, StoredTiming>? profile = null)
{
    public const string Stage = "timing";

    private readonly Dictionary<string, StoredTiming> known = [];
    private readonly List<string> warnings = [];
    private readonly HashSet<string> missing = [];
    private readonly CacheKey machineKey = machine.Key();
    private ILookup<string, TimingSubject>? subjects;

    /// <summary>Timings that were measured and stored.</summary>
    public int Measured { get; private set; }

    /// <summary>Timings that were found.</summary>
    public int Reused { get; private set; }

    /// <summary>Whether nothing is measured: what is not in the profile stays unknown.</summary>
    public bool IsClosed => profile is not null;

    /// <summary>Configurations and edges that were asked for and are not in the profile.</summary>
    public int Missing => missing.Count;

    /// <summary>All that was measured or found, by the text of its key.</summary>
    public IReadOnlyDictionary<string, StoredTiming> Known => known;

    /// <summary>Entries of the cache that could not be trusted.</summary>
    public IReadOnlyList<string> Warnings => warnings;

    /// <summary>What the profile has of sub-graphs of a structure.</summary>
    public IEnumerable<TimingSubject> Of(string fingerprint) =>
        profile is null ? [] : (subjects ??= profile.Values.Select(t => t.Of).ToLookup(of => of.Fingerprint, StringComparer.Ordinal))[fingerprint];

    public StoredTiming? Find(CacheKey key)
    {
        if (!known.TryGetValue(key.Hex, out StoredTiming? timing) && (timing = Read(key)) is not null)
        {
            known.Add(key.Hex, timing);
        }

        Reused += timing?.Timing is null ? 0 : 1;
        return timing;
    }

    public StoredTiming Add(CacheKey key, TimingSubject of, Timing timing)
    {
        Measured++;
        return Put(key, new StoredTiming(of, timing, null));
    }

    /// <summary>The same, unless it is known from a comparison in which the original took less: see <see cref="Disturbance"/>.</summary>
    /// <returns>What is known from then on.</returns>
    public StoredTiming AddFaster(CacheKey key, TimingSubject of, Timing timing) =>
        !known.TryGetValue(key.Hex, out StoredTiming? before) ? Add(key, of, timing)
        : before.Timing?.OriginalMilliseconds <= timing.OriginalMilliseconds ? before
        : Put(key, new StoredTiming(of, timing, null));

    /// <summary>Keeps why a configuration cannot run, so that it is not tried again.</summary>
    public StoredTiming AddUnavailable(CacheKey key, TimingSubject of, string reason) => Put(key, new StoredTiming(of, null, reason));

    /// <summary>Notes that something is not in the profile.</summary>
    /// <param name="keys">Its keys, one for each scenario.</param>
    public void Miss(IEnumerable<CacheKey> keys) => missing.Add(string.Join(' ', keys.Select(k => k.Hex)));

    private StoredTiming? Read(CacheKey key)
    {
        if (profile is not null)
        {
            return profile.GetValueOrDefault(key.Hex);
        }

        byte[]? content = store.TryGet(Stage, EntryOf(key), out string? damage);
        if (damage is not null)
        {
            warnings.Add($"the timing {key.Hex[..8]} in the cache is damaged and is measured again ({damage})");
        }

        return content is null ? null : JsonSerializer.Deserialize(content, TimingJsonContext.Default.StoredTiming)!;
    }

    private CacheKey EntryOf(CacheKey key) => key.With("machine", machineKey);

    private StoredTiming Put(CacheKey key, StoredTiming timing)
    {
        store.Put(Stage, EntryOf(key), JsonSerializer.SerializeToUtf8Bytes(timing, TimingJsonContext.Default.StoredTiming));
        return known[key.Hex] = timing;
    }
}

[JsonSerializable(typeof(StoredTiming))]
[JsonSourceGenerationOptions(IgnoreReadOnlyProperties = true)]
internal sealed partial class TimingJsonContext : JsonSerializerContext;
