using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Losses;

/// <summary>
/// The loss g of one sample as a function of outputs of the model, and its gradients: a weighted sum of one or several losses (design, section 5).
/// <list type="bullet">
/// <item>cross-entropy: mean over the labels of −log p(label);</item>
/// <item>next-token: the same, each position's label being the token at the next position;</item>
/// <item>output-mse: vᵀy with random signs v, whose expected squared change is that of the output;</item>
/// <item>scalar-output: an output of one element;</item>
/// <item>graph: a graph of the user's on outputs of the model.</item>
/// </list>
/// </summary>
public sealed class LossFunction : IDisposable
{
    private readonly IReadOnlyList<LossTerm> terms;
    private readonly string? guess;
    private readonly CrossEntropy? accuracy;

    /// <param name="accuracy">What accuracy is told by when labels are named and none of the losses reads them; it adds nothing to the loss.</param>
    internal LossFunction(IReadOnlyList<LossTerm> terms, string? guess, CrossEntropy? accuracy)
    {
        this.terms = terms;
        this.guess = guess;
        this.accuracy = accuracy;
        Outputs = [.. terms.SelectMany(t => t.Outputs).Concat(accuracy?.Outputs ?? []).Distinct()];
        Fields = [.. terms.SelectMany(t => t.Fields).Concat(accuracy?.Fields ?? []).DistinctBy(f => f.Name)];
    }

    /// <summary>The model outputs that the loss reads, each once.</summary>
    public IReadOnlyList<string> Outputs { get; }

    /// <summary>What the loss takes from the data besides the model's inputs.</summary>
    public IReadOnlyList<DataField> Fields { get; }

    /// <summary>What a user should know of it: how it was guessed, and how it reads the outputs.</summary>
    public IReadOnlyList<string> Notes => [.. guess is null ? [] : new[] { guess }, .. terms.SelectMany(t => t.Notes).Distinct()];

    /// <summary>The name policies use; of several losses their weighted sum.</summary>
    public string Name => terms.Count == 1 ? terms[0].Name
        : string.Join(" + ", terms.Select(t => FormattableString.Invariant($"{t.Weight:R} · {t.Name}({string.Join(", ", t.Outputs)})")));

    /// <summary>Whether noise raises the loss in the mean by a second-order term that is known: true when any of the losses is a likelihood.</summary>
    public bool HasCurvature => terms.Any(t => t.HasCurvature && t.Weight > 0);

    /// <summary>Whether the mean of the loss over samples says something: false with random projections, whose mean is 0.</summary>
    public bool HasMean => terms.All(t => t is not Projection);

    /// <summary>Whether labels are read from the data, so that accuracy can be told.</summary>
    public bool HasLabels => accuracy is not null || terms.Any(t => t is CrossEntropy { HasLabels: true });

    /// <summary>Whether the output says one answer for each label, or for each that there might be, so that answers can be compared.</summary>
    public bool HasAnswers => accuracy is not null || terms.Any(t => t is CrossEntropy);

    /// <summary>The loss of a policy on a model; without one in the policy a guess, which <see cref="Notes"/> explain.</summary>
    /// <param name="types">Types of the model's values.</param>
    /// <param name="keys">Keys of the data besides the model's inputs, where they are known: labels among them make a guess.</param>
    /// <exception cref="MixedPrecisionException">MPB4xxx: the model has no such output, or none that fits the loss. MPB2xxx: a loss graph is no valid model.</exception>
    public static LossFunction Create(
        OnnxModel model, IReadOnlyDictionary<string, TensorType> types, CalibrationPolicy policy, string policyFile, IReadOnlyCollection<string>? keys = null) =>
        LossChoice.Create(model, types, policy, policyFile, keys ?? []);

    /// <summary>
    /// Settles how outputs are read whose graph does not tell what their numbers are, by what the original model gives on samples: rows from 0 to 1 that sum to 1
    /// on every sample are probabilities, everything else scores. Called once, before the loss of anything is taken, with the calibration samples, so that
    /// what it finds follows from model, loss and these samples.
    /// </summary>
    public void Observe(OnnxModel model, IReadOnlyList<Sample> samples, CancellationToken cancel)
    {
        CrossEntropy[] open = [.. terms.Append(accuracy).OfType<CrossEntropy>().Where(t => t.IsOpen)];
        var candidates = open.Where(t => !ObservedScores.IsLinear(model, t.Outputs[0])).ToList();
        if (candidates.Count > 0)
        {
            using Session session = Session.Create(Instrumented.Of(model, [.. candidates.Select(t => t.Outputs[0]).Distinct()]), SessionSettings.Plain, model.Folder);
            foreach (Sample sample in samples)
            {
                cancel.ThrowIfCancellationRequested();
                IReadOnlyDictionary<string, Tensor> outputs = session.Run(sample.Inputs);
                candidates.RemoveAll(t => !t.Observe(outputs[t.Outputs[0]]));
                if (candidates.Count == 0)
                {
                    break;
                }
            }
        }

        Array.ForEach(open, t => t.Settle(samples.Count));
    }

