using System.Globalization;
using System.Text.Json.Serialization;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Formats;

/// <summary>The range in which a value is held in 8 bits without sign: x ≈ Scale · (q − ZeroPoint), q from 0 to 255. Zero is one of the values held, so that what is padded stays exact.</summary>
/// <param name="Low">Lower end, at most 0.</param>
/// <param name="High">Upper end, at least 0.</param>
public sealed record ValueRange(float Low, float High)
{
    private const int Levels = 255;

    /// <summary>Share of a step that it may be narrowed to.</summary>
    private const float LeastStep = 0.9f;

    /// <summary>The range of values from one number to another.</summary>
    public static ValueRange Of(float low, float high) => new(MathF.Min(low, 0), MathF.Max(high, 0));

    /// <summary>The step.</summary>
    [JsonIgnore]
    public float Scale => High > Low && float.IsNormal((High - Low) / Levels) ? (High - Low) / Levels : 1;

    /// <summary>The number that stands for 0.</summary>
    [JsonIgnore]
    public int ZeroPoint => (int)Math.Clamp(MathF.Round(-Low / Scale), 0, Levels);

    /// <summary>A share of it.</summary>
    public ValueRange Times(float share) => new(Low * share, High * share);

    /// <summary>
    /// For the result of an activation: the nearest range in which what that adds is a whole number of steps, so that another zero point adds it (<see cref="StepsOf"/>). The range itself where steps would be too narrow for its values, or what is added too little to tell.
    /// </summary>
    public ValueRange For(Swish swish)
    {
        float addend = MathF.Abs(swish.Addend);
        ValueRange wide = Of(MathF.Min(Low, swish.Addend), MathF.Max(High, swish.Addend));
        float steps = MathF.Round(addend / wide.Scale), whole = steps < 1 ? 0 : addend / steps;
        if (whole < LeastStep * wide.Scale)
        {
            return wide;
        }

        float zero = Math.Clamp(MathF.Round(-wide.Low / whole), 0, Levels);
        return new ValueRange(-zero * whole, (Levels - zero) * whole);
    }

    /// <summary>The number of steps that stands for what an activation adds: so much higher is the zero point of its result before that.</summary>
    public int StepsOf(Swish swish) => (int)Math.Clamp(MathF.Round(swish.Addend / Scale), -ZeroPoint, Levels - ZeroPoint);

    /// <summary>What is left of it between two numbers.</summary>
    public ValueRange Within(float low, float high) => Of(MathF.Max(Low, low), MathF.Min(High, high));
}

/// <summary>What calibration data show of a layer whose activations are held in 8 bits.</summary>
/// <param name="Input">Range of what it reads.</param>
/// <param name="Output">Range of what it gives, behind the activation that is absorbed; null where that stays in float.</param>
public sealed record LayerRanges(ValueRange Input, ValueRange? Output)
{
    /// <summary>Range of what the pool right before it reads, where that is held with its input.</summary>
    public ValueRange? Pooled { get; init; }

    /// <summary>Range of what the layer itself gives, where an activation that computes in 8 bits stands behind it; null where none does.</summary>
    public ValueRange? Inner { get; init; }

    /// <summary>Identifies what is held: ranges of one text are equal.</summary>
    [JsonIgnore]
    public string Text => string.Create(CultureInfo.InvariantCulture, $"{Input.Low:R} {Input.High:R} {Output?.Low:R} {Output?.High:R} {Pooled?.Low:R} {Pooled?.High:R} {Inner?.Low:R} {Inner?.High:R}");
}
