using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Data;

/// <summary>What samples tell of themselves before anything is measured with them.</summary>
public static class SampleChecks
{
    /// <summary>Share of the samples up to which repetitions among them are not worth a word.</summary>
    private const double FewRepeated = 0.01;

    /// <summary>What was filled in for the data, in words.</summary>
    public static IReadOnlyList<string> Notes(IReadOnlyList<Sample> samples)
    {
        string[] filled = [.. samples.SelectMany(s => s.Filled).Distinct()];
        return filled.Length == 0 ? [] : [$"the data does not give {Wording.List(filled)}: {(filled.Length == 1 ? "it is" : "they are")} fed as empty {(filled.Length == 1 ? "cache" : "caches")}, as at the first token"];
    }

    /// <summary>
    /// Warnings of data that say less than they seem to: samples of verification that calibration has seen (by their inputs, wherever they come from), samples that are the same, a
    /// single sample, a drop of accuracy that the labels are too few for.
    /// </summary>
    /// <param name="calibration">The samples that calibration reads.</param>
    /// <param name="evaluation">The samples that verification reads.</param>
    public static IReadOnlyList<Diagnostic> Warnings(Policy policy, IReadOnlyList<Sample> calibration, IReadOnlyList<Sample> evaluation)
    {
        Place ofCalibration = policy.PlaceOf("calibration.data"), ofEvaluation = policy.Evaluation is null ? ofCalibration : policy.PlaceOf("evaluation.data");
        var warnings = new List<Diagnostic>();
        bool isOneAndAll = calibration.Count == 1 && evaluation.Count == 1;
        if (calibration.Count == 1 && policy.Calibration.Data is not null)
        {
            warnings.Add(Errors.SingleSample(ofCalibration, "calibration", calibration[0].Id));
        }

        if (evaluation.Count == 1 && policy.Calibration.Data is not null && !(isOneAndAll && policy.Evaluation is null))
        {
            warnings.Add(Errors.SingleSample(ofEvaluation, "verification", evaluation[0].Id));
        }

        var seen = new Dictionary<string, string>();
        foreach (Sample sample in calibration)
        {
            seen.TryAdd(Hash(sample), sample.Id);
        }

        string[] hashes = [.. evaluation.Select(Hash)];
        int[] common = [.. Enumerable.Range(0, hashes.Length).Where(i => seen.ContainsKey(hashes[i]))];
        int repeated = hashes.Length - hashes.Distinct().Count();
        if (common.Length > 0 || repeated > hashes.Length * FewRepeated)
        {
            warnings.Add(Errors.EvaluationSeen(
                ofEvaluation, evaluation.Count, common.Length, common.Length == 0 ? null : (evaluation[common[0]].Id, seen[hashes[common[0]]]), repeated));
        }

        long labels = evaluation.Sum(s => Labels(policy.Calibration, s));
        foreach (LossLimit limit in policy.Budget.Limits.Where(limit =>
            limit.Kind is BudgetKind.AccuracyDrop or BudgetKind.Agreement && labels > 0 && limit.Distance > 0 && limit.Distance < (1.0 / labels) - 1e-12))
        {
            warnings.Add(Errors.BudgetFinerThanALabel(policy.PlaceOf("budget"), limit.ToString(), labels));
        }

        return warnings;
    }

    /// <summary>Labels of a sample that count.</summary>
    private static long Labels(CalibrationPolicy policy, Sample sample)
    {
        IEnumerable<Tensor?> given = policy.Losses.Select(l => l.Labels).OfType<string>().Distinct().Select(sample.Fields.GetValueOrDefault).Prepend(sample.Label);
        long Counted(Tensor labels)
        {
            long counted = 0;
            foreach (long label in labels.Values<long>())
            {
                counted += label >= 0 && label != policy.IgnoreLabel ? 1 : 0;
            }

            return counted;
        }

        return given.OfType<Tensor>().Where(t => t.ElementType == ElementType.Int64).Sum(Counted);
    }

    /// <summary>SHA-256 of a sample's inputs: names, types, shapes and values.</summary>
    public static string Hash(Sample sample)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, Tensor value) in sample.Inputs.OrderBy(i => i.Key, StringComparer.Ordinal))
        {
            sha.AppendData(Encoding.UTF8.GetBytes($"{name}\0{value.ElementType} {value.Rank}\0"));
            sha.AppendData(MemoryMarshal.AsBytes(value.Shape.AsSpan()));
            sha.AppendData(value.Bytes.Span);
        }

        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }
}
