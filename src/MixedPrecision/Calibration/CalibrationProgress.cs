namespace MixedPrecision.Calibration;

/// <summary>A calibration that is under way: all that is needed to go on from the sample after the last one in it.</summary>
/// <param name="Samples">Samples that are done.</param>
/// <param name="SquareLosses">g² of each sample.</param>
/// <param name="Operands">By value that a layer reads, Σ ‖z ⊙ ż‖².</param>
/// <param name="Layers">By name, the sums of each layer.</param>
public sealed record CalibrationProgress(int Samples, List<double> SquareLosses, Dictionary<string, double> Operands, Dictionary<string, LayerSums> Layers)
{
    public static CalibrationProgress Start(IEnumerable<string> layers) => new(0, [], [], layers.ToDictionary(l => l, _ => new LayerSums()));

    /// <summary>Takes in what the next sample adds.</summary>
    internal CalibrationProgress Add(SampleTerms terms)
    {
        SquareLosses.Add(terms.SquareLoss);
        foreach ((string operand, double square) in terms.Operands)
        {
            Operands[operand] = Operands.GetValueOrDefault(operand) + square;
        }

        foreach ((string layer, LayerTerms one) in terms.Layers)
        {
            Layers[layer].Add(one);
        }

        return this with { Samples = Samples + 1 };
    }
}
