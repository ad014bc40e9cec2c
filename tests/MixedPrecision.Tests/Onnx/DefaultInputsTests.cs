using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Onnx;

/// <summary>Initializers that are inputs too, and the interface of emitted models: what an app feeds and reads stays as it was.</summary>
public sealed class DefaultInputsTests : IDisposable
{
    private const string Reason = "its weight is an input of the model with a default value, which an app may replace";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> RealModels => [.. SharedFolder.Models, "ultraface"];

    /// <summary>The form of y = x·w + x·v and how it lists w and v: in its file, in the emitted file; the layers that are left alone.</summary>
    [Theory]
    [InlineData("", 8, false, "x", "x", "")]
    [InlineData("w v", 8, false, "x w v", "x", "")]
    [InlineData("w v", 4, false, "x w v", "x", "")]
    [InlineData("w v", 3, false, "x w v", "x", "")]
    [InlineData("w v", 3, true, "x w v", "x", "")]
    [InlineData("v", 8, false, "x v", "x v", "v")]
    [InlineData("w", 8, true, "x w", "x w", "w")]
    [InlineData("w v", 8, true, "x w v", "x w v", "w v")]
    public void AreKeptWhereTheyAreAnInterface(string listed, int version, bool keep, string before, string after, string alone)
    {
        string original = Save(TwoReaders(listed, version));
        using OnnxModel model = OnnxModel.Load(original, null, keep);
        Assert.Equal(before, string.Join(' ', ModelProto.Parser.ParseFrom(File.ReadAllBytes(original)).Graph.Input.Select(i => i.Name)));
        (string emitted, Partition partition) = Emit(model);
        ModelProto proto = ModelProto.Parser.ParseFrom(File.ReadAllBytes(emitted));
        Assert.Equal(after, string.Join(' ', proto.Graph.Input.Select(i => i.Name)));
        Assert.Equal(alone.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length, partition.Excluded.Count);
        Assert.All(partition.Excluded, e => Assert.Equal(Reason, e.Reason));
        Assert.Equal(alone, string.Join(' ', proto.Graph.Initializer.Select(i => i.Name).Where(n => n is "w" or "v")));
        Assert.Equal(version >= 4 && listed == "w v" && !keep, model.DefaultsNote is not null);
        AssertSameInterface(original, emitted, isHabit: after == "x");
    }

    /// <summary>What an app feeds in place of a default reaches the emitted model.</summary>
    [Fact]
    public void AnAppCanStillReplaceADefault()
    {
        string original = Save(TwoReaders("v", 8));
        using OnnxModel model = OnnxModel.Load(original);
        (string emitted, _) = Emit(model);
        float[] zeros = new float[32 * 16], x = [.. Enumerable.Range(0, 4 * 32).Select(i => (i % 7) * 0.1f)];
        float[][] results = [.. new[] { original, emitted }.Select(file =>
        {
            using var session = new InferenceSession(file);
            using OrtValue fed = OrtValue.CreateTensorValueFromMemory(x, [4, 32]), replaced = OrtValue.CreateTensorValueFromMemory(zeros, [32, 16]);
            using var results = session.Run(new RunOptions(), ["x", "v"], [fed, replaced], ["y"]);
            return results[0].GetTensorDataAsSpan<float>().ToArray();
        })];
        Assert.All(results[0].Zip(results[1]), r => Assert.Equal(r.First, r.Second, 0.1));
        using Session plain = Session.Open(original, SessionSettings.Plain);
        Assert.NotEqual(plain.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(x, 4, 32) })["y"].Values<float>()[0], results[0][0], 0.01);
    }

    /// <summary>A weight that is computed from a default is one as well.</summary>
    [Fact]
    public void AWeightBehindATransposeIsLeftAloneToo()
    {
        ModelProto proto = TwoReaders("v", 8);
        proto.Graph.Node.Insert(0, new NodeProto { OpType = "Transpose", Input = { "v" }, Output = { "turned" } });
        proto.Graph.Node.Insert(1, new NodeProto { OpType = "Transpose", Input = { "turned" }, Output = { "again" } });
        proto.Graph.Node.Single(n => n.Input.Contains("v") && n.OpType == "MatMul").Input[1] = "again";
        using OnnxModel model = OnnxModel.Load(Save(proto));
        Assert.Equal(Reason, Assert.Single(Partitioner.Partition(model, TypeInference.Infer(model)).Excluded).Reason);
    }

    [Theory]
    [MemberData(nameof(RealModels))]
    public void RealModelsKeepTheirInterface(string name)
    {
        string original = SharedFolder.Model(name);
        using OnnxModel model = OnnxModel.Load(original);
        AssertSameInterface(original, Emit(model).Emitted, isHabit: name == "ultraface");
    }

    /// <summary>All layers that can be are rewritten, so that weights are dropped.</summary>
    private (string Emitted, Partition Partition) Emit(OnnxModel model)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        NumberFormat format = NumberFormats.Get("int8-weight");
        (LayerSite, NumberFormat)[] assignments = [.. partition.Layers.Select(l => LayerModels.SiteOf(model, partition, types, l)).Where(s => format.WhyNot(s) is null).Select(s => (s, format))];
        IReadOnlyList<string> files = Quantizer.Write(model, assignments, weight => Weights.Read(model, partition.View, weight)!, folder.Combine("emitted.onnx"));
        return (files[^1], partition);
    }

    private static void AssertSameInterface(string original, string emitted, bool isHabit)
    {
        using var before = new InferenceSession(original);
        using var after = new InferenceSession(emitted);
        Assert.Equal(Declared(before.InputNames, before.InputMetadata), Declared(after.InputNames, after.InputMetadata));
        Assert.Equal(Declared(before.OutputNames, before.OutputMetadata), Declared(after.OutputNames, after.OutputMetadata));
        Assert.Equal(isHabit ? [] : before.OverridableInitializerMetadata.Keys, after.OverridableInitializerMetadata.Keys);

        // What the runtime does not show, such as doc strings, stays too.
        GraphProto from = ModelProto.Parser.ParseFrom(File.ReadAllBytes(original)).Graph, to = ModelProto.Parser.ParseFrom(File.ReadAllBytes(emitted)).Graph;
        Assert.Equal(from.Output, to.Output);
        Assert.Equal(from.Input.Where(i => !isHabit || from.Initializer.All(t => t.Name != i.Name)), to.Input);
    }

    private static string[] Declared(IEnumerable<string> names, IReadOnlyDictionary<string, NodeMetadata> types) =>
        [.. names.Select(n => $"{n} {types[n].OnnxValueType} {(types[n].IsTensor ? $"{types[n].ElementDataType} [{string.Join(", ", types[n].Dimensions)}] [{string.Join(", ", types[n].SymbolicDimensions)}]" : "")}")];

    private static ModelProto TwoReaders(string listed, int version)
    {
        ModelProto proto = LayerModels.TwoReaders();
        proto.IrVersion = version;
        foreach (string name in listed.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            proto.Graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(32), Dimension.Of(16)]).ToProto(name));
        }

        return proto;
    }

    private string Save(ModelProto proto)
    {
        string file = folder.Combine("original.onnx");
        File.WriteAllBytes(file, proto.ToByteArray());
        return file;
    }
}
