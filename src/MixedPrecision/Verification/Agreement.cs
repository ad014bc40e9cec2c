using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Verification;

/// <summary>One output of the emitted model, run with the runtime's optimizations and without.</summary>
/// <param name="Difference">With against without, of the emitted model.</param>
/// <param name="Original">The same of the original: what the plan is not to blame for.</param>
/// <param name="Error">The emitted model against the original, both without optimizations: what quantization changes by its definition.</param>
/// <param name="Tolerance">What <paramref name="Difference"/> may be.</param>
public sealed record OutputAgreement(OutputDifference Difference, OutputDifference Original, OutputDifference Error, double Tolerance)
{
    /// <summary>False when the difference cannot be explained. Integers (indices, classes) are not judged: a tie may go either way.</summary>
    public bool Agrees => !Difference.IsFloating || Difference.Difference <= Tolerance;
}

/// <summary>Whether an emitted model gives the same results with and without optimizations.</summary>
/// <param name="Outputs">By output.</param>
/// <param name="NotJudged">Why nothing was compared, or null.</param>
public sealed record AgreementResult(IReadOnlyList<OutputAgreement> Outputs, string? NotJudged)
{
    /// <summary>What could not be compared with the original, in words.</summary>
    public IEnumerable<string> Notes => Outputs.Where(o => o.Error.NotCompared is not null).Select(o =>
        $"output '{o.Error.Output}' changes its size with rounding ({o.Error.NotCompared}) and is not compared there; the loss has to read another one, which calibration.output names");

    /// <summary>MPB7005 of the output that is furthest off, or null: the plan may ship.</summary>
    /// <param name="file">The emitted file, as messages name it.</param>
    public Diagnostic? Problem(string file) => Outputs.Where(o => !o.Agrees).MaxBy(o => o.Difference.Difference / o.Tolerance) is { } worst
        ? Errors.OutputsDisagree(file, worst.Difference.Output, worst.Difference.Difference, worst.Tolerance)
        : null;
}

/// <summary>
/// Holds the emitted model as an app runs it against the same file without any optimization, whose operators compute what the specification says. An optimization that goes wrong on a rewritten
/// layer shows here, whatever the layer (ONNX Runtime's issues 24711 and 11576 are such).
/// </summary>
public static class Agreement
{
    /// <summary>Samples that are run at most: an optimization that goes wrong does so on each.</summary>
    public const int MostSamples = 8;

    /// <summary>Floating arithmetic in another order, over as many operators as models have; the original's own difference comes on top.</summary>
    private const double Arithmetic = 1e-4;

    /// <param name="original">Path of the original model.</param>
    /// <param name="mixed">Path of the emitted model.</param>
    /// <param name="formats">The formats that the plan uses.</param>
    /// <param name="samples">Evaluation samples; the first few are run.</param>
    /// <param name="settings">The app's.</param>
    /// <param name="cancel">Checked during every run.</param>
    /// <exception cref="MixedPrecisionException">MPB7001: the emitted model does not run.</exception>
    public static AgreementResult Measure(
        string original, string mixed, IEnumerable<NumberFormat> formats, IReadOnlyList<Sample> samples, SessionSettings settings, CancellationToken cancel)
    {
        Sample[] few = [.. samples.Take(MostSamples)];
        SessionSettings plain = settings with { Optimization = GraphOptimizationLevel.ORT_DISABLE_ALL };
        IReadOnlyList<OutputDifference> own;
        try
        {
            own = OutputDifferences.Between((original, plain), (original, settings), few, cancel);
        }
        catch (OnnxRuntimeException e)
        {
            return new AgreementResult([], $"the original does not run without optimizations: {e.Message.Replace('\n', ' ')}");
        }

        try
        {
            IReadOnlyList<OutputDifference> difference = OutputDifferences.Between((mixed, plain), (mixed, settings), few, cancel);
            IReadOnlyList<OutputDifference> error = OutputDifferences.Between((original, plain), (mixed, plain), few, cancel);
            return Judge(difference, own, error, formats.Select(f => f.Disagreement).DefaultIfEmpty(0).Max());
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.EmittedModelDoesNotRun(Path.GetFileName(mixed), e.Message.Replace('\n', ' '));
        }
    }

    /// <summary>
    /// Why a model that was written anew at no loss does not compute what the original does, or null: both without optimizations where it runs so, outputs may differ by floating arithmetic in another order, and by twice what
    /// optimizations change in the original. Integers are not judged.
    /// </summary>
    /// <param name="original">Path of the original model.</param>
    /// <param name="rewritten">What stands for it.</param>
    /// <param name="samples">Those to run.</param>
    /// <param name="settings">The app's.</param>
    /// <param name="cancel">Checked during every run.</param>
    /// <exception cref="OnnxRuntimeException">The original does not run.</exception>
    public static string? WhyNotExact(string original, OnnxModel rewritten, IReadOnlyList<Sample> samples, SessionSettings settings, CancellationToken cancel)
    {
        SessionSettings plain = settings with { Optimization = GraphOptimizationLevel.ORT_DISABLE_ALL };
        IReadOnlyList<OutputDifference> own;
        try
        {
            own = OutputDifferences.Between((original, plain), (original, settings), samples, cancel);
        }
        catch (OnnxRuntimeException)
        {
            // It may need optimizations to run.
            plain = settings;
            own = OutputDifferences.Between((original, settings), (original, settings), samples, cancel);
        }

        try
        {
            using Session wanted = Session.Open(original, plain), found = Session.Create(rewritten.Proto, plain, rewritten.Folder);
            return OutputDifferences.Between(wanted, found, samples, cancel).Zip(own)
                .Where(o => o.First.IsFloating && o.First.Difference > Arithmetic + (2 * o.Second.Difference))
                .Select(o => $"output '{o.First.Output}' would differ by {o.First.Difference:0.##e+0} from the original's on the first samples, where optimizations change it by {o.Second.Difference:0.##e+0}")
                .FirstOrDefault();
        }
        catch (OnnxRuntimeException e)
        {
            return $"the model does not run with them ({e.Message.Replace('\n', ' ')})";
        }
    }

    /// <summary>
    /// The tolerance of an output: the share of the plan's own error that rounding at run time explains (<see cref="NumberFormat.Disagreement"/>), widened by 1 + 4/√n since root mean squares
    /// over n elements scatter; twice the original's own difference; and floating arithmetic.
    /// </summary>
    internal static AgreementResult Judge(
        IReadOnlyList<OutputDifference> differences, IReadOnlyList<OutputDifference> own, IReadOnlyList<OutputDifference> errors, double disagreement) => new(
        [
            .. differences.Select(difference =>
            {
                OutputDifference original = own.First(o => o.Output == difference.Output), error = errors.First(o => o.Output == difference.Output);
                double rounding = disagreement * error.Difference * (1 + (4 / Math.Sqrt(Math.Max(1, difference.Elements))));
                return new OutputAgreement(difference, original, error, rounding + (2 * original.Difference) + Arithmetic);
            }),
        ],
        null);
}
