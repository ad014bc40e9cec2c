using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>A value that is rounded to 8 bits in its range as soon as a layer that computes or reads it is in a format which holds values so; every reader sees it rounded then, and it is rounded once (design, section 12).</summary>
/// <param name="Value">Name of the value.</param>
/// <param name="Layers">Names of the layers.</param>
/// <param name="Range">The range, of a few between that of all data and half of it, in which rounding adds the least.</param>
/// <param name="Rounding">The loss MSE that it adds, with δ = ⟨Q(t) − t, ṫ⟩, ṫ being the gradient through all readers.</param>
public sealed record HeldValue(string Value, IReadOnlyList<string> Layers, ValueRange Range, FormatSensitivity Rounding);

/// <summary>Finds out what rounding a value to 8 bits in its range adds to the loss.</summary>
internal static class HeldValues
{
    /// <summary>What is summed for a layer's input, in place of the name of a format.</summary>
    public const string Input = "<input>";

    /// <summary>What is summed for what is pooled right before a layer.</summary>
    public const string Pooled = "<pooled>";

    /// <summary>What is summed for a layer's result.</summary>
    public const string Output = "<output>";

    /// <summary>What is summed for what a layer gives to an activation that is computed in 8 bits.</summary>
    public const string Inner = "<inner>";

    /// <summary>
    /// Shares of the range of all data that are tried: what lies outside is cut, the rest is held in smaller steps. Judged by the loss itself, so that no statistics of the values stand between (percentiles, histograms).
    /// </summary>
    private static readonly float[] Shares = [1, 0.85f, 0.7f, 0.55f];

    /// <summary>A smaller range has to add less than this share of what that of all data adds: sums over few samples scatter.</summary>
    private const double WorthIt = 0.8;

    /// <summary>Whether what is summed under a name is no format's.</summary>
    public static bool IsRounding(string name) => name.StartsWith('<');

    /// <summary>Whether some format of a calibration holds what a layer reads and gives in ranges known beforehand.</summary>
    public static bool AreJudged(LayerSite site, IReadOnlyList<NumberFormat> formats) => site.Ranges is not null && formats.Any(f => f.ReadsRanges && f.WhyNot(site) is null);

    /// <summary>Adds ⟨Q(z) − z, ż⟩ of a value that layers read.</summary>
    /// <param name="layers">All layers of the model that read it.</param>
    /// <param name="gradient">ż over all readers.</param>
    /// <param name="drawn">The same for labels drawn from the model, or null.</param>
    public static void AddInput(SampleTerms terms, IEnumerable<LayerSite> layers, IReadOnlyList<NumberFormat> formats, Tensor value, Tensor gradient, Tensor? drawn) =>
        AddRead(terms, layers.Where(s => AreJudged(s, formats)), Input, ranges => ranges.Input, value, gradient, drawn);

    /// <summary>Adds ⟨Q(z) − z, ż⟩ of a value of which layers read what is pooled.</summary>
    public static void AddPooled(SampleTerms terms, IEnumerable<LayerSite> layers, IReadOnlyList<NumberFormat> formats, Tensor value, Tensor gradient, Tensor? drawn) =>
        AddRead(terms, layers.Where(s => s.Ranges?.Pooled is not null && AreJudged(s, formats)), Pooled, ranges => ranges.Pooled!, value, gradient, drawn);

    /// <summary>Adds ⟨Q(t) − t, ṫ⟩ of what a layer gives, behind the activation that is absorbed: where that cuts, its gradient is none. An activation that is computed in 8 bits has its result, what it reads and its σ rounded.</summary>
    /// <param name="behind">Gradients of what such an activation gives, over all readers; null where there is none.</param>
    public static void AddOutput(SampleTerms terms, LayerSite site, LayerValues values, (Tensor Gradient, Tensor? Drawn)? behind)
    {
        if (site.Tail?.Swish is { } swish && behind is var (gradient, drawn))
        {
            var change = new SwishChange(swish, values.Output, gradient, drawn);
            Add(terms, site, Output, [.. Shares.Select(share => change.OfResult(site.Ranges!.Output!.Times(share).For(swish)))]);
            (double gate, double drawnGate) = change.OfGate();
            Add(terms, site, Inner, [.. Shares.Select(share => Change(site.Ranges!.Inner!.Times(share), swish.Least, float.PositiveInfinity, values.Output, values.Gradient, values.DrawnGradient)).Select(c => (c.Delta + gate, c.Drawn + drawnGate))]);
            return;
        }

        Add(terms, site, Output, [.. Shares.Select(share => Change(
            site.Ranges!.Output!.Times(share), site.Tail?.Low ?? float.NegativeInfinity, site.Tail?.High ?? float.PositiveInfinity, values.Output, values.Gradient, values.DrawnGradient))]);
    }

