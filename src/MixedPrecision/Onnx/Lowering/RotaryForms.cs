namespace MixedPrecision.Onnx.Lowering;

/// <summary>Rotary positions: pairs of a head's elements are turned by angles that depend on the place.</summary>
internal static class RotaryForms
{
    /// <summary>ONNX's: X, cos, sin, and places, without which cos and sin are given per batch entry and place.</summary>
    public static void RotaryEmbedding(LoweringContext c)
    {
        string Table(int input) => c.B.Unsqueeze(c.HasInput(3) ? c.B.Gather(c.Input(input), c.Input(3), 0) : c.Input(input), 1);
        Return(c, Table(1), Table(2));
    }

    /// <summary>com.microsoft's: X, places, cos, sin; one place alone is that of the first row, from which the others follow.</summary>
    public static void MicrosoftRotaryEmbedding(LoweringContext c)
    {
        GraphBuilder b = c.B;
        if (c.Node.Int("is_packed_batching", 0) == 1 || c.Rank(c.Input(1)) is null || c.Rank(c.X) is null)
        {
            c.Keep();
            return;
        }

        int sequence = c.Rank(c.X) == 4 ? 2 : 1;
        string places = c.Rank(c.Input(1)) == 1
            ? b.Unsqueeze(b.Add(HeadMath.Places(b, b.Size(c.X, sequence)), c.Input(1)), 0)
            : c.Input(1);
        string Table(int input) => b.Unsqueeze(b.Gather(c.Input(input), places, 0), 1);
        Return(c, Table(2), Table(3));
    }

    /// <summary>Turns [batch, heads, sequence, size] by cos and sin [batch, 1, sequence, turned/2]; what lies behind the turned elements passes.</summary>
    /// <param name="interleaved">Pairs are neighbours; else an element of the first half and one of the second.</param>
    /// <param name="isPartial">Whether elements behind the turned ones may be left.</param>
    public static string Rotate(GraphBuilder b, string x, string cosine, string sine, bool interleaved, bool isPartial)
    {
        string half = b.Size(cosine, 3);
        string axis = b.Integers(-1);
        string turned = x;
        string? rest = null;
        if (isPartial)
        {
            string width = b.Add(half, half);
            turned = b.Node("Slice", [x, b.Integers(0), width, axis]);
            rest = b.Node("Slice", [x, width, b.Integers(long.MaxValue), axis]);
        }

        string first;
        string second;
        if (interleaved)
        {
            string[] pairs = b.Split(b.Reshape0(turned, 0, 0, 0, -1, 2), b.Integers(1, 1), 2, 4);
            first = b.Squeeze(pairs[0], 4);
            second = b.Squeeze(pairs[1], 4);
        }
        else
        {
            first = b.Node("Slice", [turned, b.Integers(0), half, axis]);
            second = b.Node("Slice", [turned, half, b.Integers(long.MaxValue), axis]);
        }

        string real = b.Sub(b.Mul(first, cosine), b.Mul(second, sine));
        string imaginary = b.Add(b.Mul(first, sine), b.Mul(second, cosine));
        string result = interleaved
            ? b.Reshape0(b.Concat(4, b.Unsqueeze(real, 4), b.Unsqueeze(imaginary, 4)), 0, 0, 0, -1)
            : b.Concat(-1, real, imaginary);
        return rest is null ? result : b.Concat(-1, result, rest);
    }

    private static void Return(LoweringContext c, string cosine, string sine)
    {
        GraphBuilder b = c.B;
        long heads = c.Node.Int("num_heads", 0);
        long width = c.Node.Int("rotary_embedding_dim", 0);
        bool joined = c.Rank(c.X) is int rank ? rank == 3 : heads > 0;
        string x = c.X;
        if (joined)
        {
            // Without a number of heads, cos tells the size of a head.
            x = heads > 0
                ? HeadMath.Part(b, c.X, heads)
                : b.Transpose(b.ReshapeTo(c.X, b.Integers(0, 0, -1), b.Mul(b.Size(cosine, 3), b.Integers(2))), [0, 2, 1, 3]);
        }

        string turned = Rotate(b, x, cosine, sine, c.Node.Int("interleaved", 0) == 1, width > 0);
        float scale = c.Node.Float("scale", 1);
        turned = scale == 1 ? turned : b.Mul(turned, c.Scalar(scale));
        c.Return(joined ? HeadMath.Join(b, turned) : turned);
    }
}
