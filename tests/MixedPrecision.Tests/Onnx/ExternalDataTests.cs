using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Onnx;

/// <summary>External data is found, hashed, listed and copied wherever a model has it.</summary>
public sealed class ExternalDataTests : IDisposable
{
    private readonly ExternalModel external = new();
    private readonly TemporaryFolder elsewhere = new();

    public static TheoryData<string, string> Places => [.. ExternalModel.Places];

    public void Dispose()
    {
        external.Dispose();
        elsewhere.Dispose();
    }

    [Fact]
    public void EveryPlaceIsFound()
    {
        using OnnxModel model = OnnxModel.Load(external.Path);
        Assert.Equal(ExternalModel.Places.Select(p => p.Tensor).Order(), ModelTensors.External(model.Proto).Select(t => t.Name).Order());
    }

    [Fact]
    public void EveryFileIsListedAndEveryByteCounted()
    {
        using OnnxModel model = OnnxModel.Load(external.Path);
        string[] files = [.. new[] { "more/constants.data", "sparse.data", "tables.data", "weights.data" }.Select(f => external[f])];
        Assert.Equal(files, ModelFiles.External(model));
        Assert.Equal(new FileInfo(external.Path).Length + files.Sum(f => new FileInfo(f).Length), ModelFiles.Bytes(model, external.Path));
    }

    [Fact]
    public void RepeatedAndSparseAttributesAreFoundToo()
    {
        static TensorProto Tensor(string name) => new() { Name = name, DataLocation = 1 };
        var node = new NodeProto { OpType = "Own", Domain = "own" };
        node.Attribute.Add(new AttributeProto { Name = "several", Tensors = { Tensor("a"), Tensor("b") } });
        node.Attribute.Add(new AttributeProto { Name = "sparse", SparseTensor = new SparseTensorProto { Values = Tensor("c"), Indices = Tensor("d") } });
        node.Attribute.Add(new AttributeProto { Name = "sparses", SparseTensors = { new SparseTensorProto { Values = Tensor("e") } } });
        node.Attribute.Add(new AttributeProto { Name = "graphs", Graphs = { new GraphProto { Initializer = { Tensor("f") } } } });
        var function = new FunctionProto { AttributeProto = { new AttributeProto { Name = "default", T = Tensor("g") } } };
        var model = new ModelProto { Graph = new GraphProto { Node = { node } }, Functions = { function } };
        Assert.Equal(["a", "b", "c", "d", "e", "f", "g"], ModelTensors.External(model).Select(t => t.Name));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void AChangedByteChangesTheHash(string tensor, string file)
    {
        string before = Hash();
        Assert.Equal(before, Hash());
        using (FileStream stream = File.OpenWrite(external[file]))
        {
            stream.Position = external.OffsetOf(tensor);
            stream.WriteByte(0x55);
        }

        Assert.NotEqual(before, Hash());
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void AMissingFileIsNamed(string tensor, string file)
    {
        File.Delete(external[file]);
        using OnnxModel model = OnnxModel.Load(external.Path);
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => ModelFiles.External(model)).Diagnostic;
        Assert.Equal(Codes.ExternalDataMissing, error.Code);
        Assert.Contains(ExternalModel.Places, p => p.Tensor == error.Place.Tensor && p.File == file);
        Assert.NotEmpty(tensor);
    }

    /// <summary>The emitted files stand alone in another folder, and a second run writes the same bytes.</summary>
    [Theory]
    [InlineData("fp32")]
    [InlineData("int8-weight")]
    public void TheEmittedModelRunsWithoutTheOriginal(string format)
    {
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>([.. Enumerable.Range(0, 2 * ExternalModel.Width).Select(i => i * 0.1f)], 2, ExternalModel.Width) };
        IReadOnlyList<string> first = Emit(format, "model.mixed.onnx"), second = Emit(format, "again/model.mixed.onnx");
        Assert.Equal(["model.mixed.onnx.data", "model.mixed.onnx"], first.Select(f => Path.GetFileName(f)));
        Assert.All(first.Zip(second), f => Assert.Equal(File.ReadAllBytes(f.First), File.ReadAllBytes(f.Second)));

        float[] expected = Run(external.Path, inputs);
        Directory.Move(Path.GetDirectoryName(external.Path)!, elsewhere.Combine("moved"));
        Directory.CreateDirectory(Path.GetDirectoryName(external.Path)!);
        float[] found = Run(first[^1], inputs);
        Assert.All(expected.Zip(found), v => Assert.Equal(v.First, v.Second, format == "fp32" ? 0 : 0.2));
        using OnnxModel emitted = OnnxModel.Load(first[^1]);
        Assert.Equal(first[0], Assert.Single(ModelFiles.External(emitted)));
        Assert.Equal(format == "fp32", ModelTensors.External(emitted.Proto).Any(t => t.Name == "weight"));
        Assert.NotEqual(expected[0], expected[1]);
    }

