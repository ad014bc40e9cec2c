using MixedPrecision.Data;
using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>One of the losses in the weighted sum g = Σ w·gᵢ.</summary>
internal abstract class LossTerm(string name, double weight) : IDisposable
{
    /// <summary>The name policies use.</summary>
    public string Name => name;

    /// <summary>w, at least 0.</summary>
    public double Weight => weight;

    /// <summary>The model outputs that the loss reads.</summary>
    public abstract IReadOnlyList<string> Outputs { get; }

    /// <summary>What the loss takes from the data besides the model's inputs.</summary>
    public virtual IReadOnlyList<DataField> Fields => [];

    /// <summary>Whether noise raises the loss in the mean by a second-order term that is known: true for likelihoods.</summary>
    public virtual bool HasCurvature => false;

    /// <summary>Whether outputs of another size than the original's can be compared with it: only by a graph that says how.</summary>
    public virtual bool TakesAnySize => false;

    /// <summary>What is worth saying of how the loss reads the model.</summary>
    public virtual IEnumerable<string> Notes => [];

    /// <summary>What the loss of a sample is taken against, from the outputs of the original model.</summary>
    public abstract TermTarget Target(Sample sample, int number, IReadOnlyDictionary<string, Tensor> outputs);

    /// <summary>gᵢ, not weighted.</summary>
    public abstract double Value(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target);

    /// <summary>gᵢ, not weighted; adds factor · ∂gᵢ/∂y.</summary>
    public abstract double AddGradient(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target, double factor, GradientSums gradients);

    /// <summary>
    /// Adds √w·s, where s sᵀ has the curvature of gᵢ as its expectation over labels drawn from the model: for the mean of T negative
    /// log-likelihoods s is √T times its gradient. Nothing without curvature.
    /// </summary>
    public virtual void AddDrawnGradient(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target, int number, GradientSums gradients)
    {
    }

    /// <summary>The exact expectation of (gᵢ(y) − gᵢ(y′))² where gᵢ is random with mean 0, y′ being 0 when absent; null when gᵢ is not random.</summary>
    public virtual double? ExpectedSquare(IReadOnlyDictionary<string, Tensor> outputs, IReadOnlyDictionary<string, Tensor>? others) => null;

    /// <summary>How many labels count, and of how many the output's largest score is the label's; (0, 0) without given labels.</summary>
    public virtual (long Labels, long Hits) Accuracy(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target) => (0, 0);

    /// <summary>How many answers count, the largest score where a label counts or would, and how many of them two outputs have in common; (0, 0) for losses without answers.</summary>
    public virtual (long Answers, long Equal) Agreement(IReadOnlyDictionary<string, Tensor> original, IReadOnlyDictionary<string, Tensor> others, TermTarget target) => (0, 0);

    public virtual void Dispose()
    {
    }
}

/// <summary>What one loss of one sample is taken against.</summary>
internal abstract record TermTarget;
