namespace MixedPrecision.Structures;

/// <summary>How one sub-graph runs: its structure, and a format for each of its layers, in its order. Those that a structure computes have the format that it fixes.</summary>
public sealed record Configuration(string Structure, IReadOnlyList<string> Formats)
{
    /// <summary>Whether it is not as the model has it.</summary>
    public bool Changes(string baseline) => Structure != Structures.Structure.Exported || Formats.Any(f => f != baseline);

    /// <summary>As the model has it but for the formats.</summary>
    public static Configuration Exported(IReadOnlyList<string> formats) => new(Structures.Structure.Exported, formats);

    public bool Equals(Configuration? other) => other is not null && Structure == other.Structure && Formats.SequenceEqual(other.Formats);

    public override int GetHashCode() => Formats.Aggregate(Structure.GetHashCode(StringComparison.Ordinal), HashCode.Combine);

    /// <summary>"exported int8-dynamic fp32": one text for each configuration.</summary>
    public override string ToString() => $"{Structure} {string.Join(' ', Formats)}";
}
