using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Validation;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>The experiments on a small classifier, as far as its size allows.</summary>
public class ValidateTests
{
    private static readonly ExperimentSizes Few = new(Plans: 6, Budgets: 4, Seeds: 5, Layers: 2, Samples: 15, new TimingSettings(TimeSpan.FromMilliseconds(30), Precision: 0.5));

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private static readonly string[] Files = ["choice.csv", "choice.svg", "loss.csv", "loss.svg", "range.csv", "range.svg", "time.csv", "time.svg", "validate.json", "validate.txt"];

    [Fact]
    public void TheNumbersAreThoseOfTheTables()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [int8-dynamic, int8-weight, int4-weight]\nsearchSeconds: 1");
        ValidateResult result = Run(folder);

        // What was measured on the way is gone.
        Assert.Equal(Files, Directory.GetFileSystemEntries(folder["out"]).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
        Assert.Equal(Files, result.Files.Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
        Assert.All(Files.Where(f => f.EndsWith(".svg", StringComparison.Ordinal)), f => XDocument.Load(folder[$"out/{f}"]));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder["out/validate.json"]));

        double[][] loss = Numbers(folder, "loss.csv");
        LossPoint[] lossPoints = [.. loss.Select(r => new LossPoint((int)r[0], (int)r[1], r[2], r[3], r[4], r[5]))];
        Assert.Equal(Few.Plans, lossPoints.Length);
        Assert.All(lossPoints, p => Assert.True(p is { Predicted: > 0, Taylor: > 0, OnCalibration: > 0, OnEvaluation: > 0 }, p.ToString()));
        JsonElement lossJson = json.RootElement.GetProperty("loss");
        Assert.Equal((12, 15), (lossJson.GetProperty("calibrationSamples").GetInt32(), lossJson.GetProperty("evaluationSamples").GetInt32()));
        Same(LossExperiment.Summarize(lossPoints, 12, 15, lossJson.GetProperty("calibrationSquare").GetDouble(), lossJson.GetProperty("evaluationSquare").GetDouble()), lossJson);

