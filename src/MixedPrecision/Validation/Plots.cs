using System.Globalization;
using MixedPrecision.Diagnostics;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace MixedPrecision.Validation;

/// <summary>The experiments as pictures: SVG, equal points to equal bytes.</summary>
internal static class Plots
{
    private const int Width = 760;
    private const int Height = 540;
    private const int LongestName = 40;
    private const string Font = "Helvetica, Arial, sans-serif";

    /// <summary>Told apart by most eyes (Okabe and Ito, Color Universal Design).</summary>
    private static readonly OxyColor[] Colors =
    [
        OxyColor.FromRgb(0x00, 0x72, 0xB2), OxyColor.FromRgb(0xD5, 0x5E, 0x00), OxyColor.FromRgb(0x00, 0x9E, 0x73), OxyColor.FromRgb(0xCC, 0x79, 0xA7),
        OxyColor.FromRgb(0xE6, 0x9F, 0x00), OxyColor.FromRgb(0x56, 0xB4, 0xE9), OxyColor.FromRgb(0x00, 0x00, 0x00), OxyColor.FromRgb(0x80, 0x80, 0x80),
    ];

    private static readonly OxyColor Grid = OxyColor.FromRgb(0xE4, 0xE4, 0xE4);
    private static readonly OxyColor Guide = OxyColor.FromRgb(0x90, 0x90, 0x90);

    public static string Loss(IReadOnlyList<LossPoint> points)
    {
        (string Name, Func<LossPoint, double> X, Func<LossPoint, double> Y, OxyColor Color, bool IsFilled)[] series =
        [
            ("measured (P), unseen samples", p => p.Predicted, p => p.OnEvaluation, Colors[0], true),
            ("measured (P), calibration samples", p => p.Predicted, p => p.OnCalibration, Colors[0], false),
            ("taylor, unseen samples", p => p.Taylor, p => p.OnEvaluation, Colors[1], true),
            ("taylor, calibration samples", p => p.Taylor, p => p.OnCalibration, Colors[1], false),
        ];
        PlotModel plot = Model("Loss MSE of random plans");
        (double low, double high) = Decades(series.SelectMany(s => points.SelectMany(p => new[] { s.X(p), s.Y(p) })));
        plot.Axes.Add(Scale<LogarithmicAxis>(AxisPosition.Bottom, "predicted loss MSE", low, high));
        plot.Axes.Add(Scale<LogarithmicAxis>(AxisPosition.Left, "measured loss MSE", low, high));
        AddDiagonals(plot, low, high);
        foreach ((string name, Func<LossPoint, double> x, Func<LossPoint, double> y, OxyColor color, bool isFilled) in series)
        {
            plot.Series.Add(Scatter(name, points.Select(p => (x(p), y(p))).Where(p => p.Item1 > 0 && p.Item2 > 0), color, isFilled));
        }

        return Draw(plot);
    }

    public static string Time(IReadOnlyList<TimePoint> points)
    {
        PlotModel plot = Model("Gain of random plans, end to end");
        double[] values = [.. points.SelectMany(p => new[] { p.InWhole, p.BySubgraphs, p.ByLayers, p.Measured, 0 }).Select(v => v * 100), 1];
        (double low, double high) = (values.Min(), values.Max());
        double margin = (high - low) / 20;
        (low, high) = (low - margin, high + margin);
        plot.Axes.Add(Scale<LinearAxis>(AxisPosition.Bottom, "predicted gain, % of the original's time", low, high));
        plot.Axes.Add(Scale<LinearAxis>(AxisPosition.Left, "measured gain, % of the original's time", low, high));
        plot.Series.Add(Line("y = x", [(low, low), (high, high)], Guide, LineStyle.Solid, 1));
        plot.Series.Add(Scatter("by single layers alone", points.Select(p => (p.ByLayers * 100, p.Measured * 100)), Colors[1], false));
        plot.Series.Add(Scatter("by sub-graphs alone", points.Select(p => (p.BySubgraphs * 100, p.Measured * 100)), Colors[0], false));
        plot.Series.Add(Scatter("by sub-graphs, in the whole", points.Select(p => (p.InWhole * 100, p.Measured * 100)), Colors[0], true));
        return Draw(plot);
    }

