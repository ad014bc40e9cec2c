namespace MixedPrecision.Onnx;

/// <summary>Operators whose result is not decided by their inputs.</summary>
public static class RandomOperators
{
    private static readonly HashSet<string> Always = ["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"];

    /// <summary>Whether a node has a seed of its own: then each session of ONNX Runtime draws the same numbers, run after run others. Without one they depend on the process and on the node's place.</summary>
    public static bool IsSeeded(NodeProto node) => node.Attribute("seed") is not null;

    /// <summary>Whether a node itself draws random numbers; what graphs inside of it or its function do does not count.</summary>
    /// <param name="isFalse">Whether a value is known to be false.</param>
    public static bool Draws(NodeProto node, Func<string, bool> isFalse) => node.Operator() switch
    {
        // Since set 12 an input decides, absent: false. Before, the runtime never drops.
        "Dropout" or "com.microsoft.BiasDropout" or "com.microsoft.BitmaskDropout" => node.Input.ElementAtOrDefault(node.OpType == "BiasDropout" ? 4 : 2) is { Length: > 0 } training && !isFalse(training),
        "com.microsoft.Sampling" => true,
        string name => Always.Contains(name),
    };
}
