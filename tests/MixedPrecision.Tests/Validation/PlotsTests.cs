using System.Xml.Linq;
using MixedPrecision.Validation;

namespace MixedPrecision.Tests.Validation;

/// <summary>Tables and pictures.</summary>
public class PlotsTests
{
    private const string Hostile = "</script>\u0001<&\"layer\", with a name that goes on and on";

    private static readonly LossPoint[] Loss = [new(0, 1, 1e-5, 2e-5, 2e-5, 3e-5), new(1, 3, 1e-3, 2e-3, 2e-3, 3e-3), new(2, 1, 0, 0, 0, 0)];
    private static readonly TimePoint[] Time = [new(0, 1, 0.11, 0.1, 0.05, 0.12, 0.11, 0.13, 10), new(1, 1, -0.15, -0.1, 0, -0.2, -0.3, -0.1, 10)];
    private static readonly ChoicePoint[] Choice = [.. ChoiceExperiment.Strategies.Select((s, i) => new ChoicePoint(s, 0, 1e-4, i == 4 ? 7 : null, i, 1, 1e-4, 1, 1e-4, 0.001 * (i + 1), 0.1 * i, 0, 1))];
    private static readonly RangePoint[] Range = [new(Hostile, "int8-weight", 1, 1e-5, 1e-5, 1e-5), new(Hostile, "int8-weight", 2, 4e-5, 4e-5, 4e-5)];

    [Fact]
    public void PicturesAreXmlWithWhatTheyShow()
    {
        string[] loss = TextsOf(Plots.Loss(Loss)), time = TextsOf(Plots.Time(Time)), choice = TextsOf(Plots.Choice(Choice)), range = TextsOf(Plots.Range(Range, 1));
        Assert.Contains("predicted loss MSE", loss);
        Assert.All(["by single layers alone", "by sub-graphs alone", "by sub-graphs, in the whole"], series => Assert.Contains(series, time));
        Assert.Subset(choice.ToHashSet(), ChoiceExperiment.Strategies.ToHashSet());
        Assert.Contains(range, t => t.StartsWith('…') && t.EndsWith("on and on, int8-weight", StringComparison.Ordinal));
    }

    [Fact]
    public void EqualPointsMakeEqualBytes()
    {
        Assert.Equal(Plots.Loss(Loss), Plots.Loss(Loss));
        Assert.Equal(Plots.Choice(Choice), Plots.Choice(Choice));
        Assert.NotEqual(Plots.Loss(Loss), Plots.Loss(Loss[..1]));
    }

    [Fact]
    public void WithoutPointsTheAxesAreLeft() =>
        Assert.All([Plots.Loss([]), Plots.Time([]), Plots.Choice([]), Plots.Range([], 1)], svg => Assert.NotEmpty(TextsOf(svg)));

    [Fact]
    public void TablesHoldEveryPointAndQuoteWhatHasCommas()
    {
        string[] rows = RangeExperiment.ToCsv(Range).TrimEnd('\n').Split('\n');
        Assert.Equal(["layer,format,factor,first_order,predicted,measured", "\"</script>\\u0001<&\"\"layer\"\", with a name that goes on and on\",int8-weight,1,1E-05,1E-05,1E-05"], rows[..2]);
        Assert.Equal(3, rows.Length);
        Assert.Equal("random, lower quartile", ChoiceExperiment.Strategies[4]);
        Assert.StartsWith("\"random, lower quartile\",0,0.0001,7,4,", ChoiceExperiment.ToCsv(Choice).Split('\n')[5]);
        Assert.Equal("prefix,0,0.0001,,3,", ChoiceExperiment.ToCsv(Choice).Split('\n')[4][..19]);
    }

    private static string[] TextsOf(string svg) => [.. XDocument.Parse(svg).Descendants().Where(e => e.Name.LocalName == "text").Select(e => e.Value)];
}
