using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Formats;

/// <summary>Rounding to floating types against ONNX Runtime's own Cast.</summary>
public class FloatTypeTests
{
    private static readonly Dictionary<string, FloatType> Types = new() { ["fp16"] = FloatType.Half, ["bf16"] = FloatType.BFloat16, ["e4m3"] = FloatType.E4M3, ["e5m2"] = FloatType.E5M2 };

    public static TheoryData<string> Names() => [.. Types.Keys];

    /// <summary>All values of the type, the middles between neighbours, and the floats next to each of them; then values beyond the largest.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void RoundsAsTheRuntimeCasts(string name)
    {
        FloatType type = Types[name];
        float[] values = [.. Values(type).Where(float.IsFinite).Distinct().Order()];
        float[] middles = [.. values.Zip(values.Skip(1), (a, b) => (float)(((double)a + b) / 2))];
        float[] near = [.. values.Concat(middles).SelectMany(v => new[] { v, MathF.BitIncrement(v), MathF.BitDecrement(v) })];
        float[] beyond = type.HasRangeOfFloat ? [] : [.. new[] { 1.01f, 1.07f, 2f, 1000f }.SelectMany(f => new[] { type.Largest * f, -type.Largest * f }), float.MaxValue, float.MinValue];
        float[] inside = [.. near.Where(v => MathF.Abs(v) <= type.Largest), .. beyond];
        Assert.Equal(inside.Length, near.Count(v => MathF.Abs(v) <= type.Largest) + beyond.Length);

        float[] cast = Run(b =>
        {
            string x = b.Constant(Tensor.Of<float>(inside, inside.Length));

            // Of 16 bits what is beyond the largest would be an infinity.
            string within = type.Bits == 8 ? x : b.Node("Clip", [x, b.Scalar(-type.Largest), b.Scalar(type.Largest)]);
            return b.Cast(b.Cast(within, type.ElementType), ElementType.Float);
        });
        Assert.Equal(cast.Select(BitConverter.SingleToUInt32Bits), Decode(type, Round(type, inside)).Select(BitConverter.SingleToUInt32Bits));
        Assert.True(cast.Distinct().Count() > 200);
    }

    /// <summary>Every bit pattern that is a finite number is its own rounding.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void EveryValueOfTheTypeStays(string name)
    {
        FloatType type = Types[name];
        float[] values = [.. Values(type)];
        byte[] again = Round(type, values);
        byte[] all = Patterns(type);
        int bytes = type.Bits / 8;
        Assert.Equal(1 << type.Bits, values.Length);
        Assert.All(
            values.Index().Where(v => float.IsFinite(v.Item)),
            v => Assert.Equal(all.AsSpan(v.Index * bytes, bytes).ToArray(), again.AsSpan(v.Index * bytes, bytes).ToArray()));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ConstantsOfATypeAreThoseOfItsValues(string name)
    {
        FloatType type = Types[name];
        float[] positive = [.. Values(type).Where(v => float.IsFinite(v) && v > 0).Order()];
        Assert.Equal(positive[^1], type.Largest);
        Assert.Equal(positive[0], type.SubnormalStep);
        Assert.Equal(positive[(1 << type.MantissaBits) - 1], type.SmallestNormal);
        Assert.Equal(1 << type.MantissaBits, positive.Count(v => v is >= 1 and < 2));
    }

    [Fact]
    public void AnyNumberOfValuesIsRounded()
    {
        float[] values = [.. Enumerable.Range(0, 100).Select(i => (i - 50) * 0.37f)];
        foreach (FloatType type in Types.Values)
        {
            byte[] all = Round(type, values);
            Assert.All(Enumerable.Range(0, 100), length => Assert.Equal(all[..(length * type.Bits / 8)], Round(type, values[..length])));
        }
    }

    [Theory]
    [InlineData(448f, 1f)]
    [InlineData(449f, 2f)]
    [InlineData(224f, 0.5f)]
    [InlineData(0f, 1f)]
    [InlineData(1f, 0.00390625f)]
    [InlineData(1e-45f, 7.888609e-31f)]
    public void TheScaleIsTheSmallestPowerOfTwoThatHoldsTheLargest(float largest, float scale) => Assert.Equal(scale, FloatType.E4M3.ScaleFor(largest));

    /// <summary>A scale that is a power of two moves the borders of the range, and no value within.</summary>
    [Fact]
    public void ScalesDoNotChangeHowValuesAreRounded()
    {
        float[] values = [.. Enumerable.Range(1, 1000).Select(i => i * 0.0437f)];
        float[] plain = Decode(FloatType.E4M3, Round(FloatType.E4M3, values)), scaled = Decode(FloatType.E4M3, Round(FloatType.E4M3, values, 0.25f));
        Assert.Equal(plain, scaled.Select(v => v * 0.25f));
    }

    internal static byte[] Round(FloatType type, float[] values, float scale = 1)
    {
        var codes = new byte[values.Length * type.Bits / 8];
        type.Round(values, scale, codes);
        return codes;
    }

    internal static float[] Decode(FloatType type, byte[] codes) => Run(b => b.Cast(b.Constant(new Tensor(type.ElementType, [codes.Length * 8 / type.Bits], codes)), ElementType.Float));

    private static float[] Values(FloatType type) => Decode(type, Patterns(type));

    /// <summary>All bit patterns in order.</summary>
    private static byte[] Patterns(FloatType type) => type.Bits == 8
        ? [.. Enumerable.Range(0, 256).Select(i => (byte)i)]
        : [.. Enumerable.Range(0, 65536).SelectMany(i => BitConverter.GetBytes((ushort)i))];

    private static float[] Run(Func<GraphBuilder, string> build)
    {
        var graph = new GraphProto { Name = "casts" };
        var b = new GraphBuilder([]);
        string result = build(b);
        b.AppendTo(graph);
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(result));
        var model = new ModelProto { IrVersion = 9, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 19 });
        using Session session = Session.Create(model, SessionSettings.Default);
        return session.Run(new Dictionary<string, Tensor>())[result].Values<float>().ToArray();
    }
}
