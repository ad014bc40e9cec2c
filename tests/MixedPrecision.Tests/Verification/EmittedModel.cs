using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;

namespace MixedPrecision.Tests.Verification;

/// <summary>A model on disk, as the original and emitted by a plan: unless another is given, a classifier of two layers, y = relu(x V + b) W.</summary>
internal sealed class EmittedModel : IDisposable
{
    public const int Inputs = 32;
    public const int Classes = 32;

    private readonly TemporaryFolder folder = new();

    public EmittedModel(params string[] formats)
        : this(Build(), formats)
    {
    }

    /// <param name="formats">One for each layer; a single one: for all to which it applies.</param>
    public EmittedModel(ModelProto model, params string[] formats)
        : this(model, formats, withEmbeddings: false)
    {
    }

    /// <param name="withEmbeddings">Whether tables to look up in are layers.</param>
    public EmittedModel(ModelProto model, string[] formats, bool withEmbeddings)
    {
        Original = folder.Combine("model.onnx");
        Mixed = folder.Combine("model.mixed.onnx");
        using (FileStream stream = File.Create(Original))
        {
            Google.Protobuf.MessageExtensions.WriteTo(model, stream);
        }

        Model = OnnxModel.Load(Original);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(Model);
        if (types.Values.Any(t => t.Shape is null && t.ElementType != 0))
        {
            types = TypeInference.Complete(Model, types, SyntheticInputs.Make(Model, Original, new Dictionary<string, long>(), 1).Samples[0].Inputs);
        }

        Partition partition = Partition = Partitioner.Partition(Model, types, withEmbeddings);
        Weight = name => Weights.Read(Model, partition.View, name)!;
        LayerSite[] sites = [.. partition.Layers.Select(l => LayerSite.Of(Model, partition.View, types, l))];
        Plan = [.. sites.Select((site, i) => (site, NumberFormats.Get(formats.Length > 1 ? formats[i] : formats[0]))).Select(
            p => formats.Length > 1 || p.Item2.WhyNot(p.site) is null ? p : (p.site, NumberFormats.Baseline))];
        Quantizer.Write(Model, Plan, Weight, Mixed);
    }

    public OnnxModel Model { get; }

    public Partition Partition { get; }

    public string Original { get; }

    public string Mixed { get; }

    public Func<string, Tensor> Weight { get; }

    public IReadOnlyList<(LayerSite Site, NumberFormat Format)> Plan { get; }

    public IReadOnlyList<RewrittenLayer> Check() => MixedPrecision.Verification.Conformance.Check(Model, Mixed, Plan, Weight);

    /// <summary>Changes the emitted file.</summary>
    public void Edit(Action<ModelProto> edit)
    {
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Mixed));
        edit(model);
        File.WriteAllBytes(Mixed, Google.Protobuf.MessageExtensions.ToByteArray(model));
    }

    public void Dispose()
    {
        Model.Dispose();
        folder.Dispose();
    }

    private static ModelProto Build()
    {
        var random = new Random(9);
        Tensor Values(params long[] shape) => Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => random.NextSingle() - 0.5f)], shape);
        var builder = new GraphBuilder(["x", "logits"]);
        string hidden = builder.Node("Relu", [builder.Add(builder.MatMul("x", builder.Constant(Values(Inputs, 64))), builder.Constant(Values(64)))]);
        builder.NodeTo(["logits"], "MatMul", "", [hidden, builder.Constant(Values(64, Classes))]);
        var graph = new GraphProto { Name = "classifier" };
        builder.AppendTo(graph);
        graph.Input.Add(new TensorType(ElementType.Float, [new(null, "batch"), Dimension.Of(Inputs)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [new(null, "batch"), Dimension.Of(Classes)]).ToProto("logits"));
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        return model;
    }
}
