namespace MixedPrecision.Formats;

/// <summary>The table of formats. A format is one file and one line here (and its name in the policy's list of names, <see cref="Policies.FormatNames"/>).</summary>
public static class NumberFormats
{
    public static readonly IReadOnlyList<NumberFormat> All =
    [
        Fp32.Format,
        Int8Dynamic.Format,
        Int8Weight.Format,
        Int4Weight.Format,
    ];

    /// <summary>What every layer runs in unless the plan says otherwise.</summary>
    public static NumberFormat Baseline => All[0];

    public static NumberFormat Get(string name) =>
        All.FirstOrDefault(f => f.Name == name) ?? throw new ArgumentException($"no format '{name}'");
}
