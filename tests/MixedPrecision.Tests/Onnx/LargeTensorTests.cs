using System.Globalization;
using System.Runtime.InteropServices;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Onnx;

/// <summary>
/// A model with a table of a little more than 2 GiB in a file that is nearly all holes: ids → rows of the table → a layer (→ a layer whose weight is the table, if so wanted).
/// </summary>
public sealed class LargeTensorTests : IDisposable
{
    private const int Width = 64;
    private const long Rows = 8_400_000;
    private const long Bytes = Rows * Width * 4;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>The whole way, but for what measures: read, typed, divided, cut out, run, hashed, emitted and run again.</summary>
    [Fact]
    public void ATableThatNoLayerNeedsIsCarriedAlongUnread()
    {
        using OnnxModel model = Model(hasLargeLayer: false);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        LayerSite site = LayerModels.SiteOf(model, partition, types, Assert.Single(partition.Layers));
        Assert.Equal(Bytes, ModelFiles.Bytes(model, folder.Combine("model.onnx")) - new FileInfo(folder.Combine("model.onnx")).Length);
        string hash = ModelFiles.Hash(model, ModelFiles.HashOf([folder.Combine("model.onnx")]));

        int[] all = [.. Enumerable.Range(0, partition.View.Nodes.Count)];
        ExtractedSubgraph cut = Extraction.Extract(model, partition, types, all, new ExtractionOptions(WeightsAsInputs: true));
        Assert.Equal(["w"], cut.Weights);
        CanonicalSubgraph canonical = Extraction.Canonical(model, partition, types, all);
        Assert.Single(canonical.Extracted.Weights);
        var fed = new Dictionary<string, Tensor> { ["ids"] = Tensor.Of<long>([0, 1, Rows - 1], 1, 3), ["w"] = model.Initializer("w")! };
        float[] expected = Run(cut.Model, fed, "y"), ofFile = RunFile(folder.Combine("model.onnx"), fed);
        Assert.Equal(ofFile, expected);
        Assert.NotEqual(0, expected[0]);
        Assert.Equal(ofFile, Run(canonical.Extracted.Model, fed.ToDictionary(f => canonical.Originals.Single(o => o.Value == f.Key).Key, f => f.Value), canonical.Extracted.Outputs[0]));

        string path = Path.Combine(Directory.CreateDirectory(folder.Combine("out")).FullName, "emitted.onnx");
        IReadOnlyList<string> files = Quantizer.Write(model, [(site, NumberFormats.Get("int8-weight"))], name => Weights.Read(model, partition.View, name)!, path);
        Assert.InRange(new FileInfo(files[0]).Length, Bytes, Bytes + 100_000);
        Assert.All(ofFile.Zip(RunFile(path, fed)), v => Assert.Equal(v.First, v.Second, 0.05));

        // A row in the middle counts.
        using (FileStream data = File.OpenWrite(folder.Combine("table.data")))
        {
            data.Position = Bytes / 2;
            data.WriteByte(1);
        }

        Assert.NotEqual(hash, ModelFiles.Hash(model, ModelFiles.HashOf([folder.Combine("model.onnx")])));
    }

    /// <summary>Where the table lies does not change what is computed: equal structures share timings.</summary>
    [Fact]
    public void TheFingerprintDoesNotHoldTheLocation()
    {
        using OnnxModel model = Model(hasLargeLayer: false);
        string before = Fingerprint(model);
        TensorProto table = model.Graph.Initializer.Single(t => t.Name == "table");
        File.Move(folder.Combine("table.data"), folder.Combine("moved.data"));
        table.ExternalData.Single(e => e.Key == "location").Value = "moved.data";
        Assert.Equal(before, Fingerprint(model));
        table.Dims[0]--;
        table.ExternalData.Single(e => e.Key == "length").Value = (Bytes - (Width * 4)).ToString(CultureInfo.InvariantCulture);
        Assert.NotEqual(before, Fingerprint(model));
    }

