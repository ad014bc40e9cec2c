using System.Globalization;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Benchmarking;
using MixedPrecision.Benchmarks.Rivals;
using MixedPrecision.Caching;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Verification;
using RunOptions = MixedPrecision.Pipeline.RunOptions;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// Models with convolutions in every way that there is to run them: what the product ships for each budget, the original, one format for all layers that may take it, and what the tool that comes with ONNX Runtime makes of them. Errors of the loss are those of
/// samples that calibration did not see, against the original; times are those of one run in which all of a model's files take turns, but for those that are far slower than the original: they have a short run with it of their own.
/// </summary>
internal static class ConvolutionsBenchmark
{
    private static readonly string[] Budgets = ["0.3%", "1%", "3%", "10%"], Uniform = [FormatFamilies.Int8Static, FormatFamilies.Int8Dynamic];

    /// <summary>So many times the original's time is far slower: beside the others it would take most of the run.</summary>
    private const double FarSlower = 1.5;

    /// <param name="folder">Takes models that are made, policies, emitted files and the cache.</param>
    /// <param name="filters">Parts of models' names, and budgets such as "1%"; none of a kind: all.</param>
    /// <returns>1 when the product is over budget, or slower than something else that is within its budget.</returns>
    public static int Run(string folder, IReadOnlyList<string> filters)
    {
        string[] budgets = [.. filters.Where(f => f.EndsWith('%'))], names = [.. filters.Where(f => !f.EndsWith('%'))];
        bool isBest = true;
        Console.WriteLine(ConvolutionRow.Head);
        foreach (ShownPolicy policy in ConvolutionCases.Of(Path.GetFullPath(folder), names))
        {
            isBest &= Show(policy, Path.Combine(Path.GetFullPath(folder), "cache"), budgets.Length > 0 ? budgets : Budgets);
        }

        return isBest ? 0 : 1;
    }

    private static bool Show(ShownPolicy policy, string cache, string[] budgets)
    {
        RunOptions options = new(cache, null, _ => { }, warning => Console.Error.WriteLine($"{policy.Name}: {warning.Code.Id}: {warning.Message}"), CancellationToken.None);
        ConvolutionRow[] products = [.. budgets.Select(budget => Product(policy, budget, options with { Budget = budget }))];

        var runner = new StageRunner(new ContentStore(cache), new RunLog(options));
        using var materials = Materials.Open(policy.File, options, runner);
        Steps.Calibrate(materials, runner);
        ConvolutionRow original = new("fp32", null) { File = materials.Workspace.Path };
        IEnumerable<ConvolutionRow> uniform = Uniform.Select(family => Everywhere(materials, family, policy.Output)).OfType<ConvolutionRow>();
        ConvolutionRow[] rows = Timed(materials, [.. Judged(materials, [original, .. products, .. uniform, .. Tools(materials, policy.Output)])]);
        foreach (ConvolutionRow row in rows)
        {
            Console.WriteLine(row.Text(policy.Name));
        }

        string[] faults = [.. rows.Where(r => r.Budget is not null).SelectMany(product => Faults(product, rows))];
        foreach (string fault in faults)
        {
            Console.WriteLine($"| {policy.Name} | **{ShownRow.Cell(fault)}** | | | | | | | |");
        }

        Console.Out.Flush();
        return faults.Length == 0;
    }

    /// <summary>What the product ships.</summary>
    private static ConvolutionRow Product(ShownPolicy policy, string budget, RunOptions options)
    {
        var row = new ConvolutionRow($"product at {budget.Replace("%", " %")}", double.Parse(budget.TrimEnd('%'), CultureInfo.InvariantCulture) / 100);
        string output = Path.Combine(policy.Output, budget.Replace("%", "-percent"));
        return Try(row, () =>
        {
            Manifest manifest = Verbs.Quantize(policy.File, output, options).Manifest;
            string[] structures = [.. manifest.Subgraphs.Where(s => s.Structure != Structures.Structure.Exported).CountBy(s => s.Structure).OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Value} {c.Key}")];
            return row with { File = Path.Combine(output, manifest.Output.File), Note = $"{manifest.Shipped.What}: {string.Join("; ", structures.Append(PlanText.Formats(manifest.Subgraphs)))}" };
        });
    }

    /// <summary>A format for every layer that may take it; null where none may.</summary>
    private static ConvolutionRow? Everywhere(Materials materials, string family, string folder)
    {
        NumberFormat[] formats = [.. materials.Policy.Formats.Select(NumberFormats.Get).Where(f => FormatId.Parse(f.Name).Family.Name == family).Take(1)];
        (LayerSite Site, NumberFormat Format)[] plan = [.. from layer in materials.Workspace.Partition.Layers from format in formats let site = materials.Workspace.Sites[layer.Name] where format.WhyNot(site) is null select (site, format)];
        var row = new ConvolutionRow($"{family} everywhere", null) { Note = ReportText.Count(plan.Length, "layer") };
        return plan.Length == 0 ? null : Try(row, () =>
        {
            string path = Path.Combine(folder, family + ".onnx");
            Quantizer.Write(materials.Workspace.Model, plan, materials.Workspace.Weight, path, materials.Preparations);
            return row with { File = path };
        });
    }

