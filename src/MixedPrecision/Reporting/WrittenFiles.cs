using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>What <c>gradient</c> wrote.</summary>
/// <param name="File">The gradient model.</param>
/// <param name="Nodes">Its nodes.</param>
/// <param name="Outputs">Names of its outputs.</param>
public sealed record WrittenGradient(string File, int Nodes, IReadOnlyList<string> Outputs)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>For people.</summary>
    public IEnumerable<string> ToLines() => [Wording.EscapeWhole($"{File}: {ReportText.Count(Nodes, "node")}; outputs: {string.Join(", ", Outputs)}")];
}

/// <summary>What <c>report</c> wrote.</summary>
/// <param name="File">The page.</param>
public sealed record WrittenPage(string File)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>For people.</summary>
    public IEnumerable<string> ToLines() => [File];
}