        TimePoint[] time = [.. Numbers(folder, "time.csv").Select(r => new TimePoint((int)r[0], (int)r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8]))];
        Assert.Equal(lossPoints.Select(p => (p.Plan, p.Layers)), time.Select(p => (p.Plan, p.Layers)));
        Assert.All(time, p => Assert.True(p.Low <= p.Measured && p.Measured <= p.High && p.OriginalMilliseconds > 0, p.ToString()));
        JsonElement timeJson = json.RootElement.GetProperty("time");
        Same(TimeExperiment.Summarize(time, timeJson.GetProperty("subgraphMilliseconds").GetDouble(), Fit.Median(time.Select(p => p.OriginalMilliseconds))!.Value), timeJson);

        ChoicePoint[] choice = [.. Rows(folder, "choice.csv").Select(PointOf)];
        JsonElement choiceJson = json.RootElement.GetProperty("choice");
        Assert.Equal(ChoiceExperiment.Strategies, choiceJson.GetProperty("strategies").EnumerateArray().Select(s => s.GetProperty("strategy").GetString()));
        double[] budgets = [.. choiceJson.GetProperty("budgetMses").EnumerateArray().Select(b => b.GetDouble())];
        Same(ChoiceExperiment.Summarize(choice, budgets), choiceJson);
        Assert.Equal(budgets.Order(), budgets);
        Assert.All(choice, p => Assert.Equal(budgets[p.Budget], p.BudgetMse));
        Assert.All(choice, p => Assert.True(p.PredictedMse <= p.BudgetMse, p.ToString()));

        // Plans that are equal, whatever strategy has them, were measured once.
        Assert.All(choice.GroupBy(p => p.Plan), plan => Assert.Single(plan.Select(p => (p.LossMse, p.Gain, p.Layers)).Distinct()));

        RangePoint[] range = [.. Rows(folder, "range.csv").Select(r => new RangePoint(r[0], r[1], Number(r[2]), Number(r[3]), Number(r[4]), Number(r[5])))];
        Same(RangeExperiment.Summarize(range, lossJson.GetProperty("calibrationSquare").GetDouble()), json.RootElement.GetProperty("range"));
        Assert.Equal(Few.Layers, range.Select(p => p.Layer).Distinct().Count());
    }

    /// <summary>What calibration predicts of a scaled error is right where it is small: on the very samples, of one layer, nothing but higher orders is left out.</summary>
    [Fact]
    public void AScaledErrorThatIsSmallIsPredicted()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [int8-weight]\nsearchSeconds: 1");
        Run(folder);
        RangePoint[] range = [.. Rows(folder, "range.csv").Select(r => new RangePoint(r[0], r[1], Number(r[2]), Number(r[3]), Number(r[4]), Number(r[5])))];
        Assert.All(range.GroupBy(p => p.Layer), own => Assert.All(own.Take(4), p => Assert.InRange(p.Predicted / p.Measured, 0.8, 1.25)));
    }

    /// <summary>All that was measured is in the cache: a run that was stopped goes on, and one that was not makes the same bytes.</summary>
    [Fact]
    public void ASecondRunMeasuresNothing()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [int8-dynamic, int4-weight]");
        Run(folder);
        var before = Files.ToDictionary(f => f, f => File.ReadAllText(folder[$"out/{f}"]));
        Run(folder);
        Assert.All(before, f => Assert.Equal(f.Value, File.ReadAllText(folder[$"out/{f.Key}"])));
        Assert.DoesNotContain("calibrate started", folder.Log);

        // Files that were measured would fill it.
        Assert.False(Directory.Exists(folder["cache/quantize"]));
    }

    [Fact]
    public void WithoutAChoiceThereIsNothingToValidate()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [fp32]");
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Run(folder)).Diagnostic;
        Assert.Equal((Codes.NothingGained, Severity.Error), (error.Code, error.Severity));
        Assert.False(Directory.Exists(folder["out"]));
    }

    /// <summary>A run that is cancelled leaves nothing behind in the output folder.</summary>
    [Fact]
    public void ACancelledRunLeavesNothing()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [int8-dynamic]\nsearchSeconds: 1");
        using var cancel = new CancellationTokenSource();
        RunOptions options = folder.Options(cancel.Token);
        Assert.ThrowsAny<OperationCanceledException>(() => Verbs.Validate(
            folder.PolicyFile, folder["out"], options with { Progress = update => CancelAt("search", update) }, Few));
        Assert.False(Directory.Exists(folder["out"]));

        void CancelAt(string stage, ProgressUpdate update)
        {
            if (update.Stage == stage)
            {
                cancel.Cancel();
            }
        }
    }

    private static ValidateResult Run(PipelineFolder folder) => Verbs.Validate(folder.PolicyFile, folder["out"], folder.Options(), Few);

    private static ChoicePoint PointOf(string[] row) => new(
        row[0], (int)Number(row[1]), Number(row[2]), row[3].Length == 0 ? null : (int)Number(row[3]), (int)Number(row[4]), (int)Number(row[5]),
        Number(row[6]), Number(row[7]), Number(row[8]), Number(row[9]), Number(row[10]), Number(row[11]), Number(row[12]));

    private static double[][] Numbers(PipelineFolder folder, string file) => [.. Rows(folder, file).Select(row => row.Select(Number).ToArray())];

    /// <summary>The rows of a table without its header: commas separate cells, but for those within quotes.</summary>
    private static IEnumerable<string[]> Rows(PipelineFolder folder, string file) => File.ReadAllLines(folder[$"out/{file}"]).Skip(1)
        .Select(line => Regex.Split(line, ",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)").Select(cell => cell.Trim('"')).ToArray());

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static void Same<T>(T expected, JsonElement found) => Assert.Equal(JsonSerializer.Serialize(expected, Json), JsonSerializer.Serialize(found));
}
