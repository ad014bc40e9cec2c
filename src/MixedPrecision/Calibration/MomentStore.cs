using System.Runtime.InteropServices;
using MixedPrecision.Caching;
using MixedPrecision.Formats;

namespace MixedPrecision.Calibration;

/// <summary>An activation that was observed: its moments lie in the store.</summary>
/// <param name="Value">Name of the activation.</param>
/// <param name="Inputs">K.</param>
/// <param name="Rows">How many rows were seen.</param>
/// <param name="Width">Inputs of a block of its moments.</param>
/// <param name="Hash">Identifies the moments.</param>
public sealed record ObservedValue(string Value, int Inputs, long Rows, int Width, string Hash);

/// <summary>Keeps moments by content, as files in the cache.</summary>
/// <param name="store">The cache.</param>
/// <param name="damaged">Told why an entry of the cache cannot be trusted.</param>
public sealed class MomentStore(ContentStore store, Action<string> damaged)
{
    public const string Stage = "moments";

    /// <summary>Keeps sums over samples.</summary>
    internal ObservedValue Put(string value, MomentSums sums)
    {
        float[] total = sums.Total();
        var observed = new ObservedValue(value, sums.Inputs, sums.Rows, sums.Width, sums.HashOf(total));
        store.PutFile(Stage, Key(observed), stream => stream.Write(MemoryMarshal.AsBytes<float>(total)));
        return observed;
    }

    /// <summary>The moments of a value, read when they are needed.</summary>
    /// <param name="again">Observes once more, where the store has lost them.</param>
    public InputMoments Get(ObservedValue observed, Action again) => new(observed.Inputs, observed.Rows, observed.Width, observed.Hash, () =>
    {
        if (Find(observed) is float[] found)
        {
            return found;
        }

        again();
        return Find(observed) ?? throw new InvalidOperationException($"observing '{observed.Value}' once more gave other moments");
    });

    private float[]? Find(ObservedValue observed)
    {
        string? path = store.TryGetFile(Stage, Key(observed), out string? damage);
        if (damage is not null)
        {
            damaged(damage);
        }

        return path is null ? null : MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(path)).ToArray();
    }

    private static CacheKey Key(ObservedValue observed) => CacheKey.Of(("hash", observed.Hash)).With("inputs", observed.Inputs).With("width", observed.Width);
}
