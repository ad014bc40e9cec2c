using MixedPrecision.Validation;

namespace MixedPrecision.Tests.Validation;

/// <summary>The numbers of each experiment, on points that are made up.</summary>
public class ExperimentTests
{
    [Fact]
    public void OfTheLossEachEstimatorStandsAgainstEachMeasurement()
    {
        // taylor is twice what was measured on calibration samples; P is right there, and half on the others, whose E[g²] is twice as large.
        LossPoint[] points = [.. new[] { 1e-6, 1e-4, 3e-2 }.Select((mse, i) => new LossPoint(i, i + 1, 2 * mse, mse, mse, 2 * mse)), new LossPoint(3, 1, 0, 0, 0, 0)];
        LossSummary summary = LossExperiment.Summarize(points, 10, 20, calibrationSquare: 1, evaluationSquare: 2);
        Assert.Equal((10, 20, 1.0, 2.0), (summary.CalibrationSamples, summary.EvaluationSamples, summary.CalibrationSquare, summary.EvaluationSquare));
        Assert.Equal(
            [
                ("taylor", "calibration", 2.0, 0), ("taylor", "evaluation", 1.0, 3), ("taylor", "evaluation, relative", 2.0, 0),
                ("measured", "calibration", 1.0, 3), ("measured", "evaluation", 0.5, 0), ("measured", "evaluation, relative", 1.0, 3),
            ],
            summary.Fits.Select(f => (f.Estimator, f.Samples, Math.Round(f.MedianRatio!.Value, 9), f.Within)));
        Assert.All(summary.Fits, f => Assert.Equal((3, 1.0, 1.0), (f.Plans, Math.Round(f.Slope!.Value, 9), Math.Round(f.Correlation!.Value, 9))));
    }

    /// <summary>A loss that grows with the square of what is predicted has the slope 2 on logarithms; one that is no number is left out.</summary>
    [Fact]
    public void TheSlopeOfTheLossIsThatOfLogarithms()
    {
        LossPoint[] points = [.. new[] { 1e-3, 1e-2, 1e-1 }.Select((mse, i) => new LossPoint(i, 1, mse, mse, mse * mse, i == 2 ? double.PositiveInfinity : mse * mse))];
        LossSummary summary = LossExperiment.Summarize(points, 1, 1, 1, 1);
        Assert.All(summary.Fits, f => Assert.Equal(2, f.Slope!.Value, 1e-9));
        Assert.Equal([3, 2, 2, 3, 2, 2], summary.Fits.Select(f => f.Plans));
    }

    [Fact]
    public void OfTimeTheSumsWithoutTheWholeAndByLayersAreAblations()
    {
        TimePoint[] points = [.. new[] { 0.1, 0.2, 0.4 }.Select((gain, i) => new TimePoint(i, i, gain, gain * 2, gain / 2, gain, gain - 0.01, gain + 0.01, 10 + i))];
        TimeSummary summary = TimeExperiment.Summarize(points, 9, 11);
        Assert.Equal((9.0, 11.0), (summary.SubgraphMilliseconds, summary.WholeMilliseconds));
        Assert.Equal(
            [("sub-graphs in the whole", 3, 1.0, 1.0, 0.0), ("sub-graphs alone", 3, 0.5, 1.0, 1.0), ("layers alone", 3, 2.0, 1.0, 0.5)],
            summary.Fits.Select(f => (f.By, f.Plans, Math.Round(f.Slope!.Value, 9), Math.Round(f.Correlation!.Value, 9), Math.Round(f.MeanError!.Value, 9))));
    }

    /// <summary>The program reaches half the time from an error of 1 % on, the other from 10 % on; both end at 100 %, so that half of the decades lie between.</summary>
    [Fact]
    public void TheAreaBetweenTwoCurvesIsTheMeanOverTheLogarithmOfTheError()
    {
        ChoicePoint[] points =
        [
            Point(ChoiceExperiment.Time, 0, error: 0.01, gain: 0.5, plan: 1), Point(ChoiceExperiment.Time, 1, error: 1, gain: 0.5, plan: 2),
            Point(ChoiceExperiment.Prefix, 0, error: 0, gain: 0, plan: 0), Point(ChoiceExperiment.Prefix, 1, error: 0.1, gain: 0.5, plan: 3),
        ];
        ChoiceSummary summary = ChoiceExperiment.Summarize(points, [1, 2]);
        Assert.Equal(4, summary.Plans);
        Assert.Equal(ChoiceExperiment.Strategies, summary.Strategies.Select(s => s.Strategy));
        StrategySummary prefix = summary.Strategies.Single(s => s.Strategy == ChoiceExperiment.Prefix);
        Assert.Equal((2, 2, 0.5), (prefix.Budgets, prefix.Plans, prefix.GreatestGain!.Value));
        Assert.Equal(0.25, prefix.Area!.Value, 1e-12);
        Assert.Equal(Math.Sqrt(2), prefix.MeanSpeedup!.Value, 1e-12);
        Assert.Equal((2.0, 0.01), (prefix.GreatestSpeedup!.Value, prefix.At!.Value));
        Assert.Empty(prefix.Above);
        StrategySummary program = summary.Strategies[0];
        Assert.Null(program.Area);
        StrategySummary none = summary.Strategies.Single(s => s.Strategy == ChoiceExperiment.Uniform);
        Assert.Equal((0, (double?)null), (none.Budgets, none.GreatestGain));
    }

