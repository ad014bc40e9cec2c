using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using CsCheck;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Data;

public class NumpyTests
{
    private static readonly InputDeclaration[] X = [new("x", new TensorType(ElementType.Float, null))];

    [Fact]
    public void Rows_of_an_archive_become_samples()
    {
        InputDeclaration[] inputs = [.. X, new("rate", new TensorType(ElementType.Int64, []))];
        byte[] archive = Archive(
            ("x.npy", Npy("<f4", "(3, 1, 2)", Bytes<float>(1, 2, 3, 4, 5, 6))),
            ("rate.npy", Npy("<i8", "(3,)", Bytes<long>(7, 8, 9))),
            ("label.npy", Npy("<i4", "(3, 1)", Bytes(0, 1, 2))),
            ("other.npy", [1, 2, 3]),
            ("readme.txt", [4]));

        IReadOnlyList<Sample> samples = Read("data.npz", archive, inputs, "label", 2);

        Assert.Equal(["data.npz[0]", "data.npz[1]"], samples.Select(sample => sample.Id));
        Assert.Equal([1, 2], samples[1].Inputs["x"].Shape);
        Assert.Equal([3f, 4], samples[1].Inputs["x"].Values<float>().ToArray());
        Assert.Empty(samples[1].Inputs["rate"].Shape);
        Assert.Equal([8L], samples[1].Inputs["rate"].Values<long>().ToArray());
        Assert.Equal([1], samples[1].Label!.Shape);
        Assert.Equal([1L], samples[1].Label!.Values<long>().ToArray());
        Assert.Equal(3, Read("data.npz", archive, inputs, "label").Count);
    }

