namespace MixedPrecision.Reporting;

/// <summary>What a verb tells of each plan of a policy.</summary>
public static class ReportDocuments
{
    /// <summary>JSON documents as one: a single one as it is, several as a list.</summary>
    public static string Together(IReadOnlyList<string> documents) => documents is [var only] ? only : $"[\n{string.Join(",\n", documents.Select(d => d.TrimEnd('\n')))}\n]\n";
}
