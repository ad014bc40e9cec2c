using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Tests.Partitioning;

namespace MixedPrecision.Tests.Onnx;

/// <summary>Models are untrusted: a damaged one gives an error with a code and nothing else.</summary>
public class HostileModelTests
{
    [Fact]
    public void EveryTruncationIsAModelOrAnErrorWithACode()
    {
        byte[] bytes = Small();
        int refused = 0;
        for (int length = 0; length < bytes.Length; length++)
        {
            refused += IsRefused(bytes.AsSpan(0, length)) ? 1 : 0;
        }

        // What is cut between two fields may still be a model; nearly everything else is none.
        Assert.InRange(refused, bytes.Length * 9 / 10, bytes.Length);
        Assert.False(IsRefused(bytes));
    }

    [Fact]
    public void FlippedBytesGiveAModelOrAnErrorWithACode()
    {
        byte[] bytes = Small();
        var random = new Random(1);
        int refused = 0;
        for (int trial = 0; trial < 2000; trial++)
        {
            byte[] damaged = [.. bytes];
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            refused += IsRefused(damaged) ? 1 : 0;
        }

        Assert.InRange(refused, 100, 1999);
    }

    [Fact]
    public void GraphsInGraphsBeyondAnyUseAreRefused()
    {
        var graph = new GraphProto { Name = "innermost" };
        byte[] nested = graph.ToByteArray();
        for (int depth = 0; depth < 2000; depth++)
        {
            // Written by hand: the message classes would run out of stack. GraphProto.node (1) { attribute (5) { g (6) } }.
            nested = Field(1, Field(5, Field(6, nested)));
        }

        byte[] model = [.. Field(7, nested), .. new ModelProto { OpsetImport = { new OperatorSetIdProto { Version = 17 } } }.ToByteArray()];
        Assert.Equal(Codes.ModelNotOnnx, Refusal(model)!.Code);
    }

    [Theory]
    [InlineData("cycle")]
    [InlineData("missing input")]
    [InlineData("defined twice")]
    [InlineData("computes an initializer")]
    [InlineData("two initializers")]
    public void AGraphThatIsNoneIsRefused(string fault)
    {
        ModelProto model = ModelProto.Parser.ParseFrom(Small());
        GraphProto graph = model.Graph;
        switch (fault)
        {
            case "cycle":
                graph.Node[0].Input[0] = graph.Node[^1].Output[0];
                break;
            case "missing input":
                graph.Node[0].Input[0] = "nowhere";
                break;
            case "defined twice":
                graph.Node.Add(graph.Node[0].Clone());
                break;
            case "computes an initializer":
                graph.Node[^1].Output.Add(graph.Initializer[0].Name);
                break;
            default:
                graph.Initializer.Add(graph.Initializer[0].Clone());
                break;
        }

        Assert.Equal(Codes.GraphInvalid, Refusal(model.ToByteArray())!.Code);
    }

    [Theory]
    [InlineData(ElementType.Float, long.MaxValue, 4)]
    [InlineData(ElementType.Double, 1L << 61, 1)]
    [InlineData(ElementType.Float, -1, -4)]
    [InlineData(ElementType.Float, 1L << 40, 1)]
    [InlineData(ElementType.Float, 3, 3)]
    [InlineData(99, 1, 4)]
    public void ATensorWhoseSizesDoNotFitIsRefused(int elementType, long rows, long columns)
    {
        var tensor = new TensorProto { Name = "w", DataType = elementType, RawData = ByteString.CopyFrom(new byte[16]), Dims = { rows, columns } };
        using var external = new ExternalData(Path.GetTempPath());
        var error = Assert.Throws<MixedPrecisionException>(() => TensorProtos.Read(tensor, external));
        Assert.Equal(Codes.TensorInvalid, error.Diagnostic.Code);
        Assert.Equal("w", error.Diagnostic.Place.Tensor);
    }

    private static byte[] Small()
    {
        using OnnxModel model = Graphs.Model([2, 4], b => [b.Relu(b.MatMul(b.Neg("x"), b.Weight(1, 4, 4)))]);
        return model.Proto.ToByteArray();
    }

    private static byte[] Field(int number, byte[] content)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
        {
            output.WriteTag(number, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(content));
        }

        return stream.ToArray();
    }

    private static bool IsRefused(ReadOnlySpan<byte> bytes) => Refusal(bytes) is not null;

    /// <summary>What loading, viewing and reading a model says against it; any other exception than ours fails the test.</summary>
    private static Diagnostic? Refusal(ReadOnlySpan<byte> bytes)
    {
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(file, bytes);
        try
        {
            using OnnxModel model = OnnxModel.Load(file, "hostile.onnx");
            IReadOnlyDictionary<string, TensorType> types = RandomGraph.Types(model);
            Partition partition = Partitioner.Partition(model, types);
            foreach (string initializer in model.Initializers.Keys)
            {
                Assert.NotNull(Weights.Read(model, partition.View, initializer));
            }

            return null;
        }
        catch (MixedPrecisionException e)
        {
            Assert.NotEmpty(e.Diagnostic.Code.Id);
            return e.Diagnostic;
        }
        finally
        {
            File.Delete(file);
        }
    }
}
