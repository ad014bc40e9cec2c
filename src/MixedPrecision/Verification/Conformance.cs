using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Verification;

/// <summary>
/// Holds an emitted file against a second emission of the same plan from the original, both in canonical form (<see cref="ValueFlow"/>): by value, not by the text of any
/// format. What emission itself gets wrong twice is not found here but by <see cref="KernelCheck"/> and <see cref="Agreement"/>.
/// </summary>
public static class Conformance
{
    /// <summary>Checks that the file carries the plan and nothing else.</summary>
    /// <param name="original">The original model.</param>
    /// <param name="path">Path of the emitted model.</param>
    /// <param name="plan">Every layer with its format.</param>
    /// <param name="weight">The tensor of a weight of the original, by its value name.</param>
    /// <param name="preparations">Where prepared constants are kept, or null.</param>
    /// <param name="structures">The structures of sub-graphs that are not to stay as exported.</param>
    /// <returns>The layers that are not in the baseline, as they stand in the file.</returns>
    /// <exception cref="MixedPrecisionException">MPB7002: the first difference, with the layer it belongs to.</exception>
    public static IReadOnlyList<RewrittenLayer> Check(
        OnnxModel original,
        string path,
        IReadOnlyList<(LayerSite Site, NumberFormat Format)> plan,
        Func<string, Tensor> weight,
        Preparations? preparations = null,
        IReadOnlyList<StructureMatch>? structures = null)
    {
        using OnnxModel emitted = OnnxModel.Load(path, Path.GetFileName(path), keepDefaults: true);
        (ModelProto model, IReadOnlyList<RewrittenLayer> layers) = Quantizer.Emit(original, plan, weight, preparations, structures);
        CheckInterface(emitted, "inputs", [.. original.Inputs], [.. emitted.Inputs]);
        CheckInterface(emitted, "inputs", model.Graph.Input, emitted.Graph.Input);
        CheckInterface(emitted, "outputs", original.Graph.Output, emitted.Graph.Output);
        ValueFlow expected = ValueFlow.Of(original, model), found = ValueFlow.Of(emitted);
        if (MissingNode(expected, found) is NodeProto missing)
        {
            Owner? owner = OwnerOf(missing, plan, layers);
            throw Errors.EmittedModelDiffersFromPlan(
                new Place(emitted.DisplayName, Node: owner?.Site.Layer.Name ?? missing.DisplayName()),
                owner?.Format.Name ?? $"{missing.Operator()} of the original",
                (owner is null ? null : FormatIn(found, original, plan, owner.Site, weight, preparations, structures)) ?? Describe(missing, expected, found));
        }

        if (MissingNode(found, expected) is NodeProto added)
        {
            throw Errors.EmittedModelDiffersFromPlan(new Place(emitted.DisplayName, Node: added.DisplayName()), "no such node", added.Operator());
        }

        foreach (ValueInfoProto output in model.Graph.Output.Where(o => expected.Value(o.Name) != found.Value(o.Name)))
        {
            throw Errors.EmittedModelDiffersFromPlan(new Place(emitted.DisplayName, Tensor: output.Name), "another value as this output", "one that the plan computes elsewhere");
        }

        CheckUnread(emitted, expected, found);
        CheckFrame(emitted, original, model);
        return layers;
    }

    private static void CheckInterface(OnnxModel emitted, string kind, IReadOnlyList<ValueInfoProto> planned, IReadOnlyList<ValueInfoProto> values)
    {
        string[] wanted = [.. planned.Select(Declaration)], found = [.. values.Select(Declaration)];
        int first = wanted.Zip(found).TakeWhile(p => p.First == p.Second).Count();
        if (first < Math.Max(wanted.Length, found.Length))
        {
            string name = (first < wanted.Length ? planned : values)[first].Name;
            throw Errors.EmittedModelDiffersFromPlan(
                new Place(emitted.DisplayName, Tensor: name), $"{wanted.ElementAtOrDefault(first) ?? "nothing"} in place {first + 1} of the {kind}", found.ElementAtOrDefault(first) ?? "nothing");
        }
    }

    private static string Declaration(ValueInfoProto value) =>
        value.Type is { TensorType: not null } ? $"'{value.Name}', {TensorType.Read(value.Type)}" : $"'{value.Name}', {value.Type?.ToString() ?? "of no type"}";

    /// <summary>The first node of one graph, in its order, that has no counterpart in another.</summary>
    private static NodeProto? MissingNode(ValueFlow of, ValueFlow other)
    {
        Dictionary<UInt128, int> counts = other.Nodes.CountBy(n => n.Hash).ToDictionary();
        foreach ((NodeProto node, UInt128 hash) in of.Nodes)
        {
            if (counts.GetValueOrDefault(hash) == 0)
            {
                return node;
            }

            counts[hash]--;
        }

        return null;
    }

    private sealed record Owner(LayerSite Site, NumberFormat Format);

    /// <summary>The layer that a node of the emission was written for, or null.</summary>
    private static Owner? OwnerOf(NodeProto node, IReadOnlyList<(LayerSite Site, NumberFormat Format)> plan, IReadOnlyList<RewrittenLayer> layers) =>
        layers.FirstOrDefault(l => l.Nodes.Any(n => ReferenceEquals(n, node))) is { } rewritten ? new Owner(rewritten.Site, rewritten.Format)
        : plan.FirstOrDefault(p => node.Output.Contains(p.Site.Layer.Output)) is { Site: { } site } planned ? new Owner(site, planned.Format)
        : null;

