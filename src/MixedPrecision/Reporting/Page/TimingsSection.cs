using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>What was timed: the file in each scenario, the files that were compared, and sub-graphs in their configurations.</summary>
internal static class TimingsSection
{
    public static Section? Of(PageData data)
    {
        Manifest manifest = data.Manifest;
        RangeRow[] rows = [.. manifest.Compared.Where(c => c.MeasuredGain is not null).Select(Row)];
        Markup[] content =
        [
            .. data.TimedElsewhere is { } profile ? new[] { Elsewhere(profile) } : [],
            .. manifest.Measured.Scenarios.Count == 0 ? [] : new[] { Scenarios(manifest.Measured.Scenarios) },
            .. manifest.Compared.Count == 0 ? [] : new[] { Tag("h3", "Files that were compared"), rows.Length == 0 ? default : Compared(rows), Numbers(manifest) },
            .. manifest.Tried is { Count: > 0 } tried ? new[] { Tried(data, tried) } : [],
        ];
        return content.Length == 0 ? null : new Section("timings", "Timings", content);
    }

    private static Markup Elsewhere(ManifestProfile profile) => Tag(
        "p",
        "End-to-end time was not measured on this machine. Sub-graphs were timed on ",
        Name(profile.Machine.Processor),
        $" with ONNX Runtime {profile.Machine.Runtime}, as the profile ",
        Name(profile.File),
        $" tells: {ReportText.Count(profile.Timings, "timing")}{(profile.Missing > 0 ? $", {ReportText.Count(profile.Missing)} that were asked for are missing" : "")}. What follows from them is a prediction for that device.");

    private static Markup Scenarios(IReadOnlyList<MeasuredScenario> scenarios) => Table.Of(
        "Time of a run, by scenario",
        [new("Scenario"), new("Weight", true), new("Original", true), new("Mixed", true), new("Speed", true), new("Interval", true), new("Confidence", true), new("Pairs of sessions", true)],
        scenarios.Select(s => (IReadOnlyList<Cell>)
        [
            s.Name,
            ReportText.Percent(s.Weight),
            ReportText.Milliseconds(s.OriginalMilliseconds),
            ReportText.Milliseconds(s.MixedMilliseconds),
            ReportText.Factor(s.Speedup),
            s.SpeedupInterval is [double low, double high] ? $"{ReportText.Factor(low)} to {ReportText.Factor(high)}" : None,
            ReportText.Percent(s.Confidence),
            ReportText.Count(s.Pairs),
        ]));

    private static Markup Compared(RangeRow[] rows) => All(
        RangeChart.Draw("What a run of each file saves, as predicted and as measured", rows, v => ReportText.Milliseconds(v)),
        Tag("p", [("class", "key")], Tag("span", [("class", "dot predicted"), ("aria-hidden", "true")]), "predicted ", Tag("span", [("class", "dot found"), ("aria-hidden", "true")]), "measured, with intervals"));

    private static RangeRow Row(ComparedModel model)
    {
        var marks = new List<RangeMark>();
        // Only times are on one scale with what is measured.
        if (model.PredictedGain.Unit == Milliseconds)
        {
            marks.Add(Mark("predicted", model.PredictedGain));
        }

        marks.Add(Mark("found", model.MeasuredGain!));
        return new RangeRow(model.Name, $"{model.Name}: predicted to save {WithInterval(model.PredictedGain)}, measured {WithInterval(model.MeasuredGain!)}.", marks);
    }

    private static RangeMark Mark(string cls, ReportedGain gain)
    {
        (double low, double high) = gain.Ends;
        return new RangeMark(cls, low, gain.Value, high);
    }

    private static Markup Numbers(Manifest manifest) => Table.Of(
        "Files that one was chosen from",
        [new("File"), new("Predicted gain", true), new("Measured gain", true), new("Relative loss error", true), new("Size", true), new("Verdict")],
        manifest.Compared.Select(c => (IReadOnlyList<Cell>)
        [
            c.Name,
            WithInterval(c.PredictedGain),
            c.MeasuredGain is { } gain ? WithInterval(gain) : None,
            ReportText.Percent(c.RelativeLossError),
            ReportText.Bytes(c.Bytes),
            c.Name == manifest.Shipped.What ? "ships" : c.Problem ?? (c.WithinBudget ? "within the budget" : "over the budget"),
        ]),
        chosen: Enumerable.Range(0, manifest.Compared.Count).FirstOrDefault(i => manifest.Compared[i].Name == manifest.Shipped.What, -1));

    private static Markup Tried(PageData data, IReadOnlyList<TriedSubgraph> tried)
    {
        ILookup<string, PlannedSubgraph> planned = data.Manifest.Subgraphs.ToLookup(s => s.Fingerprint);
        return Table.Details(
            $"Sub-graphs in {ReportText.Count(tried.Sum(t => t.Configurations.Count), "configuration")}",
            false,
            [.. tried.Select(t => Of(t, [.. planned[t.Fingerprint]]))]);
    }

    private static Markup Of(TriedSubgraph tried, PlannedSubgraph[] equal)
    {
        string which = equal.Length == 0 ? $"Sub-graph {tried.Fingerprint}" : $"Sub-graph{(equal.Length == 1 ? "" : "s")} {string.Join(", ", equal.Select(s => s.Index))}";
        TriedConfiguration[] rows = [.. tried.Configurations.OrderByDescending(c => c.Gain?.Value ?? double.NegativeInfinity)];
        PlannedSubgraph? first = equal.FirstOrDefault();
        return All(
            Tag("h3", which),
            first is null ? default : Tag("p", [("class", "note")], [.. first.Layers.SelectMany((l, i) => new Markup[] { i == 0 ? "" : ", ", Name(l.Name) })]),
            Table.Of(
                $"{which}: configurations that were tried, the best first",
                [new("Formats of its layers"), new("Structure"), new("Gain", true)],
                rows.Select(c => (IReadOnlyList<Cell>)
                [
                    All(c.Formats.Select(f => Tag("span", [("class", "line")], FormatLook.Show(f)))),
                    c.Structure,
                    new Cell(c.Gain is { } gain ? WithInterval(gain) : c.Unavailable is { } why ? $"does not run: {why}" : "does not run", Key(c.Gain?.Value)),
                ]),
                chosen: first is null ? -1 : Array.FindIndex(rows, c => c.Structure == first.Structure && c.Formats.SequenceEqual(first.Layers.Select(l => l.Format)))));
    }
}
