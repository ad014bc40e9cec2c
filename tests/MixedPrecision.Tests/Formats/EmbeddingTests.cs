using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Tests.Partitioning;
using MixedPrecision.Tests.Verification;

namespace MixedPrecision.Tests.Formats;

/// <summary>Tables to look up in, in blocks of few bits: what the emitted file computes against the format's definition, in double precision.</summary>
public class EmbeddingTests
{
    private const int Rows = 13;

    public static TheoryData<string, int> Cases()
    {
        string[] formats =
        [
            "int8-weight(block=16)", "int8-weight(block=32,zero-points)", "int8-weight(block=256)", "int4-weight(block=16)", "int4-weight(block=16,zero-points)", "int4-weight(block=32)",
            "int4-weight(block=64,zero-points,accuracy=0)", "int4-weight(block=128)", "int2-weight(block=16)", "int2-weight(block=32,zero-points)",
        ];

        // Whole blocks, an odd number of them (whose zero points fill no whole byte), a last block of which a part is missing, less than a block.
        return [.. formats.SelectMany(f => new[] { 64, 48, 208, 200, 12 }.Select(width => (f, width)))];
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void RowsAreThoseOfTheFormat(string format, int width)
    {
        Tensor table = LayerModels.Random(width, Rows, width);
        using var emitted = new EmittedModel(LookUp(table, ElementType.Int64, [2, 3]), [format], withEmbeddings: true);
        (LayerSite site, NumberFormat own) = Assert.Single(emitted.Plan);
        Assert.Equal(NumberFormats.Get(format), own);
        double[] rounded = Round(table, FormatBits(format), own.WeightBlock, format.Contains("zero-points", StringComparison.Ordinal));
        long[] indices = [0, 12, -1, -13, 5, 5];
        foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_ALL })
        {
            Tensor y = Run(emitted.Mixed, Tensor.Of<long>(indices, 2, 3), level);
            Assert.Equal([2, 3, width], y.Shape);
            for (int i = 0; i < y.Count; i++)
            {
                long row = (indices[i / width] + Rows) % Rows;
                Assert.Equal(rounded[(row * width) + (i % width)], y.Values<float>()[i], 1e-6);
            }
        }

