using System.Text.Json;
using System.Text.Json.Serialization;
using MixedPrecision.Caching;

namespace MixedPrecision.Benchmarking;

/// <summary>Timings by their key: those of this process, and in the cache those of earlier ones.</summary>
/// <param name="store">The cache.</param>
internal sealed class TimingStore(ContentStore store)
{
    public const string Stage = "timing";

    private readonly Dictionary<string, Timing> known = [];
    private readonly List<string> warnings = [];

    /// <summary>Timings that were stored and not found.</summary>
    public int Measured { get; private set; }

    /// <summary>Timings that were found.</summary>
    public int Reused { get; private set; }

    /// <summary>Entries of the cache that could not be trusted.</summary>
    public IReadOnlyList<string> Warnings => warnings;

    public Timing? Find(CacheKey key)
    {
        if (!known.TryGetValue(key.Hex, out Timing? timing))
        {
            byte[]? content = store.TryGet(Stage, key, out string? damage);
            if (content is not null)
            {
                timing = JsonSerializer.Deserialize(content, TimingJsonContext.Default.Timing)!;
                known.Add(key.Hex, timing);
            }
            else if (damage is not null)
            {
                warnings.Add($"the timing {key.Hex[..8]} in the cache is damaged and is measured again ({damage})");
            }
        }

        Reused += timing is null ? 0 : 1;
        return timing;
    }

    public void Add(CacheKey key, Timing timing)
    {
        store.Put(Stage, key, JsonSerializer.SerializeToUtf8Bytes(timing, TimingJsonContext.Default.Timing));
        known[key.Hex] = timing;
        Measured++;
    }
}

[JsonSerializable(typeof(Timing))]
[JsonSourceGenerationOptions(IgnoreReadOnlyProperties = true)]
internal sealed partial class TimingJsonContext : JsonSerializerContext;
