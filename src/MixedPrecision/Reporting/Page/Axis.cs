namespace MixedPrecision.Reporting.Page;

/// <summary>From values to co-ordinates of a drawing. On a logarithmic axis zero has a place of its own, before the least value.</summary>
internal sealed class Axis
{
    /// <summary>Above this factor between greatest and least value the axis is logarithmic.</summary>
    private const double WidestLinear = 25;

    /// <summary>Room of zero on a logarithmic axis.</summary>
    private const double RoomOfZero = 36;

    private readonly double from;
    private readonly double to;
    private readonly double start;
    private readonly double end;

    private Axis(bool isLogarithmic, double from, double to, double start, double end) =>
        (IsLogarithmic, this.from, this.to, this.start, this.end) = (isLogarithmic, from, to, start, end);

    public bool IsLogarithmic { get; }

    /// <summary>From zero, or from the least value if that is below, to a little above the greatest.</summary>
    public static Axis Linear(IEnumerable<double> values, double start, double end)
    {
        double[] finite = [0, .. values.Where(double.IsFinite)];
        double least = finite.Min();
        double most = finite.Max();
        double margin = most > least ? (most - least) * 0.06 : 1;
        return new Axis(false, least < 0 ? least - margin : 0, most + margin, start, end);
    }

    /// <summary>For values of at least zero: logarithmic where they span orders of magnitude.</summary>
    public static Axis Spanning(IEnumerable<double> values, double start, double end)
    {
        double[] positive = [.. values.Where(v => double.IsFinite(v) && v > 0)];
        return positive.Length == 0 || positive.Max() / positive.Min() < WidestLinear
            ? Linear(positive, start, end)
            : new Axis(true, positive.Min() / 1.3, positive.Max() * 1.3, start, end);
    }

    public double At(double value)
    {
        if (!IsLogarithmic)
        {
            return start + ((Math.Clamp(value, from, to) - from) / (to - from) * (end - start));
        }

        double first = start + (Math.Sign(end - start) * RoomOfZero);
        return value <= 0 ? start : first + (Math.Log(Math.Clamp(value, from, to) / from) / Math.Log(to / from) * (end - first));
    }

    /// <summary>Round values along the axis, in order.</summary>
    public IReadOnlyList<double> Ticks(int about = 5) => IsLogarithmic ? [0, .. Decades()] : [.. Steps(about)];

    /// <summary>The same with their places, as far as words fit between them; minor ones are those for which a phone has no room.</summary>
    /// <param name="least">Least distance.</param>
    /// <param name="leastOnAPhone">Least distance of those that are not minor.</param>
    public IEnumerable<(double Value, double At, bool IsMinor)> SpacedTicks(double least, double leastOnAPhone, int about = 5)
    {
        (double before, double beforeOnAPhone) = (double.NegativeInfinity, double.NegativeInfinity);
        foreach (double value in Ticks(about).Where(v => At(v) - before >= least))
        {
            before = At(value);
            bool isMinor = before - beforeOnAPhone < leastOnAPhone;
            beforeOnAPhone = isMinor ? beforeOnAPhone : before;
            yield return (value, before, isMinor);
        }
    }

    private IEnumerable<double> Steps(int about)
    {
        double rough = (to - from) / about;
        double magnitude = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = magnitude * (rough / magnitude) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
        for (long i = (long)Math.Ceiling(from / step); i * step <= to; i++)
        {
            yield return i * step;
        }
    }

    /// <summary>Powers of ten, and where these are few also their doubles and halves.</summary>
    private IEnumerable<double> Decades()
    {
        double[] multiples = Math.Log10(to / from) > 3 ? [1] : [1, 2, 5];
        for (int power = (int)Math.Floor(Math.Log10(from)); power <= Math.Log10(to); power++)
        {
            foreach (double value in multiples.Select(m => m * Math.Pow(10, power)).Where(v => v >= from && v <= to))
            {
                yield return value;
            }
        }
    }
}
