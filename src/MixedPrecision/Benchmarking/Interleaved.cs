using System.Runtime.InteropServices;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Measures candidates against the original in one run. Two openings of the same file differ in time, since they lie elsewhere in memory, and by more than
/// many runs of one opening tell: so the unit of observation is a round, in which all sessions are opened anew, in an order that the next round reverses. Within a round
/// they run in turn, forth and back, so that a drift of the machine meets all alike. What disturbs a run (another process, an interrupt) only ever makes
/// it longer, so the undisturbed time of a session is taken to be the lower quartile of its measurements, which stands as long as a quarter of them is
/// undisturbed. Measuring ends at one of a few looks, for the width of the intervals or the time spent, and each look takes a part of the probability of missing, so that
/// the sum of all stays within what is allowed (Bonferroni's inequality): to look again and again would favour lucky ones.
/// All contenders are alive at once, which takes the memory of them all.
/// </summary>
public static class Interleaved
{
    /// <summary>Up to so many bytes shift the memory of a session, so that two openings do not lie at the same addresses as the two before.</summary>
    private const int MostShift = 1 << 17;

    /// <summary>An interval this many times wider than asked for says little.</summary>
    private const int SaysLittle = 5;

    /// <param name="contenders">The original, then at least one candidate.</param>
    /// <param name="settings">When to stop.</param>
    /// <param name="cancellation">Checked before every few runs.</param>
    /// <param name="clock">The clock; by default the machine's own.</param>
    public static Comparison Measure(IReadOnlyList<Contender> contenders, TimingSettings settings, CancellationToken cancellation, Clock? clock = null)
    {
        clock ??= Clock.Machine;
        ArgumentOutOfRangeException.ThrowIfLessThan(contenders.Count, 2);
        TimingPlan plan = TimingPlan.Of(contenders, settings);
        var random = new Random(contenders.Count);
        var rounds = new List<IReadOnlyList<double>>();
        int[] order = [.. Enumerable.Range(0, contenders.Count)];
        double left = 1 - settings.Confidence;
        int look = 0, last = plan.Looks.Count - 1;
        long begin = clock.Ticks();
        while (true)
        {
            // Every second order is the one before it reversed.
            if (rounds.Count % 2 == 0)
            {
                random.Shuffle(order);
            }
            else
            {
                Array.Reverse(order);
            }

            rounds.Add(Round(contenders, order, plan, clock, random, cancellation));
            double budgets = (clock.Ticks() - begin) / (double)clock.TicksPerSecond / (settings.Budget.TotalSeconds * (contenders.Count - 1));
            look = budgets >= TimingPlan.LongestBudgets ? last : budgets >= 1 ? Math.Max(look, last - 1) : look;
            bool isDue = rounds.Count >= plan.Looks[look] || budgets >= (look == last ? TimingPlan.LongestBudgets : 1);
            double miss = left / (plan.Looks.Count - look);
            if (!isDue || rounds.Count < MedianInterval.FewestObservations(1 - miss))
            {
                continue;
            }

            left -= 1 - MedianInterval.Reached(rounds.Count, 1 - miss);
            var comparison = new Comparison([.. rounds], 1 - miss, look == last ? settings.Confidence + left : settings.Confidence, settings.Precision);
            if (look == last || comparison.HalfWidth <= settings.Precision * (look == last - 1 ? SaysLittle : 1))
            {
                return comparison;
            }

            look++;
        }
    }

    /// <summary>The lower quartile of each contender's measurements, in milliseconds a run.</summary>
    private static double[] Round(IReadOnlyList<Contender> contenders, int[] order, TimingPlan plan, Clock clock, Random random, CancellationToken cancellation)
    {
        var opened = new OpenedRun?[contenders.Count];
        var shifts = new List<nint>();
        try
        {
            foreach (int contender in order)
            {
                cancellation.ThrowIfCancellationRequested();
                shifts.Add(Allocate(random.Next(1, MostShift)));
                opened[contender] = contenders[contender].Open();
            }

            for (int run = 0; run < plan.WarmUps; run++)
            {
                foreach (int contender in order)
                {
                    cancellation.ThrowIfCancellationRequested();
                    opened[contender]!.Run();
                }
            }

            double[][] measured = [.. contenders.Select(_ => new double[plan.Blocks * 2])];
            for (int block = 0; block < plan.Blocks; block++)
            {
                // Each block is led by another one; after as many blocks as contenders all have led alike.
                int[] turn = [.. order[(block % order.Length)..], .. order[..(block % order.Length)]];
                for (int pass = 0; pass < 2; pass++)
                {
                    foreach (int contender in pass == 0 ? turn : turn.Reverse())
                    {
                        cancellation.ThrowIfCancellationRequested();
                        measured[contender][(block * 2) + pass] = clock.Time(() => Repeat(opened[contender]!.Run, plan.Runs)) / plan.Runs;
                    }
                }
            }

            return [.. measured.Select(LowerQuartile)];
        }
        finally
        {
            foreach (OpenedRun? open in opened)
            {
                open?.Close();
            }

            shifts.ForEach(Free);
        }
    }

    private static void Repeat(Action run, int times)
    {
        for (int i = 0; i < times; i++)
        {
            run();
        }
    }

    /// <summary>The lower quartile, interpolated between neighbours.</summary>
    private static double LowerQuartile(double[] values)
    {
        Array.Sort(values);
        double place = (values.Length - 1) / 4.0;
        int below = (int)place;
        return values[below] + ((place - below) * (values[Math.Min(below + 1, values.Length - 1)] - values[below]));
    }

    private static unsafe nint Allocate(int bytes) => (nint)NativeMemory.Alloc((nuint)bytes);

    private static unsafe void Free(nint memory) => NativeMemory.Free((void*)memory);
}
