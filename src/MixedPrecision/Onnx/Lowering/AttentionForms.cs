namespace MixedPrecision.Onnx.Lowering;

/// <summary>ONNX's Attention (23 and later).</summary>
internal static class AttentionForms
{
    private static readonly string[] Known = ["is_causal", "kv_num_heads", "q_num_heads", "qk_matmul_output_mode", "scale", "softcap", "softmax_precision"];

    /// <summary>
    /// Scores are capped, then masked. Keys of the past stand before the new ones, so with is_causal query s may read keys up to past + s. softmax_precision
    /// says how kernels round, and is left out.
    /// </summary>
    public static void Attention(LoweringContext c)
    {
        if (c.Node.Attribute.Any(a => !Known.Contains(a.Name)))
        {
            c.Keep();
            return;
        }

        GraphBuilder b = c.B;
        int type = c.ElementType;
        bool joined = c.Rank(c.X) is int rank ? rank == 3 : c.Node.Int("q_num_heads", 0) > 0;
        long queryHeads = c.Node.Int("q_num_heads", 0);
        long keyHeads = c.Node.Int("kv_num_heads", 0);
        string query = joined ? HeadMath.Part(b, c.X, queryHeads) : c.X;
        string newKey = joined ? HeadMath.Part(b, c.Input(1), keyHeads) : c.Input(1);
        string newValue = joined ? HeadMath.Part(b, c.Input(2), keyHeads) : c.Input(2);
        string key = c.HasInput(4) ? b.Concat(2, c.Input(4), newKey) : newKey;
        string value = c.HasInput(5) ? b.Concat(2, c.Input(5), newValue) : newValue;
        HeadCounts counts = joined ? new(queryHeads, keyHeads) : Counts(c, query, newKey);

        float? scale = c.Node.Attribute("scale") is { F: not 0 } given ? given.F : null;
        string product = HeadMath.Scores(b, HeadMath.Scaled(b, query, scale, type), key, counts);
        string capped = HeadMath.Capped(b, product, c.Node.Float("softcap", 0), type);
        string masked = Mask(c, capped, query, key);
        string weights = b.Node("Softmax", [masked], Attributes.Of("axis", -1));
        string result = HeadMath.Weighted(b, weights, value, counts);
        c.Return(joined ? HeadMath.Join(b, result) : result);
        c.Return(key, 1);
        c.Return(value, 2);
        c.Return(c.Node.Int("qk_matmul_output_mode", 0) switch { 0 => product, 1 => capped, 2 => masked, _ => weights }, 3);
    }

    private static HeadCounts Counts(LoweringContext c, string query, string key)
    {
        long? queries = c.Type(query).Shape?[1].Size;
        long? keys = c.Type(key).Shape?[1].Size;
        return new HeadCounts(queries, keys, queries is null ? c.B.Size(query, 1) : null, keys is null ? c.B.Size(key, 1) : null);
    }

    /// <summary>The mask, which is true and false or an addend; causality; and each sequence's own length.</summary>
    private static string Mask(LoweringContext c, string scores, string query, string key)
    {
        GraphBuilder b = c.B;
        string keys = b.Size(key, 2);
        string? allowed = null;
        if (c.Node.Int("is_causal", 0) == 1)
        {
            string places = HeadMath.Places(b, b.Size(query, 2));
            if (c.HasInput(6))
            {
                // The last query is that of the last key that is no padding.
                places = b.Unsqueeze(b.Add(places, b.Unsqueeze(b.Sub(c.Input(6), b.Size(query, 2)), 1)), 1);
            }
            else if (c.HasInput(4))
            {
                string rows = b.Size(query, 2);
                places = b.Add(places, b.Where(b.Equal(rows, b.Integers(1)), b.Sub(keys, rows), b.Size(c.Input(4), 2)));
            }

            allowed = HeadMath.NotAfter(b, places, HeadMath.Places(b, keys));
        }

        if (c.HasInput(6))
        {
            string within = b.Less(HeadMath.Places(b, keys), b.Unsqueeze(c.Input(6), 1));
            allowed = HeadMath.And(b, allowed, b.Unsqueeze(within, 1, 2));
        }

        if (c.HasInput(3))
        {
            if (c.Type(c.Input(3)).ElementType == ElementType.Bool)
            {
                allowed = HeadMath.And(b, allowed, c.Input(3));
            }
            else
            {
                // Minus infinity would make a row of which nothing may be read undefined.
                scores = b.Add(scores, b.Max(c.Input(3), HeadMath.Least(b, c.ElementType)));
            }
        }

        return HeadMath.Masked(b, scores, allowed, c.ElementType);
    }
}