    /// <summary>Only beyond both intervals is a strategy ahead at a budget.</summary>
    [Fact]
    public void AStrategyAheadOfTheProgramIsNamedWithItsBudgets()
    {
        ChoicePoint[] points =
        [
            Point(ChoiceExperiment.Time, 0, 0.01, 0.1, 0), Point(ChoiceExperiment.Time, 1, 0.1, 0.2, 1),
            Point(ChoiceExperiment.Memory, 0, 0.01, 0.15, 2), Point(ChoiceExperiment.Memory, 1, 0.1, 0.215, 3),
        ];
        Assert.Equal([0], ChoiceExperiment.Summarize(points, [1, 2]).Strategies.Single(s => s.Strategy == ChoiceExperiment.Memory).Above);
    }

    /// <summary>What was measured with more loss and less gain takes nothing from a curve.</summary>
    [Fact]
    public void ACurveHasTheBestThatIsWithinTheError()
    {
        var curve = new Curve([(0.1, 0.3), (0.01, 0.1), (0.2, 0.2), (0.001, -0.1)]);
        Assert.Equal([0, 0, 0.1, 0.3, 0.3], new[] { 0, 0.005, 0.05, 0.1, 1 }.Select(curve.At));
        Assert.Null(Curve.Mean(new Curve([(0, 0)]), new Curve([(0.1, 1)]), (a, b) => b - a));
    }

    [Theory]
    [InlineData(0.25, 0)]
    [InlineData(1e-9, 0)]
    [InlineData(1e-9, 0.003)]
    [InlineData(4, 5)]
    public void FactorsDoubleFromAnErrorOfAThousandthToOneAboveTheWhole(double measured, double rise)
    {
        IReadOnlyList<double> factors = RangeExperiment.Factors(measured, rise, meanSquare: 9);
        double[] errors = [.. factors.Select(f => Math.Sqrt(RangeExperiment.Predicted(measured, rise, f) / 9))];
        Assert.Equal(0.001, errors[0], 1e-12);
        Assert.All(factors.Zip(factors.Skip(1)), pair => Assert.Equal(2, pair.Second / pair.First, 1e-12));
        Assert.True(errors[^2] <= 1 && errors[^1] > 1, string.Join(' ', errors));
    }

    [Fact]
    public void TheRangeEndsBeforeTheFirstStepThatIsNotPredicted()
    {
        // Errors of 1, 2, 4 and 8 %; the prediction holds up to 4 %, without the rise up to 2 %, and another layer is wrong from the first step on and shrinks once.
        RangePoint[] points =
        [
            Range("a", 1, first: 1e-4, predicted: 1e-4, measured: 1e-4), Range("a", 2, 3.5e-4, 4e-4, 4e-4), Range("a", 4, 1e-3, 1.5e-3, 1.6e-3), Range("a", 8, 2e-3, 3e-3, 6.4e-3),
            Range("b", 1, 1e-4, 1e-4, 4e-4), Range("b", 2, 4e-4, 4e-4, 3e-4),
        ];
        IReadOnlyList<RangeSummary> summary = RangeExperiment.Summarize(points, meanSquare: 1);
        Assert.Equal([("a", 4, true), ("b", 2, false)], summary.Select(s => (s.Layer, s.Steps, s.IsMonotonous)));
        Assert.Equal((0.04, 0.02), (Math.Round(summary[0].End!.Value, 9), Math.Round(summary[0].FirstOrderEnd!.Value, 9)));
        Assert.Null(summary[1].End);
    }

    private static RangePoint Range(string layer, double factor, double first, double predicted, double measured) => new(layer, "int8-weight", factor, first, predicted, measured);

    private static ChoicePoint Point(string strategy, int budget, double error, double gain, int plan) =>
        new(strategy, budget, budget + 1, null, plan, 1, error * error, gain, error * error, error, gain, gain - 0.01, gain + 0.01);
}