    /// <summary>The format that a layer is found in, or null when it is neither of the plan's nor of those that a policy has by default.</summary>
    private static string? FormatIn(
        ValueFlow found,
        OnnxModel original,
        IReadOnlyList<(LayerSite Site, NumberFormat Format)> plan,
        LayerSite site,
        Func<string, Tensor> weight,
        Preparations? preparations,
        IReadOnlyList<StructureMatch>? structures)
    {
        foreach (NumberFormat format in plan.Select(p => p.Format).Concat(NumberFormats.Default).Concat(NumberFormats.OfFamilies).Distinct().Where(f => f.WhyNot(site) is null && !(f.ReadsRanges && site.Ranges is null)))
        {
            (ModelProto model, _) = Quantizer.Emit(original, [.. plan.Select(p => p.Site.Layer == site.Layer ? (p.Site, format) : p)], weight, preparations, structures);
            if (ValueFlow.Of(original, model).Value(site.Layer.Output) is UInt128 value && value == found.Value(site.Layer.Output))
            {
                return format.Name;
            }
        }

        return null;
    }

    /// <summary>What stands in a file where a node of the plan should: the operator that computes its result, and in what it differs.</summary>
    private static string Describe(NodeProto planned, ValueFlow expected, ValueFlow found)
    {
        string output = planned.Output.First(o => o.Length > 0);
        if (found.View.Producer(output) is not int index)
        {
            return $"no {planned.Operator()} that computes '{output}' from this";
        }

        NodeProto node = found.View.Nodes[index];
        if (node.Operator() != planned.Operator())
        {
            return node.Operator();
        }

        int input = planned.Input.Zip(node.Input).TakeWhile(p => expected.Value(p.First) == found.Value(p.Second)).Count();
        string? attribute = planned.Attribute.Concat(node.Attribute).Select(a => a.Name).FirstOrDefault(n => !Equals(planned.Attribute(n), node.Attribute(n)));
        return input < planned.Input.Count || input < node.Input.Count ? $"{node.Operator()} with another input {input + 1} ('{node.Input.ElementAtOrDefault(input)}')"
            : attribute is not null ? $"{node.Operator()} with another attribute '{attribute}'"
            : $"another {node.Operator()}";
    }

    private static void CheckUnread(OnnxModel emitted, ValueFlow expected, ValueFlow found)
    {
        Dictionary<UInt128, int> counts = expected.Unread.CountBy(u => u.Hash).ToDictionary();
        foreach ((string name, UInt128 hash) in found.Unread)
        {
            if (counts.GetValueOrDefault(hash) == 0)
            {
                throw Errors.EmittedModelDiffersFromPlan(new Place(emitted.DisplayName, Tensor: name), "no such constant", "one that nothing reads");
            }

            counts[hash]--;
        }

        if (expected.Unread.FirstOrDefault(u => counts[u.Hash] > 0) is { Name: string lost })
        {
            throw Errors.EmittedModelDiffersFromPlan(new Place(emitted.DisplayName, Tensor: lost), "a constant of the original", "nothing");
        }
    }

    /// <summary>Versions, functions and metadata.</summary>
    private static void CheckFrame(OnnxModel emitted, OnnxModel original, ModelProto model)
    {
        string Versions(ModelProto m) => $"format {m.IrVersion}, operator sets {string.Join(", ", m.OpsetImport.Select(o => $"{(o.Domain.Length == 0 ? "ai.onnx" : o.Domain)} {o.Version}").Order(StringComparer.Ordinal))}";
        string Metadata(ModelProto m) => string.Join(", ", m.MetadataProps.Select(p => $"{p.Key} = {p.Value}").Order(StringComparer.Ordinal));
        (string Planned, string Found)[] pairs = [(Versions(model), Versions(emitted.Proto)), (Metadata(model), Metadata(emitted.Proto)), .. FunctionsOf(original, model, emitted)];
        foreach ((string planned, string found) in pairs.Where(p => p.Planned != p.Found))
        {
            throw Errors.EmittedModelDiffersFromPlan(new Place(emitted.DisplayName), planned.Length == 0 ? "nothing" : planned, found.Length == 0 ? "nothing" : found);
        }
    }

    private static IEnumerable<(string Planned, string Found)> FunctionsOf(OnnxModel original, ModelProto model, OnnxModel emitted)
    {
        static string Key(FunctionProto f) => $"{f.Domain}.{f.Name}{(f.Overload.Length == 0 ? "" : $":{f.Overload}")}";
        Dictionary<string, FunctionProto> planned = model.Functions.ToDictionary(Key), found = emitted.Proto.Functions.ToDictionary(Key);
        return planned.Keys.Union(found.Keys).Order(StringComparer.Ordinal).Select(key => (
            planned.TryGetValue(key, out FunctionProto? p) ? $"function {key} ({ValueFlow.Of(p, original):x})" : "",
            found.TryGetValue(key, out FunctionProto? f) ? $"function {key} ({ValueFlow.Of(f, emitted):x})" : ""));
    }
}
