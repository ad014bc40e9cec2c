namespace MixedPrecision.Onnx.Lowering;

/// <summary>
/// com.microsoft's GroupQueryAttention. Inputs: query, key, value, past key, past value, each sequence's length less one, the longest length, cos, sin, places,
/// addend of the scores, sinks. A prompt, whose rows are as many as the longest length, has no past.
/// </summary>
internal static class GroupQueryAttention
{
    public static void Rewrite(LoweringContext c)
    {
        bool quantized = c.Node.Text("k_quant_type", "NONE") != "NONE" || c.Node.Text("v_quant_type", "NONE") != "NONE";
        bool later = Enumerable.Range(12, 4).Any(c.HasInput) || c.Node.Int("sliding_window_cache", 0) == 1 || c.HasOutput(3);
        if (quantized || later || !c.HasInput(5) || !c.HasInput(6))
        {
            c.Keep();
            return;
        }

        GraphBuilder b = c.B;
        long queryHeads = c.Node.Int("num_heads", 1);
        long keyHeads = c.Node.Int("kv_num_heads", 1);
        string[] heads = c.HasInput(1)
            ? [HeadMath.Part(b, c.X, queryHeads), HeadMath.Part(b, c.Input(1), keyHeads), HeadMath.Part(b, c.Input(2), keyHeads)]
            : b.Split(HeadMath.Part(b, c.X, queryHeads + (2 * keyHeads)), b.Integers(queryHeads, keyHeads, keyHeads), 3, 1);

        string rows = b.Size(c.X, 1);
        string longest = b.Reshape0(b.Cast(c.Input(6), ElementType.Int64), 1);
        string lengths = b.Add(b.Cast(b.Vector(c.Input(5)), ElementType.Int64), b.Integers(1));
        string isPrompt = b.Equal(rows, longest);
        string past = b.Where(isPrompt, b.Integers(0), b.Sub(lengths, rows));

        // [batch, rows]
        string places = b.Add(b.Unsqueeze(past, 1), HeadMath.Places(b, rows));
        if (c.Node.Int("do_rotary", 0) == 1)
        {
            string at = c.HasInput(9) ? GivenPlaces(c, isPrompt, rows) : places;
            string Turned(string value) => RotaryForms.Rotate(
                b, value, Table(c, 7, at), Table(c, 8, at), c.Node.Int("rotary_interleaved", 0) == 1, isPartial: true);
            heads = [Turned(heads[0]), Turned(heads[1]), heads[2]];
        }

        string key = heads[1];
        string value = heads[2];
        if (c.HasInput(3))
        {
            (key, value) = (WithPast(c, 3, key, past, longest, 1), WithPast(c, 4, value, past, longest, 2));
        }
        else
        {
            c.Return(key, 1);
            c.Return(value, 2);
        }

        string result = HeadMath.Weighted(b, Weights(c, heads[0], key, places, lengths, longest), value, new HeadCounts(queryHeads, keyHeads));
        c.Return(HeadMath.Join(b, result));
    }

    /// <summary>Of a prompt only the first of the places given counts, from which the others follow.</summary>
    private static string GivenPlaces(LoweringContext c, string isPrompt, string rows)
    {
        GraphBuilder b = c.B;
        string first = b.Slice(b.Vector(c.Input(9)), 0, 0, 1);
        return b.Where(isPrompt, b.Add(HeadMath.Places(b, rows), first), c.Input(9));
    }

    private static string Table(LoweringContext c, int input, string places) => c.B.Unsqueeze(c.B.Gather(c.Input(input), places, 0), 1);

    /// <summary>
    /// Past rows, then the new ones, at each sequence's own length: [batch, heads, longest, size]. The present, which the node returns, is as long as the buffer of the past
    /// where that is longer, and zero behind the sequence's end.
    /// </summary>
    private static string WithPast(LoweringContext c, int input, string fresh, string past, string longest, int output)
    {
        GraphBuilder b = c.B;
        string buffer = b.Size(c.Input(input), 2);
        string both = b.Concat(2, c.Input(input), fresh);
        string length = b.Max(buffer, longest);
        string places = HeadMath.Places(b, length);
        string start = b.Unsqueeze(past, 1);
        string last = b.Sub(b.Size(both, 2), b.Integers(1));
        string moved = b.Min(b.Sub(b.Add(places, buffer), start), last);
        string sources = b.Unsqueeze(b.Where(b.Less(places, start), places, moved), 1, 3);
        string shape = b.Concat(0, b.Size(both, 0), b.Size(both, 1), length, b.Size(both, 3));
        string filled = b.Unsqueeze(b.Less(places, b.Add(start, b.Size(fresh, 2))), 1, 3);
        string present = b.Where(filled, b.GatherElements(both, b.Expand(sources, shape), 2), c.Scalar(0));
        c.Return(present, output);
        return b.Node("Slice", [present, b.Integers(0), longest, b.Integers(2)]);
    }

    private static string Weights(LoweringContext c, string query, string key, string places, string lengths, string longest)
    {
        GraphBuilder b = c.B;
        int type = c.ElementType;
        float? scale = c.Node.Attribute("scale") is { F: not 0 } given ? given.F : null;
        var counts = new HeadCounts(c.Node.Int("num_heads", 1), c.Node.Int("kv_num_heads", 1));
        string scores = HeadMath.Scores(b, HeadMath.Scaled(b, query, scale, type), key, counts);
        scores = HeadMath.Capped(b, scores, c.Node.Float("softcap", 0), type);
        scores = c.HasInput(10) ? b.Add(scores, c.Input(10)) : scores;

        // Rows of padding behind a sequence's end read what its last row reads.
        places = b.Min(places, b.Unsqueeze(b.Sub(lengths, b.Integers(1)), 1));
        string keys = HeadMath.Places(b, longest);
        string allowed = c.Node.Int("causal", 1) == 1
            ? HeadMath.NotAfter(b, places, keys)
            : b.Less(keys, b.Unsqueeze(lengths, 1, 2));
        long window = c.Node.Int("local_window_size", -1);
        allowed = window < 0 ? allowed : b.And(allowed, b.Greater(keys, b.Unsqueeze(b.Sub(places, b.Integers(window)), -1)));
        scores = HeadMath.Masked(b, scores, b.Unsqueeze(allowed, 1), type);
        string? sink = c.HasInput(11) ? b.Reshape0(c.Input(11), 1, -1, 1, 1) : c.Node.Int("smooth_softmax", 0) == 1 ? b.Reshape0(c.Scalar(0), 1, 1, 1, 1) : null;
        if (sink is null)
        {
            return b.Node("Softmax", [scores], Attributes.Of("axis", -1));
        }

        // A score of its own per head, which takes weight and has no value.
        string column = b.Expand(sink, b.Concat(0, b.Size(scores, 0), b.Size(scores, 1), b.Size(scores, 2), b.Integers(1)));
        string weights = b.Node("Softmax", [b.Concat(-1, scores, column)], Attributes.Of("axis", -1));
        return b.Node("Slice", [weights, b.Integers(0), b.Integers(-1), b.Integers(-1)]);
    }
}
