using System.Runtime.InteropServices;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Data;

public sealed class SampleWriterTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Every type that data can give, with its extremes, and shapes that are empty or none.</summary>
    [Fact]
    public void WhatIsWrittenIsReadAsItWas()
    {
        Dictionary<string, Tensor> values = new()
        {
            ["float"] = Tensor.Of<float>([0.1f, -2, float.MaxValue, float.Epsilon, 1e20f, 1 / 3f], 1, 2, 3),
            ["double"] = Tensor.Of<double>([0.1, double.MaxValue, double.Epsilon], 3),
            ["half"] = Tensor.Of<Half>([(Half)0.1f, Half.MaxValue, Half.Epsilon], 1, 3),
            ["bfloat"] = new Tensor(ElementType.BFloat16, [2], MemoryMarshal.AsBytes<ushort>([0x3DCD, 0xFF7F]).ToArray()),
            ["int64"] = Tensor.Of<long>([long.MinValue, long.MaxValue], 2),
            ["uint64"] = Tensor.Of<ulong>([0, ulong.MaxValue], 2),
            ["int8"] = Tensor.Of<sbyte>([-128, 127], 2),
            ["uint8"] = Tensor.Of<byte>([0, 255], 1, 2),
            ["bool"] = Tensor.Of<bool>([true, false], 2),
            ["scalar"] = Tensor.Scalar(7L),
            ["empty"] = Tensor.Of<float>([], 1, 0, 4),
        };
        InputDeclaration[] inputs = [.. values.Select(v => new InputDeclaration(v.Key, new TensorType(v.Value.ElementType, [.. v.Value.Shape.Select(Dimension.Of)])))];
        using (FileStream file = File.Create(folder.Combine("s.jsonl")))
        {
            SampleWriter.Write(new Sample("s", values, null) { Fields = new Dictionary<string, Tensor> { ["label"] = Tensor.Of<long>([3], 1) } }, file);
        }

        Sample read = Assert.Single(SampleReader.Read(folder.Combine("s.jsonl"), "s.jsonl", inputs, "label", null));
        Assert.All(values, v =>
        {
            Assert.Equal(v.Value.ElementType, read.Inputs[v.Key].ElementType);
            Assert.Equal(v.Value.Shape, read.Inputs[v.Key].Shape);
            Assert.Equal(v.Value.Bytes.ToArray(), read.Inputs[v.Key].Bytes.ToArray());
        });
        Assert.Equal([3L], read.Label!.Values<long>());
    }

    [Fact]
    public void InfiniteNumbersHaveNoForm()
    {
        var sample = new Sample("m.npz[3]", new Dictionary<string, Tensor> { ["mask"] = Tensor.Of<float>([0, float.NegativeInfinity], 2) }, null);
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => SampleWriter.Write(sample, Stream.Null)).Diagnostic;
        Assert.Equal((Codes.DataNotFinite, "m.npz[3]"), (error.Code, error.Place.File));
    }
}
