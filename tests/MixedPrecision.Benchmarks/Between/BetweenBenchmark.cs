using Google.Protobuf;
using MixedPrecision.Benchmarks.Rivals;
using MixedPrecision.Caching;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;

namespace MixedPrecision.Benchmarks.Between;

/// <summary>
/// What operators between layers gain in 8 bits, and what error they add: models with all layers in int8-static, as the product emits them, and the same with some kinds of operators between held in 8 bits too, in ranges of all calibration data. All files of a model take turns in one run.
/// </summary>
internal static class BetweenBenchmark
{
    private const int MostSamples = 32;

    private static readonly (string Name, HeldKinds Kinds)[] Variants =
    [
        ("sums", HeldKinds.Sums), ("pools, gates", HeldKinds.Pools | HeldKinds.Gates), ("other x · σ(x)", HeldKinds.Swishes), ("slopes", HeldKinds.Slopes), ("products", HeldKinds.Products),
        ("all but products", HeldKinds.Sums | HeldKinds.Pools | HeldKinds.Gates | HeldKinds.Swishes | HeldKinds.Slopes),
    ];

    /// <param name="folder">Takes models that are made, policies, emitted files and the cache.</param>
    /// <param name="names">Parts of models' names.</param>
    public static int Run(string folder, IReadOnlyList<string> names)
    {
        Console.WriteLine(ConvolutionRow.Head);
        foreach (ShownPolicy policy in BetweenCases.Of(Path.GetFullPath(folder), names))
        {
            Show(policy, Path.Combine(Path.GetFullPath(folder), "cache"));
        }

        return 0;
    }

    private static void Show(ShownPolicy policy, string cache)
    {
        RunOptions options = new(cache, null, _ => { }, _ => { }, CancellationToken.None);
        var runner = new StageRunner(new ContentStore(cache), new RunLog(options));
        using var materials = Materials.Open(policy.File, options, runner);
        Steps.Calibrate(materials, runner);
        Workspace workspace = materials.Workspace;
        NumberFormat format = materials.Policy.Formats.Select(NumberFormats.Get).First(f => f.ReadsRanges);
        (LayerSite Site, NumberFormat Format)[] plan = [.. from layer in workspace.Partition.Layers let site = workspace.Sites[layer.Name] where format.WhyNot(site) is null select (site, format)];
        StructureMatch[] fused = [.. workspace.Partition.Subgraphs.SelectMany(workspace.StructuresOf).Where(s => s.Structure.Name == StructureNames.Fused).Select(s => s.Match)];
        string[] values = [.. workspace.Model.Graph.Node.Where(HeldOperators.IsOne).SelectMany(n => n.Output.Append(n.Operator() == "MatMul" ? n.Input[0] : "").Append(n.Operator() == "MatMul" ? n.Input[1] : ""))
            .Where(v => workspace.Types.TryGetValue(v, out TensorType? type) && type.ElementType == ElementType.Float && workspace.Partition.View.Producer(v) is not null && !workspace.Partition.View.Constants.Contains(v)).Distinct()];
        IReadOnlyDictionary<string, ValueRange> ranges = CalibratedRanges.Of(workspace.Model, values, [.. materials.Data.Calibration.Value.Take(MostSamples)]);

        string Path(string name) => System.IO.Path.Combine(policy.Output, name + ".onnx");
        List<ConvolutionRow> rows = [new("fp32", null) { File = workspace.Path }];
        if (fused.Length > 0 || workspace.Rewrites is not null)
        {
            Quantizer.Write(workspace.Model, [], workspace.Weight, Path("fused"), materials.Preparations, fused);
            rows.Add(new("fp32, rewritten and fused", null) { File = Path("fused"), Note = fused.Length > 0 ? $"{fused.Length} fused" : "" });
        }

        if (plan.Any(p => p.Site.Inner is not null))
        {
            Quantizer.Write(workspace.Model, [.. plan.Select(p => (Alone(p.Site), p.Format))], workspace.Weight, Path("alone"), materials.Preparations, fused);
            rows.Add(new("int8-static, x · σ(x) in float", null) { File = Path("alone"), Note = ReportText.Count(plan.Length, "layer") });
        }

        (ModelProto emitted, _) = Quantizer.Emit(workspace.Model, plan, workspace.Weight, materials.Preparations, fused);
        HashSet<ByteString> known = [];
        foreach ((string name, HeldKinds kinds) in Variants.Prepend(("int8-static", HeldKinds.None)))
        {
            ModelProto model = emitted.Clone();
            HeldOperators.Apply(model, kinds, ranges);
            if (known.Add(model.ToByteString()))
            {
                Quantizer.Aside(Path($"held-{known.Count}"), stream => model.WriteTo(stream));
                rows.Add(new(kinds == HeldKinds.None ? name : $"the same, {name} in int8", null)
                {
                    File = Path($"held-{known.Count}"),
                    Note = kinds == HeldKinds.None ? ReportText.Count(plan.Count(p => p.Site.Inner is not null), "activation") + " x · σ(x)" : "",
                });
            }
        }

        foreach (ConvolutionRow row in ConvolutionsBenchmark.Timed(materials, [.. ConvolutionsBenchmark.Judged(materials, rows)]))
        {
            Console.WriteLine(row.Text(policy.Name));
        }

        Console.Out.Flush();
    }

    /// <summary>A layer without the activation behind it.</summary>
    private static LayerSite Alone(LayerSite site) =>
        site.Inner is not string inner ? site : site with { Tail = null, RangesOf = (site.RangesOf.Input, inner), Ranges = new LayerRanges(site.Ranges!.Input, site.Ranges.Inner) };
}
