using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// The gradient of Resize by its scales and its region, which decide where the output's samples lie in the input. Along each axis: the slope of the interpolation at
/// each place, times how the place moves. Nearest has none, and antialiasing, whose filter widens with the scale, is taken as if it did not move.
/// </summary>
/// <param name="axes">The axes that are resized, counted from the start.</param>
/// <param name="alongOthers">Resizes a value along all axes but the one of an index.</param>
internal sealed class ResizePlaces(GradientContext c, long[] axes, Func<string, int, string> alongOthers)
{
    private const string DefaultTransformation = "half_pixel";
    private readonly GraphBuilder b = c.B;

    private string Transformation => c.Node.Text("coordinate_transformation_mode", DefaultTransformation);

    private bool Crops => Transformation == "tf_crop_and_resize";

    private bool Interpolates => c.Node.Text("mode", "nearest") != "nearest" && c.Node.Int("antialias", 0) == 0;

    public string? Region()
    {
        if (!c.Needs(1) || !Crops || !Interpolates)
        {
            return null;
        }

        var starts = new List<string>();
        var ends = new List<string>();
        for (int index = 0; index < axes.Length; index++)
        {
            // Places go from start to end in equal steps; a single one lies in the middle.
            string last = b.Sub(Count(c.Y, index), Number(1));
            string share = b.Where(b.Greater(last, Number(0)), b.Div(Outputs(index), b.Max(last, Number(1))), Number(0.5));
            string toward = b.Mul(Toward(index, Cropped(index, share)), b.Sub(Count(c.X, index), Number(1)));
            string end = Total(b.Mul(toward, share));
            ends.Add(UnlessStill(index, end));
            starts.Add(UnlessStill(index, b.Sub(Total(toward), end)));
        }

        return b.Cast(b.Concat(0, [.. starts, .. ends]), c.Type(c.Input(1)).ElementType);
    }

    public string? Scales()
    {
        if (!c.Needs(2) || Crops || !Interpolates || Transformation == "align_corners")
        {
            return null;
        }

        return b.Cast(b.Concat(0, [.. Enumerable.Range(0, axes.Length).Select(Scale)]), c.Type(c.Input(2)).ElementType);
    }

    /// <summary>An axis whose size stays has a place at each element, where a linear interpolation bends and which kernels do not move.</summary>
    private string Scale(int index)
    {
        string scale = b.Cast(b.Slice(c.Input(2), 0, index, index + 1), c.ElementType);
        string squared = b.Square(scale);
        bool isCorner = Transformation == "asymmetric";
        string position = isCorner ? Outputs(index) : b.Add(Outputs(index), Number(0.5));
        string place = b.Div(position, scale);
        string moves = b.Neg(b.Div(position, squared));
        if (!isCorner)
        {
            place = b.Sub(place, Number(0.5));
        }

        if (Transformation == "half_pixel_symmetric")
        {
            string half = b.Mul(Count(c.Y, index), Number(0.5));
            place = b.Add(place, b.Sub(b.Mul(Count(c.X, index), Number(0.5)), b.Div(half, scale)));
            moves = b.Add(moves, b.Div(half, squared));
        }

        string still = b.Node("Or", [b.Equal(scale, Number(1)), Resizing.IsCopy(c)]);
        if (Transformation == "pytorch_half_pixel")
        {
            string single = b.LessOrEqual(Count(c.Y, index), Number(1));
            place = b.Where(single, Number(0), place);
            still = b.Node("Or", [still, single]);
        }

        return b.Where(still, Number(0), Total(b.Mul(Toward(index, place), moves)));
    }

    /// <summary>Kernels leave axes alone whose scale is one, whatever the region says of them.</summary>
    private string UnlessStill(int index, string gradient)
    {
        string still = c.HasInput(2) ? b.Equal(b.Cast(b.Slice(c.Input(2), 0, index, index + 1), c.ElementType), Number(1)) : b.Equal(b.Size(c.X, axes[index]), b.Size(c.Y, axes[index]));
        return b.Where(still, Number(0), gradient);
    }

    private string Cropped(int index, string share)
    {
        string Entry(int at) => b.Cast(b.Slice(c.Input(1), 0, at, at + 1), c.ElementType);
        string start = Entry(index), end = Entry(index + axes.Length);
        return b.Mul(b.Add(start, b.Mul(share, b.Sub(end, start))), b.Sub(Count(c.X, index), Number(1)));
    }