    [Fact]
    public void A_single_array_is_the_only_input()
    {
        IReadOnlyList<Sample> samples = Read("data.npy", Npy("<f4", "(2, 1)", Bytes<float>(1, 2)), X);

        Assert.Equal([1f, 2], samples.Select(sample => sample.Inputs["x"].Values<float>()[0]));
        Assert.Contains("the label 'label' is missing", Fails("data.npy", Npy("<f4", "(2, 1)", Bytes<float>(1, 2)), "label").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_version_and_type_is_read()
    {
        foreach (byte version in new byte[] { 1, 2, 3 })
            Assert.Equal([1.5f], Values(Npy("<f4", "(1, 1)", Bytes(1.5f), version)));
        Assert.Equal([1.5f], Values(Npy("=f4", "(1, 1)", Bytes(1.5f))));
        Assert.Equal([1.5f], Values(Npy("<f2", "(1, 1)", Bytes((Half)1.5))));
        Assert.Equal([1.5f, float.NegativeInfinity], Values(Npy("<f8", "(1, 2)", Bytes(1.5, double.NegativeInfinity))));
        Assert.Equal([-1f, 127], Values(Npy("|i1", "(1, 2)", [0xFF, 127])));
        Assert.Equal([255f], Values(Npy("|u1", "(1, 1)", [255])));
        Assert.Equal([-2f], Values(Npy("<i2", "(1, 1)", Bytes<short>(-2))));
        Assert.Equal([65535f], Values(Npy("<u2", "(1, 1)", Bytes<ushort>(65535))));
        Assert.Equal([-3f], Values(Npy("<i4", "(1, 1)", Bytes(-3))));
        Assert.Equal([4e9f], Values(Npy("<u4", "(1, 1)", Bytes(4_000_000_000u))));
        Assert.Equal([-4f], Values(Npy("<i8", "(1, 1)", Bytes(-4L))));
        Assert.Equal([16f], Values(Npy("<u8", "(1, 1)", Bytes(16UL))));
        Tensor truth = Read("a.npy", Npy("|b1", "(1, 2)", [1, 0]), [new("x", new TensorType(ElementType.Bool, null))])[0].Inputs["x"];
        Assert.Equal([true, false], truth.Values<bool>().ToArray());

        static float[] Values(byte[] file) => Read("a.npy", file, X)[0].Inputs["x"].Values<float>().ToArray();
    }

    [Fact]
    public void Fortran_order_gives_the_same_rows()
    {
        float[] rowMajor = [.. Enumerable.Range(0, 2 * 3 * 4).Select(i => (float)i)];
        float[] columnMajor = new float[rowMajor.Length];
        for (int a = 0; a < 2; a++)
            for (int b = 0; b < 3; b++)
                for (int c = 0; c < 4; c++)
                    columnMajor[a + (2 * (b + (3 * c)))] = rowMajor[(((a * 3) + b) * 4) + c];

        IReadOnlyList<Sample> samples = Read("a.npy", Npy("<f4", "(2, 3, 4)", Bytes(columnMajor), fortran: true), X);

        Assert.All(samples, sample => Assert.Equal([3, 4], sample.Inputs["x"].Shape));
        Assert.Equal(rowMajor, samples.SelectMany(sample => sample.Inputs["x"].Values<float>().ToArray()));
    }

    [Theory]
    [InlineData(">f4", "(1, 1)", "the type '>f4'")]
    [InlineData("<U4", "(1, 1)", "little-endian numbers")]
    [InlineData("|O", "(1, 1)", "little-endian numbers")]
    [InlineData("<f4", "()", "its first axis has to be the sample")]
    [InlineData("<f4", "(-1, 1)", "damaged header")]
    [InlineData("<f4", "(99999999999999999999, 1)", "its first axis has to be the sample")]
    [InlineData("<f4", "(1, 4294967296, 4294967296)", "one sample less than 2 GB")]
    [InlineData("<f4", "(9223372036854775807, 4)", "its first axis has to be the sample")]
    [InlineData("<f4", "(2000000000, 1)", "ends too early")]
    [InlineData("<f4", "(1, 100000000)", "ends too early")]
    public void A_hostile_header_is_an_error(string type, string shape, string words)
    {
        Diagnostic error = Fails("a.npy", Npy(type, shape, Bytes(1f)));

        Assert.Equal((Codes.DataNotNumpy, "a.npy"), (error.Code, error.Place.File));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_without_elements_are_no_samples()
    {
        Assert.Equal(Codes.DataEmpty, Fails("a.npy", Npy("<f4", "(0, 3)", [])).Code);
        Assert.Equal(Codes.DataEmpty, Fails("a.npy", Npy("<f4", "(9000000000000000000, 0)", [])).Code);
    }

    [Fact]
    public void Arrays_that_do_not_belong_together_are_an_error()
    {
        byte[] archive = Archive(("x.npy", Npy("<f4", "(2, 1)", Bytes<float>(1, 2))), ("label.npy", Npy("<i8", "(3,)", Bytes<long>(1, 2, 3))));

        Assert.Contains("'label': found the shape [3], expected 2 samples along the first axis as in 'x'", Fails("a.npz", archive, "label").Message, StringComparison.Ordinal);
        Assert.Contains("the label 'labels' is missing; is 'label' meant? Found are 'x', 'label'", Fails("a.npz", archive, "labels").Message, StringComparison.Ordinal);
        Assert.Contains("two arrays 'x.npy'", Fails("a.npz", Archive(("x.npy", [1]), ("x.npy", [2]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_that_does_not_fit_is_named()
    {
        byte[] values = Npy("<f4", "(2, 1)", Bytes(1, float.NaN));
        Diagnostic notANumber = Fails("a.npy", values);
        Assert.Equal((Codes.DataWrongType, "a.npy[1]"), (notANumber.Code, notANumber.Place.File));
        Assert.Contains("found NaN (float), expected a number (float)", notANumber.Message, StringComparison.Ordinal);

        InputDeclaration[] integers = [new("x", new TensorType(ElementType.Int32, [Dimension.Of(2)]))];
        Assert.Contains("found 0.5 (float), expected a whole number (int32", Fails("a.npy", Npy("<f4", "(1, 2)", Bytes<float>(0.5f, 1)), inputs: integers).Message, StringComparison.Ordinal);
        Assert.Contains("found 2147483648 (int64)", Fails("a.npy", Npy("<i8", "(1, 2)", Bytes(2147483648L, 1)), inputs: integers).Message, StringComparison.Ordinal);
        Diagnostic shape = Fails("a.npy", Npy("<i4", "(1, 3)", Bytes(1, 2, 3)), inputs: integers);
        Assert.Equal((Codes.DataWrongShape, "a.npy[0]"), (shape.Code, shape.Place.File));
    }

    [Fact]
    public void A_damaged_file_is_samples_or_an_expected_error()
    {
        byte[] file = Npy("<f4", "(2, 1)", Bytes<float>(1, 2));
        byte[] archive = Archive(("x.npy", file));
        Assert.Contains("does not start like", Fails("a.npy", [.. "NOTNUMPY"u8, .. new byte[20]]).Message, StringComparison.Ordinal);
        Assert.Equal(Codes.DataNotNumpy, Fails("a.npz", [1, 2, 3]).Code);
        for (int length = 0; length < file.Length; length++)
            Assert.Equal(Codes.DataNotNumpy, Fails("a.npy", file[..length]).Code);
        Gen.Select(Gen.Bool, Gen.Int[0, int.MaxValue], Gen.Byte).Array[1, 4].Sample(changes =>
        {
            bool npz = changes[0].Item1;
            byte[] damaged = [.. npz ? archive : file];
            foreach ((_, int position, byte value) in changes)
                damaged[position % damaged.Length] = value;
            return Survives(npz ? "a.npz" : "a.npy", damaged);
        }, iter: 500);
    }

    [Theory]
    [InlineData("encoder_postnorm_relu", "input", ElementType.Int64, 4)]
    [InlineData("mobilenet_v3_small", "input", ElementType.Float, 4)]
    public void Archives_that_NumPy_wrote_are_read(string name, string input, int elementType, int count)
    {
        string path = SharedFolder.Path("gradients", name, "data.npz");

        IReadOnlyList<Sample> samples = SampleReader.Read(path, "data.npz", [new(input, new TensorType(elementType, null))], "label", null);

        Assert.Equal(count, samples.Count);
        Assert.All(samples, sample => Assert.Equal((1L, 1), (sample.Inputs[input].Shape[0], sample.Label!.Rank)));
    }

    private static bool Survives(string name, byte[] file)
    {
        try
        {
            return Read(name, file, X).Count > 0;
        }
        catch (MixedPrecisionException e)
        {
            return e.Diagnostic.Code.Id.StartsWith("MPB30", StringComparison.Ordinal);
        }
    }

    private static Diagnostic Fails(string name, byte[] file, string? labelKey = null, InputDeclaration[]? inputs = null) =>
        Assert.Throws<MixedPrecisionException>(() => Read(name, file, inputs ?? X, labelKey)).Diagnostic;

    private static IReadOnlyList<Sample> Read(string name, byte[] file, InputDeclaration[] inputs, string? labelKey = null, int? maximum = null)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.Combine(name), file);
        return SampleReader.Read(folder.Combine(name), name, inputs, labelKey, maximum);
    }

    internal static byte[] Bytes<T>(params T[] values)
        where T : unmanaged => MemoryMarshal.AsBytes<T>(values).ToArray();

    internal static byte[] Npy(string type, string shape, byte[] data, byte version = 1, bool fortran = false)
    {
        string text = $"{{'descr': '{type}', 'fortran_order': {(fortran ? "True" : "False")}, 'shape': {shape}, }}\n";
        byte[] length = new byte[version == 1 ? 2 : 4];
        if (version == 1)
            BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)text.Length);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)text.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. Encoding.ASCII.GetBytes(text), .. data];
    }

    internal static byte[] Archive(params (string Name, byte[] Content)[] files)
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in files)
            {
                using Stream entry = archive.CreateEntry(name).Open();
                entry.Write(content);
            }
        }

        return stream.ToArray();
    }
}