    public static string Choice(IReadOnlyList<ChoicePoint> points)
    {
        PlotModel plot = Model("What a loss buys: gain against measured loss error");
        (double low, double high) = Decades(points.Select(p => p.Error * 100));
        plot.Axes.Add(Scale<LogarithmicAxis>(AxisPosition.Bottom, "measured relative loss error, %", low, high));
        double least = Math.Min(0, points.Select(p => p.Gain * 100).DefaultIfEmpty(0).Min()), most = points.Select(p => p.Gain * 100).DefaultIfEmpty(0).Max();
        plot.Axes.Add(Scale<LinearAxis>(AxisPosition.Left, "measured gain, % of the original's time", least - 1, most + ((most - least) / 20) + 1));
        string[] alone = [.. ChoiceExperiment.Strategies.Where(s => !IsRandom(s))];
        // What the method chooses lies on top, and stands first.
        plot.Legends[0].LegendItemOrder = LegendItemOrder.Reverse;
        foreach (string strategy in ChoiceExperiment.Strategies.Reverse())
        {
            bool isQuartile = strategy is ChoiceExperiment.RandomLower or ChoiceExperiment.RandomUpper;
            ChoicePoint[] own = [.. points.Where(p => p.Strategy == strategy)];
            // The quartiles have the colour of the median between them.
            OxyColor drawn = IsRandom(strategy) ? Colors[^1] : Colors[Array.IndexOf(alone, strategy)];
            Curve curve = ChoiceExperiment.CurveOf(own);
            double[] steps = [low / 100, .. curve.Errors.Where(e => e * 100 > low && double.IsFinite(e)).Distinct(), high / 100];
            var line = new StairStepSeries { Title = strategy, Color = drawn, StrokeThickness = strategy == ChoiceExperiment.Time ? 3 : 1.5, LineStyle = isQuartile ? LineStyle.Dot : LineStyle.Solid };
            line.Points.AddRange(steps.Select(e => new DataPoint(e * 100, curve.At(e) * 100)));
            plot.Series.Add(line);
            ScatterSeries marks = Scatter(strategy, own.Where(p => p.Error > 0).Select(p => (p.Error * 100, p.Gain * 100)), drawn, true);
            marks.RenderInLegend = false;
            plot.Series.Add(marks);
        }

        return Draw(plot);
    }

    private static bool IsRandom(string strategy) => strategy.StartsWith("random", StringComparison.Ordinal);

    /// <param name="meanSquare">E[g²].</param>
    public static string Range(IReadOnlyList<RangePoint> points, double meanSquare)
    {
        double Error(double mse) => Math.Sqrt(mse / meanSquare) * 100;
        PlotModel plot = Model("Range of the prediction: the error of one layer, scaled up");
        (double low, double high) = Decades(points.SelectMany(p => new[] { Error(p.Predicted), Error(p.Measured) }));
        plot.Axes.Add(Scale<LogarithmicAxis>(AxisPosition.Bottom, "predicted relative loss error, %", low, high));
        plot.Axes.Add(Scale<LogarithmicAxis>(AxisPosition.Left, "measured relative loss error, %", low, high));
        AddDiagonals(plot, low, high, square: false);
        foreach ((int index, IGrouping<(string, string), RangePoint> own) in points.GroupBy(p => (p.Layer, p.Format)).Index())
        {
            LineSeries line = Line(Short($"{own.Key.Item1}, {own.Key.Item2}"), own.Where(p => p.Measured > 0).Select(p => (Error(p.Predicted), Error(p.Measured))), Colors[index % Colors.Length], LineStyle.Solid, 1.5);
            line.MarkerType = MarkerType.Circle;
            line.MarkerSize = 3;
            plot.Series.Add(line);
        }

        return Draw(plot);
    }

    /// <summary>Where prediction and measurement are equal, and where their ratio is at the ends of what counts as right.</summary>
    /// <param name="square">Whether the axes show mean squares; else their roots.</param>
    private static void AddDiagonals(PlotModel plot, double low, double high, bool square = true)
    {
        plot.Series.Add(Line("y = x", [(low, low), (high, high)], Guide, LineStyle.Solid, 1));
        foreach (double ratio in new[] { Fit.LeastRatio, Fit.GreatestRatio })
        {
            double factor = square ? ratio : Math.Sqrt(ratio);
            LineSeries line = Line("", [(low, low / factor), (high, high / factor)], Guide, LineStyle.Dash, 1);
            line.RenderInLegend = false;
            plot.Series.Add(line);
        }
    }