    [Fact]
    public void ALayerWithSuchAWeightIsLeftAlone()
    {
        using OnnxModel model = Model(hasLargeLayer: true);
        Partition partition = Partitioner.Partition(model, TypeInference.Infer(model));
        Assert.Single(partition.Layers);
        Assert.Contains(partition.Excluded, e => e is { Operator: "Gemm", Reason: "its weight takes more than 2 GB as float" });
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Weights.Read(model, partition.View, "table")).Diagnostic;
        Assert.Equal((Codes.TensorTooLarge, "table"), (error.Code, error.Place.Tensor));
    }

    [Theory]
    [InlineData(ElementType.Float, 1L << 29, true)]
    [InlineData(ElementType.Float, (1L << 29) - 1, false)]
    [InlineData(ElementType.BFloat16, 1L << 29, true)] // as float
    [InlineData(ElementType.Float16, (1L << 29) - 1, false)]
    [InlineData(ElementType.Int4, 1L << 30, false)]
    [InlineData(ElementType.String, 1L << 40, false)]
    public void HalfPrecisionCountsAsFloat(int elementType, long count, bool isTooLarge) =>
        Assert.Equal(isTooLarge, TensorProtos.IsTooLargeToRead(new TensorProto { DataType = elementType, Dims = { count } }));

    private static string Fingerprint(OnnxModel model) => new CanonicalForm(model, new GraphView(model.Graph), TypeInference.Infer(model)).Fingerprint([0, 1]);

    private float[] Run(ModelProto model, Dictionary<string, Tensor> inputs, string output)
    {
        using Session session = Session.Create(model, SessionSettings.Plain, folder.Path);
        return session.Run(inputs)[output].Values<float>().ToArray();
    }

    private static float[] RunFile(string path, Dictionary<string, Tensor> inputs)
    {
        using Session session = Session.Open(path, SessionSettings.Plain);
        return session.Run(inputs)["y"].Values<float>().ToArray();
    }

    private OnnxModel Model(bool hasLargeLayer)
    {
        using (FileStream data = File.Create(folder.Combine("table.data")))
        {
            data.SetLength(Bytes);
            data.Write(MemoryMarshal.AsBytes<float>([.. Enumerable.Range(0, Width).Select(i => i * 0.01f)]));
        }

        var table = new TensorProto { Name = "table", DataType = ElementType.Float, Dims = { Rows, Width }, DataLocation = 1 };
        table.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = "table.data" });
        table.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = Bytes.ToString(CultureInfo.InvariantCulture) });
        var graph = new GraphProto { Name = "large" };
        graph.Input.Add(new TensorType(ElementType.Int64, [new Dimension(null, "batch"), new Dimension(null, "length")]).ToProto("ids"));
        graph.Initializer.Add(table);
        graph.Initializer.Add(Tensor.Of<float>([.. Enumerable.Range(0, Width * Width).Select(i => ((i % 13) - 6) * 0.1f)], Width, Width).ToProto("w"));
        graph.Node.Add(new NodeProto { OpType = "Gather", Name = "take", Input = { "table", "ids" }, Output = { "x" } });
        graph.Node.Add(new NodeProto { OpType = "MatMul", Name = "layer", Input = { "x", "w" }, Output = { "y" } });
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("y"));
        if (hasLargeLayer)
        {
            graph.Initializer.Add(Tensor.Of<long>([-1, Width], 2).ToProto("flat"));
            graph.Node.Add(new NodeProto { OpType = "Reshape", Input = { "y", "flat" }, Output = { "rows" } });
            graph.Node.Add(new NodeProto { OpType = "Gemm", Name = "head", Input = { "rows", "table" }, Output = { "z" }, Attribute = { Attributes.Of("transB", 1) } });
            graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("z"));
        }

        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        File.WriteAllBytes(folder.Combine("model.onnx"), Google.Protobuf.MessageExtensions.ToByteArray(proto));
        return OnnxModel.Load(folder.Combine("model.onnx"));
    }
}
