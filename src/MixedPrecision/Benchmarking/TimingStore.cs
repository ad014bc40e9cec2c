using System.Text.Json;
using System.Text.Json.Serialization;
using MixedPrecision.Caching;

namespace MixedPrecision.Benchmarking;

/// <summary>What is known of a configuration in a scenario: its timing, or why it cannot run.</summary>
/// <param name="Timing">What was measured; null when it cannot run.</param>
/// <param name="Unavailable">The reason; null when it can.</param>
internal sealed record StoredTiming(Timing? Timing, string? Unavailable);

/// <summary>Timings by their key: those of this process, and in the cache those of earlier ones. It is the only cache of timings.</summary>
/// <param name="store">The cache.</param>
internal sealed class TimingStore(ContentStore store)
{
    public const string Stage = "timing";

    private readonly Dictionary<string, StoredTiming> known = [];
    private readonly List<string> warnings = [];

    /// <summary>Timings that were measured and stored.</summary>
    public int Measured { get; private set; }

    /// <summary>Timings that were found.</summary>
    public int Reused { get; private set; }

    /// <summary>Entries of the cache that could not be trusted.</summary>
    public IReadOnlyList<string> Warnings => warnings;

    public StoredTiming? Find(CacheKey key)
    {
        if (!known.TryGetValue(key.Hex, out StoredTiming? timing))
        {
            byte[]? content = store.TryGet(Stage, key, out string? damage);
            if (content is not null)
            {
                timing = JsonSerializer.Deserialize(content, TimingJsonContext.Default.StoredTiming)!;
                known.Add(key.Hex, timing);
            }
            else if (damage is not null)
            {
                warnings.Add($"the timing {key.Hex[..8]} in the cache is damaged and is measured again ({damage})");
            }
        }

        Reused += timing?.Timing is null ? 0 : 1;
        return timing;
    }

    public void Add(CacheKey key, Timing timing)
    {
        Put(key, new StoredTiming(timing, null));
        Measured++;
    }

    /// <summary>Keeps why a configuration cannot run, so that it is not tried again.</summary>
    public void AddUnavailable(CacheKey key, string reason) => Put(key, new StoredTiming(null, reason));

    private void Put(CacheKey key, StoredTiming timing)
    {
        store.Put(Stage, key, JsonSerializer.SerializeToUtf8Bytes(timing, TimingJsonContext.Default.StoredTiming));
        known[key.Hex] = timing;
    }
}

[JsonSerializable(typeof(StoredTiming))]
[JsonSourceGenerationOptions(IgnoreReadOnlyProperties = true)]
internal sealed partial class TimingJsonContext : JsonSerializerContext;
