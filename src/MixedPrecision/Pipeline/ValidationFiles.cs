using MixedPrecision.Caching;
using MixedPrecision.Reporting;
using MixedPrecision.Validation;

namespace MixedPrecision.Pipeline;

/// <summary>What <see cref="Verbs.Validate(string, string, RunOptions, int?)"/> made.</summary>
/// <param name="Report">The experiments in numbers.</param>
/// <param name="Files">Full paths of the files written.</param>
public sealed record ValidateResult(ValidateReport Report, IReadOnlyList<string> Files)
{
    public string ToJson() => Report.ToJson();

    public IEnumerable<string> ToLines() => Report.ToLines();
}

/// <summary>Puts experiments into the output folder, whole or not at all: of each a table and a picture, and the numbers of all as JSON and as text.</summary>
internal static class ValidationFiles
{
    private const string Json = "validate.json";
    private const string Text = "validate.txt";
    private static readonly string[] Names = ["loss", "time", "choice", "range"];

    /// <param name="outputFolder">Full path.</param>
    /// <param name="run">Makes the experiments, in a folder for files that do not stay.</param>
    public static ValidateResult Write(Materials materials, string outputFolder, Func<string, Experiments> run)
    {
        OutputGuard.Check(
            Names.SelectMany(n => new[] { $"{n}.csv", $"{n}.svg" }).Concat([Json, Text]).Select(f => Path.Combine(outputFolder, f)), materials.InputFiles);
        using StagingFolder staging = StagingFolder.In(outputFolder);
        Experiments made = run(staging.Folder);
        string[] files =
        [
            .. Names.Zip(TablesOf(made), PlotsOf(made)).SelectMany(e => new[] { Put($"{e.First}.csv", e.Second), Put($"{e.First}.svg", e.Third) }),
            Put(Json, made.Report.ToJson()),
            Put(Text, string.Concat(made.Report.ToLines().Select(line => line + "\n"))),
        ];
        return new ValidateResult(made.Report, staging.Ship(files));

        string Put(string name, string content)
        {
            string path = Path.Combine(staging.Folder, name);
            File.WriteAllText(path, content);
            return path;
        }
    }

    private static string[] TablesOf(Experiments made) =>
        [LossExperiment.ToCsv(made.Loss), TimeExperiment.ToCsv(made.Time), ChoiceExperiment.ToCsv(made.Choice), RangeExperiment.ToCsv(made.Range)];

    private static string[] PlotsOf(Experiments made) =>
        [Plots.Loss(made.Loss), Plots.Time(made.Time), Plots.Choice(made.Choice), Plots.Range(made.Range, made.MeanSquareLoss)];
}