    /// <summary>
    /// What the loss of one sample is taken against: labels (those of the sample, or the most likely ones of the original model), next
    /// tokens, or random signs.
    /// </summary>
    /// <param name="number">Number of the sample, which seeds what is random.</param>
    /// <param name="outputs">At least <see cref="Outputs"/> of the original model.</param>
    /// <exception cref="MixedPrecisionException">MPB4006: the labels do not fit the output.</exception>
    public LossTarget TargetOf(Sample sample, int number, IReadOnlyDictionary<string, Tensor> outputs) =>
        new(number, sample.Place, Shapes(outputs), [.. terms.Select(t => t.Target(sample, number, outputs))], AccuracyTarget(sample, number, outputs, out Diagnostic? misfit), misfit);

    /// <summary>The loss of outputs against a target.</summary>
    /// <exception cref="MixedPrecisionException">MPB7007: an output has another size than the original's.</exception>
    public double Value(IReadOnlyDictionary<string, Tensor> outputs, LossTarget target)
    {
        CheckSizes(outputs, target);
        return terms.Zip(target.Terms, (t, one) => t.Weight * t.Value(outputs, one)).Sum();
    }

    /// <summary>The loss and its gradients by output, each of the output's shape.</summary>
    public (double Value, IReadOnlyDictionary<string, Tensor> Gradients) ValueAndGradients(IReadOnlyDictionary<string, Tensor> outputs, LossTarget target)
    {
        var gradients = new GradientSums(outputs);
        double value = terms.Zip(target.Terms, (t, one) => t.Weight * t.AddGradient(outputs, one, t.Weight, gradients)).Sum();
        return (value, gradients.Result());
    }

    /// <summary>
    /// Gradients ẏₛ by output, for labels drawn from the model itself, scaled so that a change Δy of the outputs raises the mean loss by
    /// E[½⟨Δy, ẏₛ⟩²]: for a mean of T terms √T times the gradient for those labels. Empty without curvature.
    /// </summary>
    public IReadOnlyDictionary<string, Tensor> DrawnGradients(IReadOnlyDictionary<string, Tensor> outputs, LossTarget target)
    {
        var gradients = new GradientSums(outputs);
        foreach ((LossTerm term, TermTarget one) in terms.Zip(target.Terms).Where(t => t.First.Weight > 0))
        {
            term.AddDrawnGradient(outputs, one, target.Number, gradients);
        }

        return gradients.Result();
    }

    /// <summary>g² of one sample as the budget counts it: random projections at their expectation over the signs.</summary>
    public double SquareLoss(IReadOnlyDictionary<string, Tensor> outputs, LossTarget target)
    {
        double value = 0, expected = 0;
        foreach ((LossTerm term, TermTarget one) in terms.Zip(target.Terms))
        {
            double? square = term.ExpectedSquare(outputs, null);
            expected += term.Weight * term.Weight * (square ?? 0);
            value += square is null ? term.Weight * term.Value(outputs, one) : 0;
        }

        return (value * value) + expected;
    }

    /// <summary>How the loss of a sample changes from the original's outputs to others.</summary>
    /// <exception cref="MixedPrecisionException">MPB7007: an output has another size than the original's.</exception>
    public LossComparison Compare(IReadOnlyDictionary<string, Tensor> original, IReadOnlyDictionary<string, Tensor> mixed, LossTarget target)
    {
        CheckSizes(mixed, target);
        double before = 0, change = 0, square = 0, squareChange = 0;
        long labels = 0, originalHits = 0, mixedHits = 0, answers = 0, equal = 0;
        foreach ((LossTerm term, TermTarget one) in terms.Zip(target.Terms))
        {
            if (term.ExpectedSquare(original, null) is double expected)
            {
                square += term.Weight * term.Weight * expected;
                squareChange += term.Weight * term.Weight * term.ExpectedSquare(original, mixed)!.Value;
                continue;
            }

            double from = term.Value(original, one), to = term.Value(mixed, one);
            before += term.Weight * from;
            change += term.Weight * (to - from);
            (long count, long hits) = term.Accuracy(original, one);
            labels += count;
            originalHits += hits;
            mixedHits += term.Accuracy(mixed, one).Hits;
            (long ownAnswers, long ownEqual) = term.Agreement(original, mixed, one);
            answers += ownAnswers;
            equal += ownEqual;
        }

        if (target.Accuracy is not null)
        {
            (labels, originalHits) = accuracy!.Accuracy(original, target.Accuracy);
            mixedHits = accuracy.Accuracy(mixed, target.Accuracy).Hits;
            (answers, equal) = accuracy.Agreement(original, mixed, target.Accuracy);
        }

        return new LossComparison((before * before) + square, (change * change) + squareChange, before, change, labels, originalHits, mixedHits, target.AccuracyMisfit) { Answers = answers, EqualAnswers = equal };
    }

