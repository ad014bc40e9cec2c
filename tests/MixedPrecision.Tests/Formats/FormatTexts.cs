using MixedPrecision.Formats;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Formats;

/// <summary>Formats as tests need them.</summary>
internal static class FormatTexts
{
    public static readonly string Int8Dynamic = Of("int8-dynamic");

    public static readonly string Products = Of("int8-dynamic(products)");

    public static readonly string Int8Weight = Of("int8-weight");

    public static readonly string Int4Weight = Of("int4-weight");

    /// <summary>The formats of the default preset that weight matrices may take, without the baseline.</summary>
    public static IReadOnlyList<NumberFormat> ForWeights => [.. NumberFormats.Default.Where(f => f != NumberFormats.Baseline && f.Name != Products)];

    /// <summary>The canonical text.</summary>
    public static string Of(string text) => FormatId.Parse(text).Text;
}
