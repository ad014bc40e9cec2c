namespace MixedPrecision.Diagnostics;

/// <summary>One factory method per diagnostic; one file per range of codes (Errors.Policy.cs, Errors.Model.cs and so on).</summary>
public static partial class Errors
{
}
