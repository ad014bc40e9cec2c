using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarking;

/// <summary>Concrete inputs to time a model with.</summary>
/// <param name="Name">Its name in reports.</param>
/// <param name="Sizes">Size of each symbolic dimension of the model's inputs.</param>
/// <param name="Weight">Its share; the shares of all scenarios sum to 1.</param>
/// <param name="Inputs">Value of each input of the model.</param>
public sealed record Scenario(
    string Name,
    IReadOnlyDictionary<string, long> Sizes,
    double Weight,
    IReadOnlyDictionary<string, Tensor> Inputs);
