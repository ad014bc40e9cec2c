using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>What one sample adds to the sums of a calibration: worked out alone, so that the order in which samples are finished does not count.</summary>
internal sealed class SampleTerms
{
    private readonly Dictionary<string, LayerTerms> layers = [];

    /// <summary>g².</summary>
    public double SquareLoss { get; set; }

    /// <summary>Whether the loss and its gradients by the outputs are finite; if not, nothing of the sample counts.</summary>
    public bool IsFinite { get; set; } = true;

    /// <summary>By value that layers read, ‖z ⊙ ż‖²; without those that <see cref="OperandFaults"/> has.</summary>
    public Dictionary<string, double> Operands { get; } = [];

    /// <summary>By value that layers read, what is no finite number in it or its gradient.</summary>
    public Dictionary<string, string> OperandFaults { get; } = [];

    public IReadOnlyDictionary<string, LayerTerms> Layers => layers;

    /// <summary>Adds ‖z ⊙ ż‖² of a value z.</summary>
    public void AddOperand(string name, Tensor value, Tensor gradient)
    {
        double square = Squares.OfProducts(value.Values<float>(), gradient.Values<float>());
        if (double.IsFinite(square))
        {
            Operands[name] = Operands.GetValueOrDefault(name) + square;
        }
        else
        {
            OperandFaults[name] = Faults.Of(($"the value '{name}'", value), ($"the gradient of '{name}'", gradient));
        }
    }

    public LayerTerms Of(string layer) => layers.TryGetValue(layer, out LayerTerms? terms) ? terms : layers[layer] = new LayerTerms();
}

/// <summary>What one sample adds for one layer.</summary>
internal sealed class LayerTerms
{
    /// <summary>(w ẇ)², summed over the weight.</summary>
    public double Weight { get; set; }

    /// <summary>What is no finite number of all that the layer reads, gives and is told by gradients, or null.</summary>
    public string? Fault { get; set; }

    /// <summary>Whether the layer read a value other than zero; of a product, on both sides; of an embedding, in a row that was looked up.</summary>
    public bool ReadsValues { get; set; }

    /// <summary>Whether a gradient other than zero reached its output.</summary>
    public bool HasGradient { get; set; }

    /// <summary>Whether all terms are finite numbers.</summary>
    public bool AreFinite => double.IsFinite(Weight) && Taylor.Values.All(double.IsFinite) && Changes.Values.All(c => double.IsFinite(c.Delta) && double.IsFinite(c.Drawn));

    /// <summary>Taylor terms by format.</summary>
    public Dictionary<string, double> Taylor { get; } = [];

    /// <summary>⟨y_f − y, ẏ⟩ by format, for the labels and for drawn ones.</summary>
    public Dictionary<string, (double Delta, double Drawn)> Changes { get; } = [];

    /// <summary>Notes what the layer had in the sample, and why its terms are no numbers where they are not.</summary>
    public void Note(LayerSite site, LayerValues values)
    {
        ReadsValues |= HasValue(site.IsEmbedding ? values.Output : values.Input) && (values.Second is null || HasValue(values.Second));
        HasGradient |= HasValue(values.Gradient) || (values.DrawnGradient is not null && HasValue(values.DrawnGradient));
        if (Fault is null && !AreFinite)
        {
            Fault = Faults.Of(
                ($"its input '{site.Layer.Input}'", values.Input),
                ($"its input '{site.Layer.Weight}'", values.Second),
                ($"its output '{site.Layer.Output}'", values.Output),
                ($"the gradient of its output '{site.Layer.Output}'", values.Gradient),
                ($"the gradient of its output '{site.Layer.Output}'", values.DrawnGradient));
        }
    }

    private static bool HasValue(Tensor tensor) => tensor.Values<float>().ContainsAnyExcept(0f);

    public void AddTaylor(string format, double noise) => Taylor[format] = Taylor.GetValueOrDefault(format) + noise;

    public void AddChange(string format, double delta, double drawn)
    {
        (double sum, double drawnSum) = Changes.GetValueOrDefault(format);
        Changes[format] = (sum + delta, drawnSum + drawn);
    }
}
