using System.Runtime.InteropServices;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Onnx;

public class NonFiniteTests
{
    [Fact]
    public void TheFirstValueThatIsNoFiniteNumberIsNamedWithItsPlace()
    {
        Assert.Equal("NaN at [1, 1]", NonFinite.In(Tensor.Of<float>([1, 2, 3, 4, 5, float.NaN, float.PositiveInfinity, 8], 2, 4)));
        Assert.Equal("infinity at [0]", NonFinite.In(Tensor.Of<double>([double.PositiveInfinity], 1)));
        Assert.Equal("−infinity at [2]", NonFinite.In(Tensor.Of<Half>([(Half)0, (Half)1, Half.NegativeInfinity], 3)));
        Assert.Equal("NaN", NonFinite.In(Tensor.Scalar(float.NaN)));
        ushort[] brain = [0x3F80, 0x7FC0];
        Assert.Equal("NaN at [1]", NonFinite.In(new Tensor(ElementType.BFloat16, [2], MemoryMarshal.AsBytes(brain.AsSpan()).ToArray())));
    }

    [Fact]
    public void FiniteNumbersAndOtherTypesAreFine()
    {
        Assert.Null(NonFinite.In(Tensor.Of<float>([float.MaxValue, float.MinValue, 0, -0f, float.Epsilon], 5)));
        Assert.Null(NonFinite.In(Tensor.Of<Half>([Half.MaxValue], 1)));
        Assert.Null(NonFinite.In(Tensor.Of<long>([long.MinValue, -1], 2)));
        Assert.Null(NonFinite.In(Tensor.Of<float>([], 0, 3)));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void OneOfManyIsFoundWhereverItStands(float value)
    {
        for (int place = 0; place < 70; place++)
        {
            float[] values = [.. Enumerable.Repeat(float.MinValue, 70)];
            values[place] = value;
            Assert.EndsWith($" at [{place}]", NonFinite.In(Tensor.Of(values, 70)), StringComparison.Ordinal);
        }
    }
}