    /// <summary>The values with the layers that hold them: what a layer gives with those that read it so, what else layers read, and what is pooled for them.</summary>
    /// <param name="rounding">By name of a layer and of what is rounded, what was found; null where nothing was.</param>
    public static IReadOnlyList<HeldValue> Of(IEnumerable<LayerSite> sites, Func<string, string, FormatSensitivity?> rounding)
    {
        LayerSite[] known = [.. sites.Where(s => rounding(s.Layer.Name, Input) is not null || rounding(s.Layer.Name, Output) is not null)];
        var producers = known.Where(s => rounding(s.Layer.Name, Output) is not null).GroupBy(s => s.RangesOf.Output!).ToDictionary(g => g.Key, g => g.First());
        ILookup<string, LayerSite> readers = known.ToLookup(s => s.RangesOf.Input);
        ILookup<string, LayerSite> others = known.Where(s => !producers.ContainsKey(s.RangesOf.Input)).ToLookup(s => s.Layer.Input);
        return
        [
            .. producers.Select(p => Best(p.Key, [p.Value.Layer.Name, .. readers[p.Key].Select(r => r.Layer.Name)], p.Value.Ranges!.Output!, Output, p.Value.Tail?.Swish)),
            .. known.Where(s => rounding(s.Layer.Name, Inner) is not null).Select(s => Best(s.Inner!, [s.Layer.Name], s.Ranges!.Inner!, Inner)),
            .. others.Where(o => rounding(o.First().Layer.Name, Input) is not null).Select(o => Best(o.Key, [.. o.Select(r => r.Layer.Name)], o.First().Ranges!.Input, Input)),
            .. known.Where(s => rounding(s.Layer.Name, Pooled) is not null).GroupBy(s => s.Pooled!)
                .Select(p => Best(p.Key, [.. p.Select(s => s.Layer.Name)], p.First().Ranges!.Pooled!, Pooled)),
        ];

        HeldValue Best(string value, string[] layers, ValueRange range, string rounded, Swish? swish = null)
        {
            FormatSensitivity all = rounding(layers[0], rounded)!;
            (float share, FormatSensitivity least) = Shares.Skip(1).Select(s => (Share: s, Found: rounding(layers[0], Key(rounded, s))!)).Prepend((Share: 1, Found: all))
                .MinBy(f => f.Share == 1 ? f.Found.Measured * WorthIt : f.Found.Measured);
            return new HeldValue(value, layers, swish is null ? range.Times(share) : range.Times(share).For(swish), least);
        }
    }

    private static string Key(string rounded, float share) => share == 1 ? rounded : $"{rounded} {share.ToString(System.Globalization.CultureInfo.InvariantCulture)}";

    /// <summary>The changes of a value are worked out once for all layers: it has one range.</summary>
    private static void AddRead(SampleTerms terms, IEnumerable<LayerSite> layers, string rounded, Func<LayerRanges, ValueRange> rangeOf, Tensor value, Tensor gradient, Tensor? drawn)
    {
        (double Delta, double Drawn)[]? changes = null;
        foreach (LayerSite site in layers)
        {
            changes ??= [.. Shares.Select(share => Change(rangeOf(site.Ranges!).Times(share), float.NegativeInfinity, float.PositiveInfinity, value, gradient, drawn))];
            Add(terms, site, rounded, changes);
        }
    }

    private static void Add(SampleTerms terms, LayerSite site, string rounded, (double Delta, double Drawn)[] changes)
    {
        foreach ((float share, (double delta, double drawn)) in Shares.Zip(changes))
        {
            terms.Of(site.Layer.Name).AddChange(Key(rounded, share), delta, drawn);
        }
    }

    private static (double Delta, double Drawn) Change(ValueRange range, float least, float most, Tensor value, Tensor gradient, Tensor? drawn)
    {
        const int run = 4096;
        ReadOnlySpan<float> values = value.Values<float>(), first = gradient.Values<float>(), second = drawn is null ? [] : drawn.Values<float>();
        double delta = 0, drawnDelta = 0;
        Span<float> cuts = stackalloc float[run], changes = stackalloc float[run];
        Span<byte> rounded = stackalloc byte[run];
        for (int start = 0; start < values.Length; start += run)
        {
            int length = Math.Min(run, values.Length - start);
            Span<float> cut = cuts[..length], change = changes[..length];
            TensorPrimitives.Clamp(values.Slice(start, length), least, most, cut);
            Rounding.ToUnsigned(cut, range.Scale, range.ZeroPoint, byte.MaxValue, rounded);
            TensorPrimitives.ConvertTruncating<byte, float>(rounded[..length], change);
            TensorPrimitives.Subtract(change, range.ZeroPoint, change);
            TensorPrimitives.Multiply(change, range.Scale, change);
            TensorPrimitives.Subtract(change, cut, change);
            delta += TensorPrimitives.Dot(change, first.Slice(start, length));
            drawnDelta += drawn is null ? 0 : TensorPrimitives.Dot(change, second.Slice(start, length));
        }

        return (delta, drawnDelta);
    }
}
