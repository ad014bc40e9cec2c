using System.Runtime.InteropServices;
using CsCheck;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Onnx;

/// <summary>The parser of files against the one of Protocol Buffers.</summary>
public class ModelParserTests
{
    private static readonly byte[] Model = File.ReadAllBytes(RepositoryRoot.Path("samples/DocArea/model.onnx"));

    [Fact]
    public void ContentsOfInitializersStayInTheFile()
    {
        ModelProto parsed = ModelParser.Parse(Model);
        Assert.Equal(ModelProto.Parser.ParseFrom(Model), parsed);
        Assert.All(parsed.Graph.Initializer.Where(t => t.HasRawData && t.RawData.Length > 0), t =>
            Assert.True(MemoryMarshal.TryGetArray(t.RawData.Memory, out ArraySegment<byte> segment) && ReferenceEquals(Model, segment.Array), t.Name));
    }

    /// <summary>As the specification of Protocol Buffers has it: of a field that stands twice messages are merged and the last of other values holds, and fields may stand in any order.</summary>
    [Fact]
    public void FieldsInAnyOrderAndTwiceAreMerged()
    {
        byte[] first = new ModelProto { Graph = new GraphProto { Name = "first", Initializer = { new TensorProto { Name = "a", RawData = ByteString.CopyFromUtf8("one"), Dims = { 3 } } } } }.ToByteArray();
        byte[] second = new ModelProto { IrVersion = 8, Graph = new GraphProto { Name = "second", Initializer = { new TensorProto { Name = "b", Dims = { 7 }, DocString = "after" } } } }.ToByteArray();
        byte[] both = [.. first, .. second];
        ModelProto parsed = ModelParser.Parse(both);
        Assert.Equal(ModelProto.Parser.ParseFrom(both), parsed);
        Assert.Equal(["a", "b"], parsed.Graph.Initializer.Select(t => t.Name));
    }

    /// <summary>Whatever is wrong with a file, it is what the library makes of it: the same message, or no message.</summary>
    [Fact]
    public void DamagedFilesAreWhatTheyAreToTheLibrary()
    {
        byte[] small = new ModelProto
        {
            IrVersion = 8,
            Graph = new GraphProto
            {
                Name = "g",
                Node = { new NodeProto { OpType = "Add", Input = { "x", "w" }, Output = { "y" } } },
                Initializer = { new TensorProto { Name = "w", DataType = ElementType.Float, Dims = { 2 }, RawData = ByteString.CopyFrom(new byte[8]) }, new TensorProto { Name = "v", FloatData = { 1, 2 } } },
            },
        }.ToByteArray();
        Gen.Select(Gen.Int[0, small.Length], Gen.Select(Gen.Int[0, small.Length - 1], Gen.Byte).Array[0, 3]).Sample(
            (length, changes) =>
            {
                byte[] damaged = [.. small];
                foreach ((int at, byte value) in changes)
                {
                    damaged[at] = value;
                }

                damaged = damaged[..length];
                Assert.Equal(Parsed(ModelProto.Parser.ParseFrom, damaged), Parsed(ModelParser.Parse, damaged));
            },
            seed: "0000KOIPe036", iter: 20_000, threads: 1);
    }

    private static ModelProto? Parsed(Func<byte[], ModelProto> parse, byte[] file)
    {
        try
        {
            return parse(file);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
