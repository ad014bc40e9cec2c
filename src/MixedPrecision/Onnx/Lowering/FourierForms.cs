namespace MixedPrecision.Onnx.Lowering;

/// <summary>Discrete Fourier transforms as products with matrices of cosines and sines. Numbers are real, or pairs along the last axis.</summary>
internal static class FourierForms
{
    /// <summary>Below 20 the axis was an attribute, 1 unless given.</summary>
    public static void UpgradeAxis(LoweringContext c)
    {
        if (c.Version >= 20)
        {
            c.Keep();
            return;
        }

        string axis = c.B.Scalar(c.Node.Int("axis", 1), ElementType.Int64);
        c.Change([c.X, c.InputOrNone(1), axis], "axis");
    }

    public static void Transform(LoweringContext c)
    {
        GraphBuilder b = c.B;
        bool inverse = c.Node.Int("inverse", 0) == 1;
        bool half = c.Node.Int("onesided", 0) == 1;
        long? axis = c.HasInput(2) ? c.Integers(c.Input(2)) is [long given] ? given : null : -2;
        if (c.Type(c.X).Shape is not { } shape || shape[^1].Size is not (1 or 2) || axis is null || (inverse && half))
        {
            c.Keep();
            return;
        }

        int rank = shape.Count;
        int along = (int)(axis < 0 ? axis.Value + rank : axis.Value);
        string size = b.Size(c.X, along);
        string length = c.HasInput(1) ? b.Reshape0(b.Cast(c.Input(1), ElementType.Int64), 1) : size;

        // The axis is brought before the last one; the transform replaces both.
        long[] order = [.. Enumerable.Range(0, rank - 1).Where(a => a != along).Select(a => (long)a), along, rank - 1];
        string moved = b.Transpose(c.X, order);
        string result = Product(b, moved, size, length, shape[^1].Size == 2, inverse, half, c.ElementType);
        c.Return(b.Transpose(result, Enumerable.Range(0, rank).Select(a => (long)Array.IndexOf(order, (long)a))));
    }

    /// <summary>Inputs: signal [batch, time, 1 or 2], step, window, length of a frame. Output: [batch, frame, frequency, 2].</summary>
    public static void ShortTimeTransform(LoweringContext c)
    {
        GraphBuilder b = c.B;
        if (c.Type(c.X).Shape is not [_, _, { Size: 1 or 2 } last])
        {
            c.Keep();
            return;
        }

        string One(int input) => b.Reshape0(b.Cast(c.Input(input), ElementType.Int64), 1);
        string length = c.HasInput(3) ? One(3) : b.Size(c.Input(2), 0);
        string step = One(1);
        string frames = b.Add(b.Div(b.Sub(b.Size(c.X, 1), length), step), b.Integers(1));
        string starts = b.Mul(HeadMath.Places(b, frames), step);
        string places = b.Add(b.Unsqueeze(starts, 1), HeadMath.Places(b, length));
        string parts = b.Gather(c.X, places, 1);
        parts = c.HasInput(2) ? b.Mul(parts, b.Unsqueeze(c.Input(2), 1)) : parts;
        c.Return(Product(b, parts, length, length, last.Size == 2, inverse: false, c.Node.Int("onesided", 1) == 1, c.ElementType));
    }

    /// <summary>[…, size, 1 or 2] as […, frequencies, 2], with elements beyond the length left out.</summary>
    private static string Product(GraphBuilder b, string x, string size, string length, bool complex, bool inverse, bool half, int type)
    {
        string frequencies = half ? b.Add(b.Div(length, b.Integers(2)), b.Integers(1)) : length;
        string places = b.Unsqueeze(HeadMath.Places(b, size), 1);

        // Whole turns are taken off as integers, which is exact.
        string turns = b.Node("Mod", [b.Mul(places, HeadMath.Places(b, frequencies)), length]);
        string count = b.Cast(length, ElementType.Double);
        string angles = b.Mul(b.Div(b.Cast(turns, ElementType.Double), count), b.Scalar(2 * Math.PI, ElementType.Double));
        string within = b.Cast(b.Less(places, length), ElementType.Double);
        within = inverse ? b.Div(within, count) : within;
        string cosine = b.Cast(b.Mul(b.Cos(angles), within), type);
        string sine = b.Cast(b.Mul(b.Sin(angles), within), type);

        string Part(int index) => b.Squeeze(b.Slice(x, -1, index, index + 1), -1);
        string Along(string part, string matrix) => b.Squeeze(b.MatMul(b.Unsqueeze(part, -2), matrix), -2);
        string real = Part(0);
        string re = Along(real, cosine);
        string im = inverse ? Along(real, sine) : b.Neg(Along(real, sine));
        if (complex)
        {
            string imaginary = Part(1);
            string crossed = Along(imaginary, sine);
            re = inverse ? b.Sub(re, crossed) : b.Add(re, crossed);
            im = b.Add(im, Along(imaginary, cosine));
        }

        return b.Concat(-1, b.Unsqueeze(re, -1), b.Unsqueeze(im, -1));
    }
}
