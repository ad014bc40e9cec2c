using CsCheck;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>Generators of shapes and values.</summary>
internal static class Draw
{
    public static readonly Gen<long> Size = Gen.Long[1, 4];

    /// <summary>Rank 0 to 4, at most 4 along an axis.</summary>
    public static readonly Gen<long[]> Shape = Rank(0, 4);

    public static Gen<long[]> Rank(int from, int to) => Size.Array[from, to];

    public static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    /// <summary>An axis of a rank, counted from the start or from the end.</summary>
    public static Gen<long> Axis(int rank) => Gen.Long[-rank, rank - 1];

    /// <summary>A subset of axes, in either way of counting, at least one.</summary>
    public static Gen<long[]> Axes(int rank) =>
        from count in Gen.Int[1, rank]
        from order in Gen.Shuffle(Enumerable.Range(0, rank).ToArray())
        from fromEnd in Gen.Bool.Array[rank]
        select order.Take(count).Select(a => fromEnd[a] ? (long)a - rank : a).ToArray();

    public static Gen<Operand> Real(Func<Random, double> draw, params long[] shape) => Gen.Int[0, int.MaxValue - 1].Select(seed =>
    {
        var random = new Random(seed);
        return new Operand(shape, [.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => draw(random))], null);
    });

    public static Gen<Operand> Real(params long[] shape) => Real(Values.Normal, shape);

    /// <summary>A permutation of multiples of 0.25: no ties, where no derivative exists.</summary>
    public static Gen<Operand> Distinct(params long[] shape) => Gen.Shuffle(Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(i => 0.25 * i).ToArray())
        .Select(values => new Operand(shape, values, null));

    public static Gen<Operand> Integers(long from, long to, params long[] shape) =>
        Gen.Long[from, to].Array[(int)Tensor.ElementCount(shape)].Select(v => Operand.Of(Tensor.Of<long>(v, shape)));

    public static Gen<Operand> Booleans(params long[] shape) =>
        Gen.Bool.Array[(int)Tensor.ElementCount(shape)].Select(v => Operand.Of(Tensor.Of<bool>(v, shape)));

    /// <summary>Several shapes that broadcast to one: axes left out or of size one at random.</summary>
    public static Gen<long[][]> Broadcast(int operands) =>
        from shape in Shape
        from missing in Gen.Int[0, shape.Length].Array[operands]
        from ones in Gen.Int[0, 3].Array[shape.Length].Array[operands]
        from full in Gen.Int[0, operands - 1]
        select Enumerable.Range(0, operands)
            .Select(o => shape.Select((size, axis) => ones[o][axis] == 0 ? 1 : size).Skip(o == full ? 0 : missing[o]).ToArray())
            .ToArray();
}

/// <summary>Domains of inputs: distributions that keep away from where a function bends or ends.</summary>
internal static class Values
{
    public static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    public static Func<Random, double> Uniform(double from, double to) => random => from + ((to - from) * random.NextDouble());

    /// <summary>Positive, away from zero.</summary>
    public static double Positive(Random random) => 0.3 + (2 * random.NextDouble());

    /// <summary>Of either sign, away from zero.</summary>
    public static double NotSmall(Random random) => (random.Next(2) == 0 ? 1 : -1) * (0.4 + (2 * random.NextDouble()));

    /// <summary>Normal with a scale, none within 0.1 of the points given.</summary>
    public static Func<Random, double> AwayFrom(double scale, params double[] points) => random =>
    {
        double value;
        do
        {
            value = scale * Normal(random);
        }
        while (points.Any(p => Math.Abs(value - p) < 0.1));
        return value;
    };

    /// <summary>Multiples of 0.25 with a draw of which one, so that no two differ by less than the steps of the differences, unless equal.</summary>
    public static double Spread(Random random) => 0.25 * random.Next(-40, 41);
}
