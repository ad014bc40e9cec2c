using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>Where the labels of a cross-entropy come from, and which of them count.</summary>
/// <param name="Labels">Key of given labels, or null.</param>
/// <param name="Tokens">The model's input whose next token is each position's label, or null: the labels stand where they count.</param>
/// <param name="Mask">Name of an input or field whose zeros leave positions out, or null.</param>
/// <param name="MaskIsNamed">Whether the policy names the mask, so that it has to fit.</param>
/// <param name="Ignored">A label that does not count, or null.</param>
internal sealed record LabelSource(string? Labels, string? Tokens, string? Mask, bool MaskIsNamed, long? Ignored);

/// <summary>
/// Mean over labels of −log p(label): of one label a row of scores (softmax over the classes), or of independent labels 0 and 1 (sigmoid).
/// Without given labels or tokens those are the original model's own most likely ones.
/// </summary>
internal sealed class CrossEntropy(string name, double weight, string output, Scores scores, LabelSource source, IReadOnlyList<string> inputs) : LossTerm(name, weight)
{
    /// <summary>Axes along which the output was a distribution on all samples that were looked at; null: none was.</summary>
    private int[]? distributions;
    private int observed;

    public override IReadOnlyList<string> Outputs { get; } = [output];

    public override bool HasCurvature => true;

    /// <summary>Whether the graph does not tell what the output's numbers are.</summary>
    public bool IsOpen => scores.Operator is null;

    /// <summary>Whether labels are read from the data.</summary>
    public bool HasLabels => source.Labels is not null;

    public override IReadOnlyList<DataField> Fields =>
        [.. new[] { source.Labels, inputs.Contains(source.Mask) ? null : source.Mask }.OfType<string>().Distinct().Select(f => new DataField(f, ElementType.Int64))];

