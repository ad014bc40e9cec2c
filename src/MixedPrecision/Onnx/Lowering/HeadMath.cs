namespace MixedPrecision.Onnx.Lowering;

/// <summary>Scaled dot-product attention on heads [batch, heads, sequence, size], in primitive operators: what all attention operators share.</summary>
internal static class HeadMath
{
    /// <summary>[batch, sequence, heads·size] as [batch, heads, sequence, size].</summary>
    public static string Part(GraphBuilder b, string value, long heads) => b.Transpose(b.Reshape0(value, 0, 0, heads, -1), [0, 2, 1, 3]);

    /// <summary>The reverse of <see cref="Part"/>.</summary>
    public static string Join(GraphBuilder b, string value) => b.Reshape0(b.Transpose(value, [0, 2, 1, 3]), 0, 0, -1);

    /// <summary>
    /// q·kᵀ, [batch, query heads, queries, keys]. Where several query heads share one key head, their rows are taken as more rows of that head, so that no
    /// key has to be repeated.
    /// </summary>
    public static string Scores(GraphBuilder b, string query, string key, HeadCounts counts)
    {
        string transposed = b.Transpose(key, [0, 1, 3, 2]);
        return counts.AreEqual ? b.MatMul(query, transposed) : Ungrouped(b, b.MatMul(Grouped(b, query, counts), transposed), counts);
    }

    /// <summary>The values weighted, [batch, query heads, queries, size].</summary>
    public static string Weighted(GraphBuilder b, string weights, string value, HeadCounts counts) =>
        counts.AreEqual ? b.MatMul(weights, value) : Ungrouped(b, b.MatMul(Grouped(b, weights, counts), value), counts);

    /// <summary>The factor given, or 1/√size of a head.</summary>
    public static string Scaled(GraphBuilder b, string query, float? given, int elementType) => given is float scale
        ? b.Mul(query, b.Scalar(scale, elementType))
        : b.Div(query, b.Sqrt(b.Cast(b.Size(query, 3), elementType)));

    /// <summary>c·tanh(x/c), which bounds the scores; 0 stands for no bound.</summary>
    public static string Capped(GraphBuilder b, string scores, float bound, int elementType) => bound == 0
        ? scores
        : b.Mul(b.Tanh(b.Div(scores, b.Scalar(bound, elementType))), b.Scalar(bound, elementType));

    /// <summary>Scores where a key may be read, elsewhere the least number: a row of which nothing may be read stays finite.</summary>
    public static string Masked(GraphBuilder b, string scores, string? allowed, int elementType) =>
        allowed is null ? scores : b.Where(allowed, scores, Least(b, elementType));

    /// <summary>The least finite number of a type.</summary>
    public static string Least(GraphBuilder b, int elementType) => b.Scalar(elementType == ElementType.Double ? double.MinValue : float.MinValue, elementType);

    /// <summary>0, 1, … up to a size given as a vector of one element.</summary>
    public static string Places(GraphBuilder b, string size) => b.Range(b.Squeeze(size, 0));

    /// <summary>True where the key's place is at most the query's: [queries, keys], or with axes before them where the queries' places have such.</summary>
    public static string NotAfter(GraphBuilder b, string queryPlaces, string keyPlaces) => b.LessOrEqual(keyPlaces, b.Unsqueeze(queryPlaces, -1));

    public static string? And(GraphBuilder b, string? x, string? y) => x is null ? y : y is null ? x : b.And(x, y);

    private static string Grouped(GraphBuilder b, string value, HeadCounts counts) => counts.Keys is long keys
        ? b.Reshape0(value, 0, keys, -1, 0)
        : b.ReshapeTo(value, b.Integers(0), counts.KeysAtRunTime!, b.Integers(-1, 0));

    private static string Ungrouped(GraphBuilder b, string value, HeadCounts counts) => counts.Queries is long queries
        ? b.Reshape0(value, 0, queries, -1, 0)
        : b.ReshapeTo(value, b.Integers(0), counts.QueriesAtRunTime!, b.Integers(-1, 0));
}

/// <summary>How many heads queries and keys have: numbers when they are known, else vectors of one element, computed at run time.</summary>
internal sealed record HeadCounts(long? Queries, long? Keys, string? QueriesAtRunTime = null, string? KeysAtRunTime = null)
{
    public bool AreEqual => Queries is not null && Queries == Keys;
}
