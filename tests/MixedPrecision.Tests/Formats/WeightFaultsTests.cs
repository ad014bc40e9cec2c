using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Formats;

public class WeightFaultsTests
{
    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "infinity")]
    [InlineData(float.NegativeInfinity, "−infinity")]
    public void AWeightThatHoldsNoNumberKeepsEveryFormatButTheBaseline(float value, string name)
    {
        ModelProto proto = LayerModels.MatMul(4, 64, 32);
        Put(proto, "w", 70, value);
        LayerSite site = Assert.Single(Sites(proto)).Value;
        Assert.Equal($"the weight 'w' holds {name} at [2, 6]", site.Fault);
        Assert.All(NumberFormats.Default, f => Assert.Equal(f == NumberFormats.Baseline ? null : site.Fault, f.WhyNot(site)));
    }

    [Fact]
    public void WeightsBehindATransposeAreLookedAtToo()
    {
        ModelProto proto = LayerModels.MatMul(4, 32, 32);
        proto.Graph.Node[0].Input[1] = "wt";
        proto.Graph.Node.Insert(0, new NodeProto { OpType = "Transpose", Input = { "w" }, Output = { "wt" } });
        Assert.Null(Assert.Single(Sites(proto)).Value.Fault);
        Put(proto, "w", 33, float.NaN);
        Assert.Equal("the weight 'wt' holds NaN at [1, 1]", Assert.Single(Sites(proto)).Value.Fault);
    }

    [Fact]
    public void FiniteWeightsAndProductsOfActivationsHaveNone()
    {
        Assert.All(Sites(LayerModels.TwoReaders()).Values, s => Assert.Null(s.Fault));
        Assert.All(Sites(LayerModels.Product()).Values, s => Assert.Null(s.Fault));
    }

    private static void Put(ModelProto model, string initializer, int index, float value)
    {
        TensorProto proto = model.Graph.Initializer.Single(i => i.Name == initializer);
        Tensor tensor = TensorProtos.Read(proto, new ExternalData(""));
        float[] values = tensor.Values<float>().ToArray();
        values[index] = value;
        model.Graph.Initializer[model.Graph.Initializer.IndexOf(proto)] = Tensor.Of<float>(values, tensor.Shape).ToProto(initializer);
    }

    private static IReadOnlyDictionary<string, LayerSite> Sites(ModelProto proto)
    {
        using var model = new OnnxModel(proto, "", "test");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        return WeightFaults.Find(model, partition.View, partition.Layers.ToDictionary(l => l.Name, l => LayerModels.SiteOf(model, partition, types, l)));
    }
}
