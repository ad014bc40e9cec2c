using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;

namespace MixedPrecision.Verification;

/// <summary>
/// Measures the emitted file against the original file. Both are opened from disk as an app opens them: a plain session with the policy's threads,
/// nothing of this engine in between.
/// </summary>
/// <param name="original">Path of the original model.</param>
/// <param name="mixed">Path of the emitted model.</param>
/// <param name="settings">The app's.</param>
/// <param name="mixedSettings">Those for the emitted model where they are to differ.</param>
public sealed class Verifier(string original, string mixed, SessionSettings settings, SessionSettings? mixedSettings = null)
{
    /// <summary>
    /// The change of the loss over samples that calibration did not see. Samples on which the original's own loss is no number compare nothing and are left out.
    /// </summary>
    /// <param name="outputs">The model outputs that the loss reads.</param>
    /// <param name="samples">At least one.</param>
    /// <param name="compare">The change of the loss of a sample of a number, from the original's outputs to the emitted model's.</param>
    /// <param name="progress">Told the fraction that is done.</param>
    /// <param name="cancellation">Checked before every sample.</param>
    /// <exception cref="MixedPrecisionException">MPB7001: the emitted model does not run. MPB4010: the loss is a number on no sample.</exception>
    public LossChange MeasureLoss(
        IReadOnlyList<string> outputs,
        IReadOnlyList<Sample> samples,
        Func<Sample, int, IReadOnlyDictionary<string, Tensor>, IReadOnlyDictionary<string, Tensor>, LossComparison> compare,
        Action<double> progress,
        CancellationToken cancellation)
    {
        using Session before = Session.Open(original, settings);
        using Session after = OpenMixed();
        double squareLoss = 0, squareChange = 0, loss = 0, change = 0;
        long labels = 0, originalHits = 0, mixedHits = 0, answers = 0, equalAnswers = 0;
        bool hasLabels = true;
        var notFinite = new List<Sample>();
        var misfits = new List<Diagnostic>();
        for (int number = 0; number < samples.Count; number++)
        {
            cancellation.ThrowIfCancellationRequested();
            Sample sample = samples[number];
            IReadOnlyDictionary<string, Tensor> from = before.Run(sample.Inputs, outputs);
            IReadOnlyDictionary<string, Tensor> to = Mixed(() => after.Run(sample.Inputs, outputs));
            LossComparison one = compare(sample, number, from, to);
            progress((number + 1.0) / samples.Count);
            if (!double.IsFinite(one.SquareLoss) || !double.IsFinite(one.Loss))
            {
                notFinite.Add(sample);
                continue;
            }

            misfits.AddRange(one.LabelMisfit is { } misfit ? [misfit] : []);
            squareLoss += one.SquareLoss;
            squareChange += one.SquareChange;
            loss += one.Loss;
            change += one.Change;
            hasLabels &= one.Labels > 0;
            labels += one.Labels;
            originalHits += one.OriginalHits;
            mixedHits += one.MixedHits;
            answers += one.Answers;
            equalAnswers += one.EqualAnswers;
        }

        int counted = samples.Count - notFinite.Count;
        if (counted == 0)
        {
            throw Errors.LossNeverFinite(notFinite[0].Place, notFinite.Count);
        }

        // An output that is no number is as wrong as can be: no budget may let it pass, as a comparison with NaN would.
        double lossMse = double.IsNaN(squareChange) ? double.PositiveInfinity : squareChange / counted;
        double meanSquareLoss = squareLoss / counted;
        return new LossChange(
            counted,
            lossMse,
            meanSquareLoss,
            lossMse == 0 ? 0 : Math.Sqrt(lossMse / meanSquareLoss),
            change / counted,
            hasLabels ? new AccuracyChange((double)originalHits / labels, (double)mixedHits / labels) : null)
        {
            MeanLoss = loss / counted,
            Labels = hasLabels ? labels : 0,
            Agreement = answers > 0 ? (double)equalAnswers / answers : null,
            Warnings =
            [
                .. notFinite.Count > 0 ? [Errors.LossNotFinite(notFinite[0].Place, notFinite.Count, samples.Count)] : Array.Empty<Diagnostic>(),
                .. misfits.Count > 0 ? [Errors.AccuracyNotTold(misfits[0], misfits.Count, samples.Count)] : Array.Empty<Diagnostic>(),
            ],
        };
    }

    private Session OpenMixed() => Mixed(() => Session.Open(mixed, mixedSettings ?? settings));

    private T Mixed<T>(Func<T> run)
    {
        try
        {
            return run();
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.EmittedModelDoesNotRun(Path.GetFileName(mixed), e.Message.Replace('\n', ' '));
        }
    }
}
