using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>What one sample adds to the sums of a calibration: worked out alone, so that the order in which samples are finished does not count.</summary>
internal sealed class SampleTerms
{
    private readonly Dictionary<string, LayerTerms> layers = [];

    /// <summary>g².</summary>
    public double SquareLoss { get; set; }

    /// <summary>By value that layers read, ‖z ⊙ ż‖².</summary>
    public Dictionary<string, double> Operands { get; } = [];

    public IReadOnlyDictionary<string, LayerTerms> Layers => layers;

    /// <summary>Adds ‖z ⊙ ż‖² of a value z.</summary>
    public void AddOperand(string name, Tensor value, Tensor gradient) =>
        Operands[name] = Operands.GetValueOrDefault(name) + Squares.OfProducts(value.Values<float>(), gradient.Values<float>());

    public LayerTerms Of(string layer) => layers.TryGetValue(layer, out LayerTerms? terms) ? terms : layers[layer] = new LayerTerms();
}

/// <summary>What one sample adds for one layer.</summary>
internal sealed class LayerTerms
{
    /// <summary>(w ẇ)², summed over the weight.</summary>
    public double Weight { get; set; }

    /// <summary>Taylor terms by format.</summary>
    public Dictionary<string, double> Taylor { get; } = [];

    /// <summary>⟨y_f − y, ẏ⟩ by format, for the labels and for drawn ones.</summary>
    public Dictionary<string, (double Delta, double Drawn)> Changes { get; } = [];

    public void AddTaylor(string format, double noise) => Taylor[format] = Taylor.GetValueOrDefault(format) + noise;

    public void AddChange(string format, double delta, double drawn)
    {
        (double sum, double drawnSum) = Changes.GetValueOrDefault(format);
        Changes[format] = (sum + delta, drawnSum + drawn);
    }
}
