namespace MixedPrecision.Calibration;

/// <summary>A calibration that is under way: all that is needed to go on from the sample after the last one in it.</summary>
/// <param name="Samples">Samples that are done.</param>
/// <param name="GroupSize">Samples that go through the model together, the first going alone; kept, since sums of floats depend on it.</param>
/// <param name="SquareLosses">g² of each sample.</param>
/// <param name="Operands">By value that a layer reads, Σ ‖z ⊙ ż‖².</param>
/// <param name="Layers">By name, the sums of each layer.</param>
public sealed record CalibrationProgress(
    int Samples, int GroupSize, List<double> SquareLosses, Dictionary<string, double> Operands, Dictionary<string, LayerSums> Layers);