    /// <summary>The gradient by the place of each output along an axis, [out].</summary>
    private string Toward(int index, string place)
    {
        string outputs = b.Transpose(AxisLast(c.Upstream, index, c.Y), [1, 0]);
        string products = b.MatMul(outputs, AxisLast(alongOthers(c.X, index), index, c.X));
        return b.ReduceSum(b.Mul(products, Slopes(index, place)), [1]);
    }

    /// <summary>The slopes of the weights of inputs by the places of outputs, [out, in].</summary>
    private string Slopes(int index, string place)
    {
        string floor = b.Floor(place);
        string beyond = b.Sub(place, floor);
        (int Tap, string Weight, string Slope)[] taps = c.Node.Text("mode", "") == "cubic" ? Cubic(beyond) : [(0, b.Sub(Number(1), beyond), Number(-1)), (1, beyond, Number(1))];
        string last = b.Sub(Count(c.X, index), Number(1));
        string[] positions = [.. taps.Select(t => b.Add(floor, Number(t.Tap)))];
        string[] slopes = [.. taps.Select(t => t.Slope)];
        if (c.Node.Int("exclude_outside", 0) == 1)
        {
            // Weights outside are taken away and the others divided by their sum.
            string[] inside = [.. positions.Select(p => c.Mask(Within(p, last)))];
            string[] weights = [.. taps.Zip(inside, (t, i) => b.Mul(t.Weight, i))];
            string sum = b.Sum(weights), change = b.Sum([.. slopes.Zip(inside, b.Mul)]);
            slopes = [.. slopes.Zip(weights, (s, w) => b.Div(b.Sub(b.Mul(s, sum), b.Mul(w, change)), b.Square(sum)))];
        }
        else
        {
            positions = [.. positions.Select(p => b.Max(b.Min(p, last), Number(0)))];
        }

        string inputs = Steps(b.Size(c.X, axes[index]));
        string all = b.Sum([.. positions.Zip(slopes, (p, s) => b.Mul(c.Mask(b.Equal(b.Unsqueeze(p, 1), inputs)), b.Unsqueeze(s, -1)))]);
        return Crops ? b.Mul(all, b.Unsqueeze(c.Mask(Within(place, last)), 1)) : all;
    }

    /// <summary>Keys' kernel: one polynomial for the two inputs beside a place, one for the two beyond them.</summary>
    private (int Tap, string Weight, string Slope)[] Cubic(string beyond)
    {
        double a = c.Node.Float("cubic_coeff_a", -0.75f);
        string Polynomial(string t, params double[] coefficients) => coefficients.Skip(1).Aggregate(Number(coefficients[0]), (value, next) => b.Add(b.Mul(value, t), Number(next)));
        string Near(string t) => Polynomial(t, a + 2, -a - 3, 0, 1);
        string NearSlope(string t) => Polynomial(t, 3 * (a + 2), -2 * (a + 3), 0);
        string Far(string t) => Polynomial(t, a, -5 * a, 8 * a, -4 * a);
        string FarSlope(string t) => Polynomial(t, 3 * a, -10 * a, 8 * a);
        string before = b.Add(beyond, Number(1)), next = b.Sub(Number(1), beyond), after = b.Sub(Number(2), beyond);
        return
        [
            (-1, Far(before), FarSlope(before)),
            (0, Near(beyond), NearSlope(beyond)),
            (1, Near(next), b.Neg(NearSlope(next))),
            (2, Far(after), b.Neg(FarSlope(after))),
        ];
    }

    private string Within(string position, string last) => b.And(b.GreaterOrEqual(position, Number(0)), b.LessOrEqual(position, last));

    /// <summary>A value as a matrix whose second axis is the one of an index.</summary>
    private string AxisLast(string value, int index, string like)
    {
        int rank = c.Rank(c.X);
        IEnumerable<long> order = Enumerable.Range(0, rank).Select(a => (long)a).Where(a => a != axes[index]).Append(axes[index]);
        return b.Reshape(b.Transpose(value, order), b.Concat(0, b.Div(b.Unsqueeze(b.ElementCount(value), 0), b.Size(like, axes[index])), b.Size(like, axes[index])));
    }

    private string Outputs(int index) => Steps(b.Size(c.Y, axes[index]));

    /// <summary>0, 1, 2, … as numbers of the input's type.</summary>
    private string Steps(string count) => b.Cast(b.Range(b.Squeeze(count, 0)), c.ElementType);

    private string Count(string value, int index) => b.Cast(b.Size(value, axes[index]), c.ElementType);

    private string Total(string values) => b.ReduceSum(values, [0], keepDimensions: true);

    private string Number(double value) => c.Scalar(value);
}
