namespace MixedPrecision.Policies;

/// <summary>Names of the structures that a policy may allow: the one place where they are written. Tests hold the table of structures, the schema and the documents to them.</summary>
public static class StructureNames
{
    /// <summary>As the model has it, always allowed.</summary>
    public const string Exported = "exported";

    /// <summary>Every structure, the exported one first.</summary>
    public static readonly IReadOnlyList<string> All = [Exported];
}