    public void Dispose()
    {
        foreach (LossTerm term in terms)
        {
            term.Dispose();
        }

        accuracy?.Dispose();
    }

    private static string Size(Tensor tensor) => $"[{string.Join(", ", tensor.Shape)}]";

    private Dictionary<string, string> Shapes(IReadOnlyDictionary<string, Tensor> outputs) =>
        Outputs.Where(outputs.ContainsKey).ToDictionary(o => o, o => Size(outputs[o]));

    /// <summary>Outputs that end in a choice by value (NonMaxSuppression, NonZero, Compress) may have another size after rounding.</summary>
    private void CheckSizes(IReadOnlyDictionary<string, Tensor> outputs, LossTarget target)
    {
        foreach (string output in terms.Where(t => !t.TakesAnySize).SelectMany(t => t.Outputs))
        {
            if (Size(outputs[output]) != target.Shapes[output])
            {
                throw Errors.LossOutputChangesSize(target.Sample, output, target.Shapes[output], Size(outputs[output]));
            }
        }
    }

    /// <summary>Labels that do not fit the output tell no accuracy; for a loss that does not read them that is no error, but worth a warning.</summary>
    private TermTarget? AccuracyTarget(Sample sample, int number, IReadOnlyDictionary<string, Tensor> outputs, out Diagnostic? misfit)
    {
        misfit = null;
        try
        {
            return outputs.ContainsKey(accuracy?.Outputs[0] ?? "") ? accuracy!.Target(sample, number, outputs) : null;
        }
        catch (MixedPrecisionException e) when (e.Diagnostic.Code == Codes.LabelsDoNotFit)
        {
            misfit = e.Diagnostic;
            return null;
        }
    }
}

/// <summary>What the loss of one sample is taken against.</summary>
public sealed class LossTarget
{
    internal LossTarget(
        int number, Place sample, IReadOnlyDictionary<string, string> shapes, IReadOnlyList<TermTarget> terms, TermTarget? accuracy, Diagnostic? accuracyMisfit)
    {
        Sample = sample;
        Shapes = shapes;
        Accuracy = accuracy;
        AccuracyMisfit = accuracyMisfit;
        Number = number;
        Terms = terms;
    }

    internal int Number { get; }

    internal IReadOnlyList<TermTarget> Terms { get; }

    /// <summary>Where the sample comes from.</summary>
    internal Place Sample { get; }

    /// <summary>Shape of each of the original's outputs that the loss reads.</summary>
    internal IReadOnlyDictionary<string, string> Shapes { get; }

    /// <summary>Labels that accuracy is told by and no loss reads, or null.</summary>
    internal TermTarget? Accuracy { get; }

    /// <summary>Why the labels that accuracy is told by do not fit this sample's output, or null.</summary>
    internal Diagnostic? AccuracyMisfit { get; }
}

/// <summary>The loss g of a sample before and g′ after a change, as the budget counts them; random projections only in the squares.</summary>
/// <param name="SquareLoss">g².</param>
/// <param name="SquareChange">(g′ − g)².</param>
/// <param name="Loss">g.</param>
/// <param name="Change">g′ − g.</param>
/// <param name="Labels">Given labels that count; 0: none.</param>
/// <param name="OriginalHits">How many of them the original's largest score hits.</param>
/// <param name="MixedHits">How many the other's hits.</param>
/// <param name="LabelMisfit">Why labels beside the loss, which accuracy is told by, do not fit the output; null: they do, or there are none.</param>
public readonly record struct LossComparison(
    double SquareLoss,
    double SquareChange,
    double Loss,
    double Change,
    long Labels = 0,
    long OriginalHits = 0,
    long MixedHits = 0,
    Diagnostic? LabelMisfit = null)
{
    /// <summary>Answers that count: largest scores of rows, with labels of those whose label counts.</summary>
    public long Answers { get; init; }

    /// <summary>How many of them are the original's.</summary>
    public long EqualAnswers { get; init; }
}
