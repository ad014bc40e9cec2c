namespace MixedPrecision.Diagnostics;

/// <summary>Where a diagnostic points: a file with 1-based line and column, or a node or tensor of a model.</summary>
/// <param name="File">The file as the user named it; never an absolute path made up by us.</param>
/// <param name="Line">1-based line, or null.</param>
/// <param name="Column">1-based column, or null.</param>
/// <param name="Node">Name of a node of the model, or null.</param>
/// <param name="Tensor">Name of a value of the model, or null.</param>
public sealed record Place(string? File = null, int? Line = null, int? Column = null, string? Node = null, string? Tensor = null)
{
    public static readonly Place None = new();

    public override string ToString()
    {
        string file = File is null ? "" : Line is null ? File : Column is null ? $"{File}({Line})" : $"{File}({Line},{Column})";
        string model = string.Join(", ", new[] { Node is null ? null : $"node '{Node}'", Tensor is null ? null : $"value '{Tensor}'" }.OfType<string>());
        return file.Length == 0 ? model : model.Length == 0 ? file : $"{file}: {model}";
    }
}
