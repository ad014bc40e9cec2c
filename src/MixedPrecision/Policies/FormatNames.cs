namespace MixedPrecision.Policies;

/// <summary>Names of the formats that a policy may ask for, and of the presets that stand for several of them.</summary>
public static class FormatNames
{
    /// <summary>The format of the original, always allowed.</summary>
    public const string Baseline = "fp32";

    /// <summary>Every format, the baseline first.</summary>
    public static readonly IReadOnlyList<string> All = [Baseline, "int8-dynamic", "int8-weight", "int4-weight"];

    /// <summary>Formats of each preset, the baseline first.</summary>
    public static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> Presets =
        new SortedDictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["cpu"] = All };

    /// <summary>The preset used when a policy names no formats.</summary>
    public const string DefaultPreset = "cpu";
}