    public override IEnumerable<string> Notes => scores.Operator is null
        ? observed == 0 ? []
            : [scores.Kind == ScoreKind.Probabilities
                ? $"output '{output}' holds rows of values from 0 to 1 that sum to 1 on all {observed} samples: it is taken as probabilities, whose logarithm counts"
                : $"output '{output}' is taken as scores, of which softmax makes probabilities"]
        : [$"output '{output}' ends in {scores.Operator}: {(scores.Kind switch
        {
            ScoreKind.Sigmoids => "each element is taken as a probability of its own, with labels 0 and 1",
            ScoreKind.Probabilities => "it is taken as probabilities, whose logarithm counts",
            _ => "it is taken as logarithms of probabilities",
        })}"];

    /// <summary>Looks at the original's output on one more sample.</summary>
    /// <returns>Whether it may still be one of probabilities.</returns>
    public bool Observe(Tensor prediction)
    {
        int[] axes = [.. ObservedScores.Axes(prediction)];
        distributions = distributions is null ? axes : [.. distributions.Intersect(axes)];
        return distributions.Length > 0;
    }

    /// <summary>Takes the output for what was observed.</summary>
    /// <param name="samples">How many samples there are.</param>
    public void Settle(int samples)
    {
        observed = samples;
        scores = new Scores(distributions is { Length: > 0 } ? ScoreKind.Probabilities : ScoreKind.Logits, distributions is [int axis, ..] ? axis : null, null);
    }

    public override TermTarget Target(Sample sample, int number, IReadOnlyDictionary<string, Tensor> outputs)
    {
        Tensor prediction = outputs[output];
        Tensor? given = source.Labels is null ? null : sample.Fields.GetValueOrDefault(source.Labels);
        given ??= source.Tokens is null ? sample.Label : null;
        LabelTarget target = source.Tokens is not null ? NextTokens(sample, given, prediction)
            : given is not null ? Given(sample, given, prediction)
            : Own(prediction);
        Mask(sample, prediction, target);
        return Labels.Counted(target.Values) > 0 ? target
            : throw Errors.LabelsDoNotFit(sample.Place, "no label that counts: all are ignored or masked", "at least one");
    }

    public override double Value(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target) => Accumulate(outputs[output], (LabelTarget)target, 0, []);

    public override double AddGradient(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target, double factor, GradientSums gradients) =>
        Accumulate(outputs[output], (LabelTarget)target, factor, gradients.Of(output));

    public override void AddDrawnGradient(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target, int number, GradientSums gradients)
    {
        var labels = (LabelTarget)target;
        var random = new Random(unchecked((int)0x85EBCA6B) + number);
        long[] drawn = labels.AreIndependent
            ? Independent.Draw(Floats.ToFloat(outputs[output]).Values<float>(), AreProbabilities, labels.Values, random)
            : Categorical.Draw(new ScoreRows(outputs[output], labels.Axis), scores.Kind, labels.Values, random);
        AddGradient(outputs, labels with { Values = drawn }, Math.Sqrt(Weight * Labels.Counted(drawn)), gradients);
    }

    public override (long Labels, long Hits) Accuracy(IReadOnlyDictionary<string, Tensor> outputs, TermTarget target)
    {
        var labels = (LabelTarget)target;
        if (!labels.AreGiven)
        {
            return (0, 0);
        }

        long[] predicted = Answers(outputs, labels);
        return (Labels.Counted(labels.Values), predicted.Where((label, i) => label == labels.Values[i]).LongCount());
    }

    public override (long Answers, long Equal) Agreement(IReadOnlyDictionary<string, Tensor> original, IReadOnlyDictionary<string, Tensor> others, TermTarget target)
    {
        var labels = (LabelTarget)target;
        long[] before = Answers(original, labels), after = Answers(others, labels);
        return (Labels.Counted(labels.Values), before.Where((answer, i) => labels.Values[i] >= 0 && answer == after[i]).LongCount());
    }

    /// <summary>The most likely class of each row, or of each independent label whether it is likely.</summary>
    private long[] Answers(IReadOnlyDictionary<string, Tensor> outputs, LabelTarget labels) => labels.AreIndependent
        ? Independent.Predict(Floats.ToFloat(outputs[output]).Values<float>(), AreProbabilities)
        : Categorical.Predict(new ScoreRows(outputs[output], labels.Axis));

    private bool AreProbabilities => scores.Kind == ScoreKind.Sigmoids;

    private double Accumulate(Tensor prediction, LabelTarget target, double factor, Span<float> gradient) => target.AreIndependent
        ? Independent.Accumulate(Floats.ToFloat(prediction).Values<float>(), AreProbabilities, target.Values, factor, gradient)
        : Categorical.Accumulate(new ScoreRows(prediction, target.Axis), scores.Kind, target.Values, factor, gradient);

    private LabelTarget Given(Sample sample, Tensor labels, Tensor prediction)
    {
        int? axis = Labels.AxisOf(labels, prediction, scores, sample.Place);
        return new LabelTarget(Labels.Given(labels, source.Ignored, axis is int a ? (int)prediction.Shape[a] : 2, sample.Place), axis ?? 0, axis is null, AreGiven: true);
    }

    private LabelTarget NextTokens(Sample sample, Tensor? given, Tensor prediction)
    {
        Tensor tokens = given ?? sample.Inputs[source.Tokens!];
        if (tokens.Rank != 2 || prediction.Rank != 3 || prediction.Shape[0] != tokens.Shape[0] || prediction.Shape[1] != tokens.Shape[1] || tokens.Shape[1] < 2)
        {
            throw Errors.LabelsDoNotFit(
                sample.Place,
                $"tokens [{string.Join(", ", tokens.Shape)}] and output [{string.Join(", ", prediction.Shape)}]",
                "an output of [batch, sequence, vocabulary] with at least 2 positions");
        }

        return new LabelTarget(Labels.Given(Labels.Next(tokens), source.Ignored, (int)prediction.Shape[2], sample.Place), 2, AreIndependent: false, given is not null);
    }

    private LabelTarget Own(Tensor prediction)
    {
        int axis = scores.Axis is int a && a < prediction.Rank ? a : prediction.Rank - 1;
        return scores.Kind == ScoreKind.Sigmoids || axis < 0 || prediction.Shape[axis] == 1
            ? new LabelTarget(Independent.Predict(Floats.ToFloat(prediction).Values<float>(), AreProbabilities), 0, AreIndependent: true, AreGiven: false)
            : new LabelTarget(Categorical.Predict(new ScoreRows(prediction, axis)), axis, AreIndependent: false, AreGiven: false);
    }

    /// <summary>Leaves out masked positions. A mask that the policy does not name only counts where the output has a row for each of its elements.</summary>
    private void Mask(Sample sample, Tensor prediction, LabelTarget target)
    {
        if (source.Mask is null || sample.Find(source.Mask) is not { } mask)
        {
            return;
        }

        long[] positions = target.AreIndependent ? prediction.Shape[..Math.Max(prediction.Rank - 1, 0)] : ScoreRows.LabelShape(prediction.Shape, target.Axis);
        bool isMasked = (source.MaskIsNamed || positions.Length > 1) && Labels.TryMask(target.Values, mask, positions, source.Tokens is not null);
        if (source.MaskIsNamed && !isMasked)
        {
            throw Errors.LabelsDoNotFit(
                sample.Place, $"a mask '{source.Mask}' of [{string.Join(", ", mask.Shape)}]", $"one of [{string.Join(", ", positions)}], a number for each label");
        }
    }
}