    private static PlotModel Model(string title)
    {
        var plot = new PlotModel
        {
            Title = title,
            Culture = CultureInfo.InvariantCulture,
            Background = OxyColors.White,
            DefaultFont = Font,
            DefaultFontSize = 13,
            TitleFontSize = 16,
            TitleFontWeight = FontWeights.Normal,
            PlotAreaBorderColor = Guide,
        };
        // What is drawn rises from left to right.
        plot.Legends.Add(new Legend
        {
            LegendPosition = LegendPosition.LeftTop,
            LegendPlacement = LegendPlacement.Inside,
            LegendFontSize = 12,
            LegendBackground = OxyColor.FromAColor(224, OxyColors.White),
            LegendBorder = Grid,
        });
        return plot;
    }

    private static T Scale<T>(AxisPosition position, string title, double low, double high)
        where T : Axis, new() => new()
        {
            Position = position,
            Title = title,
            Minimum = low,
            Maximum = high,
            MajorGridlineStyle = LineStyle.Solid,
            MajorGridlineColor = Grid,
            TicklineColor = Guide,
        };

    private static ScatterSeries Scatter(string title, IEnumerable<(double X, double Y)> points, OxyColor color, bool isFilled)
    {
        var series = new ScatterSeries
        {
            Title = title,
            MarkerType = MarkerType.Circle,
            MarkerSize = 3.5,
            MarkerFill = isFilled ? color : OxyColors.Transparent,
            MarkerStroke = color,
            MarkerStrokeThickness = 1.2,
        };
        series.Points.AddRange(points.Where(p => double.IsFinite(p.X) && double.IsFinite(p.Y)).Select(p => new ScatterPoint(p.X, p.Y)));
        return series;
    }

    private static LineSeries Line(string title, IEnumerable<(double X, double Y)> points, OxyColor color, LineStyle style, double thickness)
    {
        var series = new LineSeries { Title = title, Color = color, LineStyle = style, StrokeThickness = thickness };
        series.Points.AddRange(points.Where(p => double.IsFinite(p.X) && double.IsFinite(p.Y)).Select(p => new DataPoint(p.X, p.Y)));
        return series;
    }

    /// <summary>Powers of ten around the values above 0; one decade where there are none.</summary>
    private static (double Low, double High) Decades(IEnumerable<double> values)
    {
        double[] positive = [.. values.Where(v => v > 0 && double.IsFinite(v))];
        (double low, double high) = positive.Length == 0 ? (0, 1) : (Math.Floor(Math.Log10(positive.Min())), Math.Ceiling(Math.Log10(positive.Max())));
        return (Math.Pow(10, low), Math.Pow(10, Math.Max(high, low + 1)));
    }

    /// <summary>The end of a long name, which tells layers apart.</summary>
    private static string Short(string name) => Wording.Escape(name) is var safe && safe.Length > LongestName ? $"…{safe.AsSpan(safe.Length - LongestName + 1)}" : safe;

    /// <summary>Without a document type, which would name an address: to stand in a page as it is.</summary>
    private static string Draw(PlotModel plot) => new SvgExporter { Width = Width, Height = Height, IsDocument = false, TextMeasurer = new WideText() }.ExportToString(plot).ReplaceLineEndings("\n");

    /// <summary>Room for text in whatever font the reader's machine has: the widest common ones (DejaVu Sans, Verdana) take so much. The library measures in a narrow one, and legends are cut off.</summary>
    private sealed class WideText() : PdfRenderContext(Width, Height, OxyColors.White)
    {
        private const double Advance = 0.6;
        private const double LineHeight = 1.25;

        public override OxySize MeasureText(string text, string fontFamily, double fontSize, double fontWeight) =>
            string.IsNullOrEmpty(text) ? OxySize.Empty : new OxySize(text.Length * Advance * fontSize, LineHeight * fontSize);
    }
}