    /// <summary>Tensors that point to the same bytes point to the same bytes in the emitted file.</summary>
    [Fact]
    public void SharedBytesAreCopiedOnce()
    {
        using OnnxModel model = OnnxModel.Load(external.Path);
        TensorProto twin = model.Graph.Initializer[0].Clone();
        twin.Name = "twin";
        model.Graph.Initializer.Add(twin);
        IReadOnlyList<string> files = Quantizer.Write(model, [], _ => throw new InvalidOperationException(), elsewhere.Combine("shared.onnx"));
        using OnnxModel emitted = OnnxModel.Load(files[^1]);
        TensorProto[] same = [.. emitted.Graph.Initializer.Where(t => t.Name is "weight" or "twin")];
        Assert.Equal(emitted.External.Locate(same[0]), emitted.External.Locate(same[1]));
    }

    /// <summary>Constants that are added to a model with external data go there too: a model's own file takes no more than 2 GB.</summary>
    [Fact]
    public void LargeNewConstantsAreExternalToo()
    {
        using var folder = new TemporaryFolder();
        ModelProto proto = LayerModels.MatMul(4, 128, 64);
        File.WriteAllBytes(folder.Combine("w.data"), proto.Graph.Initializer[0].RawData.ToByteArray());
        proto.Graph.Initializer[0].ClearRawData();
        proto.Graph.Initializer[0].DataLocation = 1;
        proto.Graph.Initializer[0].ExternalData.Add(new StringStringEntryProto { Key = "location", Value = "w.data" });
        using var model = new OnnxModel(proto, folder.Path, "model");
        IReadOnlyList<string> files = Write(model, "int8-weight", elsewhere.Combine("large.onnx"));
        using OnnxModel emitted = OnnxModel.Load(files[^1]);
        Assert.DoesNotContain(emitted.Graph.Initializer, t => t.RawData.Length >= 4096);
        Assert.Contains(ModelTensors.External(emitted.Proto), t => t.Dims.Aggregate(1L, (a, b) => a * b) == 128 * 64);
        Session.Open(files[^1], SessionSettings.Default).Dispose();
    }

    private static float[] Run(string path, Dictionary<string, Tensor> inputs)
    {
        using Session session = Session.Open(path, SessionSettings.Plain);
        return session.Run(inputs)["y"].Values<float>().ToArray();
    }

    private string Hash()
    {
        using OnnxModel model = OnnxModel.Load(external.Path);
        return ModelFiles.Hash(model, ModelFiles.HashOf([external.Path]));
    }

    private IReadOnlyList<string> Emit(string format, string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(elsewhere.Combine(file))!);
        using OnnxModel model = OnnxModel.Load(external.Path);
        return Write(model, format, elsewhere.Combine(file));
    }

    private static IReadOnlyList<string> Write(OnnxModel model, string format, string path)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        LayerSite site = LayerModels.SiteOf(model, partition, types, Assert.Single(partition.Layers));
        Assert.Null(NumberFormats.Get(format).WhyNot(site));
        return Quantizer.Write(model, [(site, NumberFormats.Get(format))], name => Weights.Read(model, partition.View, name)!, path);
    }
}
