using System.Globalization;

namespace MixedPrecision.Reporting;

/// <summary>Groups lists so that they read in a screen.</summary>
internal static class Grouped
{
    /// <summary>Rows that leave room for what stands around them.</summary>
    public const int MostRows = 32;

    private const int MatrixRank = 2;

    /// <summary>Items by the first of the keys, from fine to coarse, that leaves no more groups than a screen has rows; else by the last one. In the order of their first items.</summary>
    public static IReadOnlyList<IReadOnlyList<T>> Of<T>(IReadOnlyList<T> items, params Func<T, object>[] keys)
    {
        IReadOnlyList<IReadOnlyList<T>> groups = [];
        foreach (Func<T, object> key in keys)
        {
            groups = [.. items.GroupBy(key).Select(g => (IReadOnlyList<T>)[.. g])];
            if (groups.Count <= MostRows)
            {
                break;
            }
        }

        return groups;
    }

    /// <summary>What layers have in common that differ in size alone: of convolutions the kernel, and whether each channel has its own.</summary>
    public static string KindOf(string operation, IReadOnlyList<long> weightShape) =>
        weightShape.Count <= MatrixRank ? $"{operation} {weightShape.Count}" : $"{operation} {weightShape[1] == 1} {string.Join('×', weightShape.Skip(MatrixRank))}";

    /// <summary>Shapes of one rank as one: <c>16–480×1×3×3</c>.</summary>
    public static string Shape(IEnumerable<IReadOnlyList<long>> shapes)
    {
        IReadOnlyList<long>[] all = [.. shapes];
        return all.Any(s => s.Count != all[0].Count) ? "" : all[0].Count == 0 ? ReportText.Shape(all[0])
            : string.Join('×', Enumerable.Range(0, all[0].Count).Select(axis => Range(all.Min(s => s[axis]), all.Max(s => s[axis]))));
    }

    private static string Range(long least, long greatest) => least == greatest ? least.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{least}–{greatest}");
}
