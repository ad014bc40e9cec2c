namespace MixedPrecision.Pipeline;

/// <summary>What calibration data are to be made from, and where they go.</summary>
/// <param name="Model">The model.</param>
/// <param name="From">Files and folders.</param>
/// <param name="Output">The file of samples to calibrate with.</param>
public sealed record DataRequest(string Model, IReadOnlyList<string> From, string Output)
{
    /// <summary>The file of samples to verify on, or null: none are kept for that.</summary>
    public string? Evaluation { get; init; }

    /// <summary>At most so many samples to calibrate with.</summary>
    public int Samples { get; init; } = 256;

    /// <summary>Keys or columns of labels; empty: <c>label</c>, where all of the data have it.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>The tokenizer's file, or null: the one beside the model.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>How images become values, as a policy says it in <c>calibration.images</c>; or null.</summary>
    public string? Images { get; init; }
}