        emitted.Check();
        MixedPrecision.Verification.KernelCheck.Check(emitted.Mixed, emitted.Check(), SessionSettings.Default);
        Assert.Equal(own.Bytes(site), own.Prepare(site, table).Sum(t => t.Bytes.Length));
    }

    /// <summary>Whatever shape and type the indices have, the emitted file gives what Gather gives, but for the rounding.</summary>
    [Theory]
    [InlineData(ElementType.Int64, new long[] { })]
    [InlineData(ElementType.Int32, new long[] { 4 })]
    [InlineData(ElementType.Int32, new long[] { 2, 2 })]
    [InlineData(ElementType.Int64, new long[] { 2, 1, 2 })]
    [InlineData(ElementType.Int64, new long[] { 0 })]
    public void IndicesMayHaveAnyShape(int type, long[] shape)
    {
        using var emitted = new EmittedModel(LookUp(LayerModels.Random(3, Rows, 32), type, shape), ["int8-weight"], withEmbeddings: true);
        int count = (int)Tensor.ElementCount(shape);
        int[] values = [.. Enumerable.Range(0, count).Select(i => (i * 5 % 26) - 13)];
        Tensor indices = type == ElementType.Int32 ? Tensor.Of<int>(values, shape) : Tensor.Of<long>([.. values.Select(v => (long)v)], shape);
        Tensor exact = Run(emitted.Original, indices, GraphOptimizationLevel.ORT_ENABLE_ALL), found = Run(emitted.Mixed, indices, GraphOptimizationLevel.ORT_ENABLE_ALL);
        Assert.Equal(exact.Shape, found.Shape);
        for (int i = 0; i < exact.Count; i++)
        {
            Assert.Equal(exact.Values<float>()[i], found.Values<float>()[i], 0.5 / 127);
        }
    }

    /// <summary>Where Gather fails, the kernel gives a row of zeros: documents say so.</summary>
    [Theory]
    [InlineData(Rows)]
    [InlineData(-Rows - 1)]
    public void AnIndexBeyondTheTableGivesZeros(long index)
    {
        using var emitted = new EmittedModel(LookUp(LayerModels.Random(3, Rows, 32), ElementType.Int64, [1]), ["int4-weight"], withEmbeddings: true);
        Tensor indices = Tensor.Of<long>([index], 1);
        Assert.Throws<OnnxRuntimeException>(() => Run(emitted.Original, indices, GraphOptimizationLevel.ORT_ENABLE_ALL));
        Assert.All(Run(emitted.Mixed, indices, GraphOptimizationLevel.ORT_ENABLE_ALL).Values<float>().ToArray(), y => Assert.Equal(0, y));
    }

    [Fact]
    public void ATableOfHalfPrecisionKeepsItsType()
    {
        ModelProto half = HalfModels.Narrow(LookUp(LayerModels.Random(3, Rows, 32), ElementType.Int64, [3]));
        using var emitted = new EmittedModel(half, ["int8-weight"], withEmbeddings: true);
        Tensor indices = Tensor.Of<long>([1, -2, 3], 3);
        Tensor exact = Run(emitted.Original, indices, GraphOptimizationLevel.ORT_ENABLE_ALL), found = Run(emitted.Mixed, indices, GraphOptimizationLevel.ORT_ENABLE_ALL);
        Assert.Equal(ElementType.Float16, found.ElementType);
        for (int i = 0; i < exact.Count; i++)
        {
            Assert.Equal((double)exact.Values<Half>()[i], (double)found.Values<Half>()[i], 0.006);
        }
    }

    [Theory]
    [InlineData("int4-weight", 33, "33 values of 4 bits, a row of the table, are no whole number of bytes; the kernel takes such")]
    [InlineData("int8-weight", 33, null)]
    [InlineData("int2-weight", 34, "34 values of 2 bits, a row of the table, are no whole number of bytes; the kernel takes such")]
    [InlineData("int8-dynamic", 32, "rows of a table are looked up and not multiplied; the kernel for these takes blocks of integers")]
    [InlineData("int8-dynamic(products)", 32, "one operand is a constant weight; 'int8-dynamic' is the format for these")]
    [InlineData("fp16", 32, "rows of a table are looked up and not multiplied; the kernel for these takes blocks of integers")]
    [InlineData("fp8-e4m3", 32, "rows of a table are looked up and not multiplied; the kernel for these takes blocks of integers")]
    public void OtherFormatsSayWhyNot(string format, int width, string? reason)
    {
        using var emitted = new EmittedModel(LookUp(LayerModels.Random(3, Rows, width), ElementType.Int64, [3]), ["fp32"], withEmbeddings: true);
        Assert.Equal(reason, NumberFormats.Get(format).WhyNot(Assert.Single(emitted.Plan).Site));
    }

    private static ModelProto LookUp(Tensor table, int type, long[] shape)
    {
        using OnnxModel model = Graphs.Model([("ids", type, shape)], b =>
        {
            b.NodeTo(["y"], "Gather", "", [b.Constant(table, "table"), "ids"]);
            return ["y"];
        });
        ModelProto proto = model.Proto.Clone();
        proto.Graph.Output[0] = new TensorType(ElementType.Float, [.. shape.Append(table.Shape[1]).Select(Dimension.Of)]).ToProto("y");
        return proto;
    }

    private static int FormatBits(string format) => format[3] - '0';

    private static Tensor Run(string file, Tensor indices, GraphOptimizationLevel level)
    {
        using Session session = Session.Open(file, SessionSettings.Default with { Optimization = level });
        return session.Run(new Dictionary<string, Tensor> { ["ids"] = indices })["y"];
    }

    /// <summary>s(q − z) of each value, from the formulas of the format: scales in float, as they are stored.</summary>
    private static double[] Round(Tensor table, int bits, int block, bool hasZeroPoints)
    {
        int width = (int)table.Shape[1], limit = (1 << bits) - 1, middle = 1 << (bits - 1);
        float[] values = table.Values<float>().ToArray();
        var rounded = new double[values.Length];
        for (int start = 0; start < values.Length; start += start % width + block >= width ? width - (start % width) : block)
        {
            int count = Math.Min(block, width - (start % width));
            float[] own = values[start..(start + count)];
            float low = Math.Min(own.Min(), 0), high = Math.Max(own.Max(), 0);
            float scale = hasZeroPoints ? (high - low) / limit : (high >= -low ? high : low) / -middle;
            double zero = hasZeroPoints ? Math.Clamp(Math.Round(-low / (double)scale), 0, limit) : middle;
            for (int i = 0; i < count; i++)
            {
                rounded[start + i] = scale * (Math.Clamp(Math.Round(own[i] / (double)scale) + zero, 0, limit) - zero);
            }
        }

        return rounded;
    }
}
