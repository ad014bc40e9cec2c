namespace MixedPrecision.Onnx.Lowering;

/// <summary>com.microsoft's Attention and MultiHeadAttention.</summary>
internal static class MicrosoftAttention
{
    private const float MaskFilter = -10000;

    /// <summary>One product of the input with the weights of queries, keys and values side by side. Inputs: input, weights, bias, mask, past, addend of the scores.</summary>
    public static void Attention(LoweringContext c)
    {
        GraphBuilder b = c.B;
        bool unsupported = c.Node.Int("do_rotary", 0) == 1 || c.Node.Int("past_present_share_buffer", 0) == 1 || c.HasInput(6);
        if (unsupported || (c.HasInput(3) && c.Rank(c.Input(3)) is null or 4))
        {
            c.Keep();
            return;
        }

        string product = b.MatMul(c.X, c.Input(1));
        product = c.HasInput(2) ? b.Add(product, c.Input(2)) : product;
        string[] parts = c.Node.Ints("qkv_hidden_sizes") is { Length: 3 } sizes
            ? b.Split(product, b.Integers(sizes), 3, -1)
            : b.NodeWithOutputs("Split", 3, [product], Attributes.Of("axis", -1), Attributes.Of("num_outputs", 3));
        string[] heads = [.. parts.Select(p => HeadMath.Part(b, p, c.Node.Int("num_heads", 1)))];
        if (c.HasInput(4))
        {
            string Past(int index) => b.Gather(c.Input(4), b.Scalar(index, ElementType.Int64), 0);
            heads = [heads[0], b.Concat(2, Past(0), heads[1]), b.Concat(2, Past(1), heads[2])];
        }

        string scores = Scores(c, heads[0], heads[1]);
        scores = AddMasks(c, scores, heads, c.InputOrNone(3), c.InputOrNone(5));
        c.Return(HeadMath.Join(b, b.MatMul(b.Node("Softmax", [scores], Attributes.Of("axis", -1)), heads[2])));
        if (c.HasOutput(1))
        {
            c.Return(b.Concat(0, b.Unsqueeze(heads[1], 0), b.Unsqueeze(heads[2], 0)), 1);
        }
    }

    /// <summary>Inputs: query, key, value, bias, mask, addend of the scores, past key, past value; or keys and values within the query or within the key.</summary>
    public static void MultiHeadAttention(LoweringContext c)
    {
        GraphBuilder b = c.B;
        bool known = c.Rank(c.X) is not null && (!c.HasInput(1) || c.Rank(c.Input(1)) is not null) && (!c.HasInput(4) || c.Rank(c.Input(4)) is 1 or 2 or 3);
        if (!known || c.HasInput(8) || c.HasInput(9) || c.HasOutput(3))
        {
            c.Keep();
            return;
        }

        string[] heads = Heads(c);
        heads = [heads[0], c.HasInput(6) ? b.Concat(2, c.Input(6), heads[1]) : heads[1], c.HasInput(7) ? b.Concat(2, c.Input(7), heads[2]) : heads[2]];
        string scores = AddMasks(c, Scores(c, heads[0], heads[1]), heads, c.InputOrNone(4), c.InputOrNone(5));
        c.Return(HeadMath.Join(b, b.MatMul(b.Node("Softmax", [scores], Attributes.Of("axis", -1)), heads[2])));
        c.Return(heads[1], 1);
        c.Return(heads[2], 2);
    }

    private static string[] Heads(LoweringContext c)
    {
        GraphBuilder b = c.B;
        long count = c.Node.Int("num_heads", 1);
        string?[] biases = [null, null, null];
        if (c.HasInput(3))
        {
            // Queries and keys are of one width; the values' may be another.
            string width = c.Rank(c.X) == 5 ? b.Mul(b.Size(c.X, 4), b.Integers(count)) : b.Size(c.X, 2);
            string Bias(string start, string end) => b.Node("Slice", [c.Input(3), start, end, b.Integers(0)]);
            string two = b.Add(width, width);
            biases = [Bias(b.Integers(0), width), Bias(width, two), Bias(two, b.Integers(long.MaxValue))];
        }

        string Biased(string joined, int part) => HeadMath.Part(b, biases[part] is string bias ? b.Add(joined, bias) : joined, count);
        string Packed(string value, int index, int part) => Biased(b.Reshape0(b.Gather(value, b.Scalar(index, ElementType.Int64), 3), 0, 0, -1), part);
        if (c.Rank(c.X) == 5)
        {
            return [Packed(c.X, 0, 0), Packed(c.X, 1, 1), Packed(c.X, 2, 2)];
        }

        string query = Biased(c.X, 0);
        return c.Rank(c.Input(1)) switch
        {
            5 => [query, Packed(c.Input(1), 0, 1), Packed(c.Input(1), 1, 2)],

            // Already parted, and biased when they were made.
            4 => [query, c.Input(1), c.Input(2)],
            _ => [query, Biased(c.Input(1), 1), Biased(c.Input(2), 2)],
        };
    }

    private static string Scores(LoweringContext c, string query, string key)
    {
        float? scale = c.Node.Attribute("scale") is { F: not 0 } given ? given.F : null;
        return HeadMath.Scores(c.B, HeadMath.Scaled(c.B, query, scale, c.ElementType), key, new HeadCounts(1, 1));
    }

    private static string AddMasks(LoweringContext c, string scores, string[] heads, string mask, string addend)
    {
        GraphBuilder b = c.B;
        string keys = b.Size(heads[1], 2);
        if (mask.Length > 0)
        {
            string filter = c.Scalar(c.Node.Float("mask_filter_value", MaskFilter));
            scores = b.Add(scores, b.Where(Readable(c, mask, keys), c.Scalar(0), filter));
        }

        scores = addend.Length > 0 ? b.Add(scores, addend) : scores;
        if (c.Node.Int("unidirectional", 0) == 0)
        {
            return scores;
        }

        string queries = b.Size(heads[0], 2);
        string places = b.Add(HeadMath.Places(b, queries), b.Sub(keys, queries));
        return HeadMath.Masked(b, scores, HeadMath.NotAfter(b, places, HeadMath.Places(b, keys)), c.ElementType);
    }

    /// <summary>A mask of 0 and 1 of rank 2 or 3; or of rank 1, each sequence's end, after all of which may stand each one's start.</summary>
    private static string Readable(LoweringContext c, string mask, string keys)
    {
        GraphBuilder b = c.B;
        int rank = c.Rank(mask)!.Value;
        if (rank > 1)
        {
            string positive = b.Greater(mask, b.Scalar(0, ElementType.Int32));
            return rank == 2 ? b.Unsqueeze(positive, 1, 2) : b.Unsqueeze(positive, 1);
        }

        string batch = b.Size(c.X, 0);
        string twice = b.Add(batch, batch);
        string bounds = b.Concat(0, b.Cast(mask, ElementType.Int64), b.Zeros(batch, ElementType.Int64));
        string Bound(string from, string to) => b.Unsqueeze(b.Node("Slice", [bounds, from, to, b.Integers(0)]), 1, 2, 3);
        string places = HeadMath.Places(b, keys);
        string started = b.GreaterOrEqual(places, b.Where(b.Equal(b.Shape(mask), twice), Bound(batch, twice), b.Integers(0)));
        return b.And(b.Less(places, Bound(b.Integers(0), batch)), started);
    }
}
