namespace MixedPrecision.Calibration;

/// <summary>A calibration that is under way: all that is needed to go on from the sample after the last one in it.</summary>
/// <param name="Samples">Samples that are done.</param>
/// <param name="SquareLosses">g² of each sample that counts: see <see cref="NotFinite"/>.</param>
/// <param name="Operands">By value that a layer reads, Σ ‖z ⊙ ż‖².</param>
/// <param name="Layers">By name, the sums of each layer.</param>
public sealed record CalibrationProgress(int Samples, List<double> SquareLosses, Dictionary<string, double> Operands, Dictionary<string, LayerSums> Layers)
{
    /// <summary>Numbers of the samples on which the loss, or its gradient by an output, is no finite number: nothing of them was added.</summary>
    public List<int> NotFinite { get; init; } = [];

    /// <summary>By value that a layer reads, what is no finite number in it or its gradient, and on which sample.</summary>
    public Dictionary<string, string> OperandFaults { get; init; } = [];

    public static CalibrationProgress Start(IEnumerable<string> layers) => new(0, [], [], layers.ToDictionary(l => l, _ => new LayerSums()));

    /// <summary>Takes in what the next sample adds.</summary>
    /// <param name="sample">Where the sample comes from, for people.</param>
    internal CalibrationProgress Add(SampleTerms terms, string sample)
    {
        if (!terms.IsFinite)
        {
            NotFinite.Add(Samples);
            return this with { Samples = Samples + 1 };
        }

        SquareLosses.Add(terms.SquareLoss);
        foreach ((string operand, double square) in terms.Operands)
        {
            Operands[operand] = Operands.GetValueOrDefault(operand) + square;
        }

        foreach ((string operand, string fault) in terms.OperandFaults)
        {
            OperandFaults.TryAdd(operand, $"{fault} on {sample}");
        }

        foreach ((string layer, LayerTerms one) in terms.Layers)
        {
            Layers[layer].Add(one, sample);
        }

        return this with { Samples = Samples + 1 };
    }
}
