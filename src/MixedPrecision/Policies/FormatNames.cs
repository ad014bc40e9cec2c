namespace MixedPrecision.Policies;

/// <summary>
/// Names of the formats that a policy may ask for, and of the presets that stand for several of them: the one place where they are written. The formats themselves, the readers of the
/// policy and their messages take them from here; tests hold the schema and the documents to them.
/// </summary>
public static class FormatNames
{
    /// <summary>The format of the original, always allowed.</summary>
    public const string Baseline = "fp32";

    public const string Int8Dynamic = "int8-dynamic";

    public const string Int8Weight = "int8-weight";

    public const string Int4Weight = "int4-weight";

    /// <summary>The preset used when a policy names no formats.</summary>
    public const string DefaultPreset = "cpu";

    /// <summary>Every format, the baseline first.</summary>
    public static readonly IReadOnlyList<string> All = [Baseline, Int8Dynamic, Int8Weight, Int4Weight];

    /// <summary>Formats of each preset, the baseline first.</summary>
    public static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> Presets =
        new SortedDictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { [DefaultPreset] = All };
}
