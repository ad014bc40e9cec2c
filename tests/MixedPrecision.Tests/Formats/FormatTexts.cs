using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Formats;

/// <summary>Formats as tests need them.</summary>
internal static class FormatTexts
{
    /// <summary>What every processor computes rightly.</summary>
    public static readonly string Int8Dynamic = Of("int8-dynamic");

    /// <summary>What a policy means by <c>int8-dynamic</c> on this processor.</summary>
    public static readonly string Native = FormatId.Parse("int8-dynamic").On(Machine.Detect(new RuntimePolicy("cpu", 1, Place.None)).AddsExactly()).Text;

    public static readonly string Products = Of("int8-dynamic(products)");

    public static readonly string Int8Weight = Of("int8-weight");

    public static readonly string Int4Weight = Of("int4-weight");

    /// <summary>One format of each family that is fast for weight matrices.</summary>
    public static IReadOnlyList<NumberFormat> ForWeights => [.. new[] { Int8Dynamic, Int8Weight, Int4Weight }.Select(NumberFormats.Get)];

    /// <summary>The canonical text.</summary>
    public static string Of(string text) => NumberFormats.Get(text).Name;
}
