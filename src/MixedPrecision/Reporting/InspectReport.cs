using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>What <c>inspect</c> finds in a model, before anything is measured.</summary>
/// <param name="Model">The file.</param>
/// <param name="Inputs">What a caller has to feed.</param>
/// <param name="Outputs">What a run returns.</param>
/// <param name="Subgraphs">The sequential sub-graphs, in order.</param>
/// <param name="Excluded">Linear operators that are no layers, and why.</param>
/// <param name="Differentiation">Operators without a gradient rule; empty when the whole model can be calibrated.</param>
public sealed record InspectReport(
    ModelSummary Model,
    IReadOnlyList<InspectedValue> Inputs,
    IReadOnlyList<InspectedValue> Outputs,
    IReadOnlyList<InspectedSubgraph> Subgraphs,
    IReadOnlyList<ExcludedNode> Excluded,
    IReadOnlyList<DifferentiationGap> Differentiation)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>A summary for people, which reads in a screen: equal sub-graphs stand together, and so do layers that differ in numbers of their names alone.</summary>
    public IEnumerable<string> ToLines()
    {
        InspectedLayer[] layers = [.. Subgraphs.SelectMany(s => s.Layers)];
        int different = Subgraphs.Select(s => s.Fingerprint).Distinct().Count();
        yield return $"{Model.File}: {ReportText.Count(Model.Nodes, "node")}, opset {Model.Opset}, {ReportText.Bytes(Model.Bytes)}";
        yield return $"inputs: {string.Join("; ", Inputs.Select(i => $"{Wording.Escape(i.Name)} {Wording.EscapeWhole(i.Type)}"))}";
        yield return $"outputs: {string.Join("; ", Outputs.Select(o => $"{Wording.Escape(o.Name)} {Wording.EscapeWhole(o.Type)}"))}";
        yield return $"{ReportText.Count(layers.Length, "layer")} with {ReportText.Count(layers.Sum(l => l.Parameters), "parameter")} in "
            + $"{ReportText.Count(Subgraphs.Count, "sub-graph")} of which {different} differ";
        foreach (string line in ReportText.Table([.. Rows()]))
        {
            yield return line;
        }

        foreach (IGrouping<string, string> alike in Subgraphs.SelectMany(s => s.Structures.Select(name => (name, s.Index)))
            .GroupBy(s => s.name, s => s.Index)
            .GroupBy(s => $"{ReportText.Count(s.Count(), "sub-graph")} ({NamePatterns.Numbers([.. s])})", s => s.Key))
        {
            yield return $"{alike.Key} may be written as {string.Join(", ", alike)}";
        }

        foreach (string line in LeftAlone.Lines(layers.SelectMany(l => LeftAlone.Of(l.Name, l.Operator, l.NotApplicable, l.Formats)).Concat(Excluded)))
        {
            yield return line;
        }

        foreach (DifferentiationGap gap in Differentiation)
        {
            yield return $"cannot be differentiated: {Wording.Escape(gap.Operator)} ({ReportText.Count(gap.Nodes.Count, "node")}, e.g. {Wording.Escape(gap.Nodes[0])}): {gap.Reason}";
        }
    }

    /// <summary>Sub-graphs, hash, layers, shape, names. Where even kinds of layers are too many for each kind of sub-graph, they stand for the whole model.</summary>
    private IEnumerable<string[]> Rows()
    {
        (InspectedSubgraph Subgraph, InspectedLayer Layer)[] layers = [.. Subgraphs.SelectMany(s => s.Layers.Select(l => (s, l)))];
        string shown = "";
        foreach (IReadOnlyList<(InspectedSubgraph Subgraph, InspectedLayer Layer)> group in Grouped.Of(
            layers,
            l => (l.Subgraph.Fingerprint, l.Layer.Operator, ReportText.Shape(l.Layer.WeightShape), NamePatterns.Open(l.Layer.Name)),
            l => (l.Subgraph.Fingerprint, l.Layer.Operator, ReportText.Shape(l.Layer.WeightShape)),
            l => (l.Layer.Operator, ReportText.Shape(l.Layer.WeightShape), NamePatterns.Open(l.Layer.Name)),
            l => (l.Subgraph.Fingerprint, Grouped.KindOf(l.Layer.Operator, l.Layer.WeightShape)),
            l => Grouped.KindOf(l.Layer.Operator, l.Layer.WeightShape)))
        {
            string[] hashes = [.. group.Select(l => l.Subgraph.Fingerprint).Distinct()];
            string numbers = NamePatterns.Numbers([.. group.Select(l => l.Subgraph.Index)]);
            string hash = hashes is [var only] ? only[..Math.Min(8, only.Length)] : "";
            bool isNew = hash.Length == 0 || hash != shown;
            shown = hash;
            yield return
            [
                isNew ? numbers : "",
                isNew ? hash : "",
                $"{ReportText.Count(group.Count)} {Wording.Escape(group[0].Layer.Operator)}",
                Grouped.Shape(group.Select(l => l.Layer.WeightShape)),
                NamePatterns.Text(group.Select(l => l.Layer.Name)),
            ];
        }
    }
}

/// <summary>A value at the border of a model.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type and dimensions, e.g. "int64 [batch, sequence]".</param>
public sealed record InspectedValue(string Name, string Type);

/// <summary>A sequential sub-graph.</summary>
/// <param name="Index">Its place, from 0.</param>
/// <param name="Fingerprint">Hash of what was exported; sub-graphs with equal ones share their timings.</param>
/// <param name="Structures">Fused operators that it may be written with.</param>
/// <param name="Layers">Its layers, in order.</param>
public sealed record InspectedSubgraph(int Index, string Fingerprint, IReadOnlyList<string> Structures, IReadOnlyList<InspectedLayer> Layers);

/// <summary>A layer.</summary>
/// <param name="Name">Name of its node.</param>
/// <param name="Operator">Its operator.</param>
/// <param name="WeightShape">Shape of the constant weight; empty for a product of two activations.</param>
/// <param name="Parameters">Elements of the weight; 0 for a product of two activations.</param>
/// <param name="Formats">Formats of the default preset that the layer may have, without the baseline.</param>
/// <param name="NotApplicable">Those that are meant for such layers and that it cannot have, and why.</param>
public sealed record InspectedLayer(
    string Name,
    string Operator,
    IReadOnlyList<long> WeightShape,
    long Parameters,
    IReadOnlyList<string> Formats,
    IReadOnlyDictionary<string, string> NotApplicable);

/// <summary>A linear operator that is no layer.</summary>
/// <param name="Name">Name of the node.</param>
/// <param name="Operator">Its operator.</param>
/// <param name="Reason">Why it cannot be quantized.</param>
public sealed record ExcludedNode(string Name, string Operator, string Reason);

/// <summary>An operator that stands between the loss and a layer and has no gradient rule.</summary>
/// <param name="Operator">The operator, with its domain when that is not ONNX's own.</param>
/// <param name="Nodes">The nodes that need the rule.</param>
/// <param name="Reason">Why not, and what still works.</param>
public sealed record DifferentiationGap(string Operator, IReadOnlyList<string> Nodes, string Reason);
