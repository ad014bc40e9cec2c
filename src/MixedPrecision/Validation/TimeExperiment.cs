namespace MixedPrecision.Validation;

/// <summary>A random plan: what is predicted of its gain, and what was measured end to end of its file. Gains are shares of the time of the whole original, which the clock of the machine does not move.</summary>
/// <param name="Plan">Its number.</param>
/// <param name="Layers">Layers that it changes.</param>
/// <param name="InWhole">The sum over its sub-graphs, each timed as a whole in its configuration, and what formats save in the whole model beyond that: what plans are chosen by.</param>
/// <param name="BySubgraphs">The sum over its sub-graphs without that, likewise.</param>
/// <param name="ByLayers">The sum over its layers, each timed alone in its format, likewise.</param>
/// <param name="Measured">Of the whole model.</param>
/// <param name="Low">Lower end of its interval.</param>
/// <param name="High">Upper end of its interval.</param>
/// <param name="OriginalMilliseconds">What the original took in the same run.</param>
public sealed record TimePoint(int Plan, int Layers, double InWhole, double BySubgraphs, double ByLayers, double Measured, double Low, double High, double OriginalMilliseconds);

/// <summary>One way to add up gains against what was measured.</summary>
/// <param name="By">"sub-graphs in the whole", "sub-graphs alone" or "layers alone".</param>
/// <param name="Plans">How many plans.</param>
/// <param name="Slope">Slope of the line of least squares through the origin, measured over predicted.</param>
/// <param name="Correlation">Correlation of both.</param>
/// <param name="MeanError">Mean of |predicted − measured| over the mean of |measured|.</param>
public sealed record TimeFit(string By, int Plans, double? Slope, double? Correlation, double? MeanError);

/// <summary>The experiment in numbers.</summary>
/// <param name="SubgraphMilliseconds">What the original's sub-graphs take, each cut out by itself.</param>
/// <param name="WholeMilliseconds">What the whole original takes.</param>
/// <param name="Fits">As plans are chosen, by sub-graphs, and by single layers.</param>
public sealed record TimeSummary(double SubgraphMilliseconds, double WholeMilliseconds, IReadOnlyList<TimeFit> Fits);

/// <summary>Predicted against measured end-to-end gain over random plans, as plans are chosen and, as ablations, by sub-graphs and by single layers alone (paper, experiment on time).</summary>
internal static class TimeExperiment
{
    public static TimeSummary Summarize(IReadOnlyList<TimePoint> points, double subgraphMilliseconds, double wholeMilliseconds) => new(
        subgraphMilliseconds,
        wholeMilliseconds,
        [FitOf("sub-graphs in the whole", points, p => p.InWhole), FitOf("sub-graphs alone", points, p => p.BySubgraphs), FitOf("layers alone", points, p => p.ByLayers)]);

    /// <summary>A row a plan.</summary>
    public static string ToCsv(IEnumerable<TimePoint> points) => Csv.Of(
        ["plan", "layers_changed", "predicted_in_whole", "predicted_by_subgraphs", "predicted_by_layers", "measured", "measured_low", "measured_high", "original_milliseconds"],
        points.Select(p => new object?[] { p.Plan, p.Layers, p.InWhole, p.BySubgraphs, p.ByLayers, p.Measured, p.Low, p.High, p.OriginalMilliseconds }));

    private static TimeFit FitOf(string by, IReadOnlyList<TimePoint> points, Func<TimePoint, double> predicted)
    {
        double[] x = [.. points.Select(predicted)], y = [.. points.Select(p => p.Measured)];
        return new TimeFit(by, x.Length, Fit.SlopeThroughOrigin(x, y), Fit.Correlation(x, y), Fit.MeanError(x, y));
    }
}
