using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Pipeline;

public class ReasonsTests
{
    private const string Format = "int8-dynamic";

    /// <summary>A layer that gains nothing alone may still change its format, in a uniform file or because of its neighbours: no reason to have kept it is told then.</summary>
    [Fact]
    public void OnlyLayersThatShipInTheBaselineHaveReasons()
    {
        Layer[] layers = [LayerOf("a"), LayerOf("b"), LayerOf("c")];
        var subgraph = new Subgraph(0, "x", "y", [0, 1, 2], [0, 1, 2], layers, "f");
        var partition = new Partition(new GraphView(new GraphProto()), [subgraph], [new Excluded("t", "Gather", "a table")]);
        Gains gains = layers.Select((_, i) => new SubgraphConfiguration(subgraph, Configuration.Exported([.. layers.Select((_, j) => i == j ? Format : "fp32")])))
            .Aggregate(Gains.Empty, (known, c) => known.With(c, new Gain(c.Configuration.Formats[2] == Format ? 1 : -1, 0, 1)));
        var options = new LayerOptions(["fp32", Format], null, new Dictionary<string, string>());
        var findings = new Findings(layers.ToDictionary(l => l.Name, _ => options), null, gains, null, []);

        string[] Kept(params string[] shipped) => [.. Reasons.Of(partition, [Configuration.Exported(shipped)], findings, 1).Select(r => $"{r.Name}: {r.Reason}")];
        Assert.Equal(["a: no format was found to gain", "b: no format was found to gain", "t: a table"], Kept("fp32", "fp32", "fp32"));
        Assert.Equal(["b: no format was found to gain", "t: a table"], Kept(Format, "fp32", Format));
        Assert.Equal(["t: a table"], Kept(Format, Format, Format));
    }

    private static Layer LayerOf(string name) => new(name, LayerKind.MatMul, "MatMul", 0, "x", "w", null, name + ".y", [4, 4], 16);
}
