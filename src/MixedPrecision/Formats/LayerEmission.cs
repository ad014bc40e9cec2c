using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Formats;

/// <summary>A value that is held in fewer bits.</summary>
/// <param name="Rounded">Its name in these.</param>
/// <param name="Read">Adds what those read that compute in float, and gives its name.</param>
public sealed record HeldEmission(string Rounded, Func<string> Read);

/// <summary>What a format writes a layer with.</summary>
/// <param name="Builder">Takes the nodes.</param>
/// <param name="Site">The layer.</param>
/// <param name="Input">Value of the activation.</param>
/// <param name="Second">Value of the second activation; for weight matrices not used.</param>
/// <param name="Bias">Value of what Gemm adds, or null.</param>
/// <param name="Constants">Names of what the format prepared from the weight, in its order; of several weights one after the other.</param>
/// <param name="Output">Name the result has to have.</param>
/// <param name="Shared">Values other layers made from the same activation, e.g. its quantized form, by a key of the format's own.</param>
public sealed record LayerEmission(
    GraphBuilder Builder,
    LayerSite Site,
    string Input,
    string Second,
    string? Bias,
    IReadOnlyList<string> Constants,
    string Output,
    Dictionary<string, string[]> Shared)
{
    /// <summary>The value of the graph in which the input's elements were computed, where only their shape changed since (<see cref="LayerSite.Source"/>); null where the graph has no other than the input.</summary>
    public string? Source { get; init; }

    /// <summary>What the pool right before the layer reads (<see cref="LayerSite.Pooled"/>), where the graph computes it.</summary>
    public string? Pooled { get; init; }

    /// <summary>Values of the model that are rounded once for all that read them.</summary>
    public Dictionary<string, HeldEmission> Held { get; init; } = [];

    /// <summary>Adds the node that computes the product, and for Gemm with a bias the addition (beta·C) behind it.</summary>
    public void Product(string operatorType, string domain, IReadOnlyList<string> inputs, params AttributeProto[] attributes)
    {
        if (Site.Layer.Kind != LayerKind.Gemm || Bias is not string bias)
        {
            Builder.NodeTo([Output], operatorType, domain, inputs, attributes);
            return;
        }

        string product = Builder.Fresh("product");
        Builder.NodeTo([product], operatorType, domain, inputs, attributes);
        float beta = Site.Node.Float("beta", 1);
        Builder.NodeTo([Output], "Add", "", [product, beta == 1 ? bias : Builder.Mul(bias, Builder.Scalar(beta))]);
    }
}
