using System.Collections.Concurrent;
using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>The table of formats. A family is one file and one line here (and its declaration in <see cref="FormatFamilies"/>).</summary>
public static class NumberFormats
{
    private static readonly Dictionary<string, Func<FormatId, NumberFormat>> Families = new()
    {
        [FormatFamilies.Baseline] = Fp32.Of,
        [FormatFamilies.Int8Dynamic] = Int8Dynamic.Of,
        [FormatFamilies.Int8Static] = Int8Static.Of,
        [FormatFamilies.Int8Weight] = BlockWeights.Of,
        [FormatFamilies.Int4Weight] = BlockWeights.Of,
        [FormatFamilies.Int2Weight] = BlockWeights.Of,
        [FormatFamilies.Fp16] = Fp16.Of,
        [FormatFamilies.BFloat16] = BFloat16.Of,
        [FormatFamilies.Fp8E4M3] = Fp8E4M3.Of,
        [FormatFamilies.Fp8E5M2] = Fp8E5M2.Of,
    };

    private static readonly ConcurrentDictionary<string, NumberFormat> Made = new();

    /// <summary>What every layer runs in unless the plan says otherwise.</summary>
    public static NumberFormat Baseline { get; } = Get(FormatFamilies.Baseline);

    /// <summary>The formats of the preset that counts where a policy names none, the baseline first.</summary>
    public static IReadOnlyList<NumberFormat> Default { get; } = [.. FormatFamilies.Presets[FormatFamilies.DefaultPreset].Select(Get)];

    /// <summary>The format of each family with its defaults, as every processor has it.</summary>
    public static IReadOnlyList<NumberFormat> OfFamilies { get; } = [.. FormatFamilies.All.Select(f => Get(f.Default.On(isExact: false).Text))];

    /// <summary>The format that a text names, canonical or not; for one format always the same object. Of an open one, that which every processor computes rightly.</summary>
    /// <exception cref="ArgumentException">The text names none.</exception>
    public static NumberFormat Get(string text) => Made.TryGetValue(text, out NumberFormat? known) ? known : Get(FormatId.Parse(text).On(isExact: false));

    private static NumberFormat Get(FormatId id) => Made.GetOrAdd(id.Text, _ => Families[id.Family.Name](id));
}