    private static IEnumerable<ConvolutionRow> Tools(Materials materials, string folder)
    {
        using OnnxModel prepared = RivalModel.Prepare(materials.Workspace.Path);
        foreach ((int number, RivalSettings settings) in RivalSettings.All.Index())
        {
            var row = new ConvolutionRow(settings.Name, null);
            yield return Try(row, () =>
            {
                string path = Path.Combine(folder, $"tool-{number}.onnx");
                using FileStream file = File.Create(path);
                settings.Quantize(prepared, materials.Data.Calibration.Value).WriteTo(file);
                return row with { File = path };
            });
        }
    }

    /// <summary>Rows with the error of their loss and their nodes.</summary>
    internal static IEnumerable<ConvolutionRow> Judged(Materials materials, IEnumerable<ConvolutionRow> rows)
    {
        SessionSettings settings = AppSession.Of(materials.Machine).ForSamples();
        LossFunction loss = materials.ObservedLoss.Value;
        IReadOnlyList<Sample> samples = materials.Data.Evaluation.Value;
        return rows.Select(row => row.File is null ? row : Try(row, () => row with
        {
            Loss = new Verifier(materials.Workspace.Path, row.File, settings).MeasureLoss(
                loss.Outputs, samples, (sample, number, from, to) => loss.Compare(from, to, loss.TargetOf(sample, number, from)), _ => { }, CancellationToken.None),
            Nodes = OptimizedModel.Read(row.File, materials.Machine.Session(), NodesOf),
        }));
    }

    private static (int Integer, int Left) NodesOf(OnnxModel optimized)
    {
        bool IsInteger(string name) => name.StartsWith("QLinear", StringComparison.Ordinal) || name is "QGemm" or "MatMulIntegerToFloat" or "DynamicQuantizeMatMul" or "ConvInteger" or "MatMulInteger" or "DynamicQuantizeLSTM";
        return (optimized.Graph.Node.Count(n => IsInteger(n.OpType)), optimized.Graph.Node.Count(n => n.OpType == "DequantizeLinear"));
    }

    /// <summary>Times the files of all rows in one run, those that are far slower than the original in another; equal files are one contender.</summary>
    internal static ConvolutionRow[] Timed(Materials materials, IReadOnlyList<ConvolutionRow> rows)
    {
        using MachineLock held = MachineLock.Acquire(CancellationToken.None, Console.Error.WriteLine);
        using var feed = new Feed(materials.Scenarios.Value[0].Inputs.Select(i => (i.Key, i.Value)));
        var hashes = rows.Where(r => r.File is not null).ToDictionary(r => r.Name, r => ModelFiles.HashOf([r.File!]));
        (string Hash, Contender Contender)[] contenders = [.. rows.Where(r => r.File is not null).DistinctBy(r => hashes[r.Name])
            .Select(r => (hashes[r.Name], Contender.Probe(() => EndToEnd.Open(r.File!, materials.Machine.Session(), feed))))];
        (string Hash, Contender Contender) original = contenders[0];
        ILookup<bool, (string Hash, Contender Contender)> others = contenders.Skip(1).ToLookup(c => c.Contender.RunMilliseconds > FarSlower * original.Contender.RunMilliseconds);
        (string Hash, (Comparison Run, int Place) Time)[] times = [.. Run(others[false], TimingSettings.WholeModel), .. Run(others[true], TimingSettings.Advice)];
        return [.. rows.Select(row => row.File is not null && times.FirstOrDefault(t => t.Hash == hashes[row.Name]).Time is ({ }, _) time ? row with { Time = time } : row)];

        IEnumerable<(string, (Comparison, int))> Run(IEnumerable<(string Hash, Contender Contender)> some, TimingSettings settings)
        {
            (string Hash, Contender Contender)[] all = [original, .. some];
            Comparison? run = all.Length < 2 ? null : Interleaved.Measure([.. all.Select(c => c.Contender)], settings, CancellationToken.None);
            return run is null ? [] : all.Select((c, place) => (c.Hash, (run, place)));
        }
    }

    /// <summary>What is wrong with what the product ships: over its budget, or slower, by more than chance, than something else that is within it.</summary>
    private static IEnumerable<string> Faults(ConvolutionRow product, IReadOnlyList<ConvolutionRow> rows)
    {
        double budget = product.Budget!.Value;
        if (!product.IsWithin(budget))
        {
            yield return $"{product.Name} is over its budget";
            yield break;
        }

        foreach (ConvolutionRow other in rows.Where(r => r.IsWithin(budget) && product.SpeedupOver(r) is { High: < 1 }))
        {
            yield return $"{product.Name} is slower than {other.Name}: {ReportText.Factor(product.SpeedupOver(other)!.Value.Centre)}";
        }
    }

    /// <summary>A row, or the same with the reason why it cannot be.</summary>
    private static ConvolutionRow Try(ConvolutionRow row, Func<ConvolutionRow> make)
    {
        try
        {
            return make();
        }
        catch (Exception e) when (e is MixedPrecisionException or OnnxRuntimeException or NotSupportedException)
        {
            return row with { File = null, Note = e.Message };
        }
    }
}
