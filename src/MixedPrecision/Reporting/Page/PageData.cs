namespace MixedPrecision.Reporting.Page;

/// <summary>A manifest with what follows from it and several sections show.</summary>
/// <param name="Manifest">The manifest.</param>
/// <param name="MeanSquareLoss">E[g²] of the samples that predictions were made from; null where nothing tells it.</param>
/// <param name="Layers">All layers in order.</param>
internal sealed record PageData(Manifest Manifest, double? MeanSquareLoss, IReadOnlyList<PageLayer> Layers)
{
    /// <summary>What τ allows: the greatest loss MSE.</summary>
    public double? LossBudget => LossBudgetOf(Manifest, MeanSquareLoss);

    /// <summary>Whether something else than the original is shipped, and was measured.</summary>
    public bool IsMeasured => Manifest.Samples.Evaluation > 0;

    public string Unit => Manifest.Predicted.Gain.Unit;

    /// <summary>Limits of the budget; a manifest of before tells of the first alone.</summary>
    public IReadOnlyList<ManifestLimit> Limits => Manifest.Budget is { Limits: { Count: > 0 } limits } ? limits
        : [new ManifestLimit(Manifest.Budget.Text.Split(':')[0], Manifest.Budget.Text, Manifest.Budget.Allowed, Manifest.Budget.Measured, IsWithin: true)];

    /// <summary>Where sub-graphs were timed, if that is elsewhere and no run was timed end to end; or null.</summary>
    public ManifestProfile? TimedElsewhere => Manifest.Measured.Scenarios.Count == 0 ? Manifest.Profile : null;

    public IReadOnlyList<FrontierPoint> Frontier => Manifest.Frontier ?? [];

    /// <summary>How many times faster, over all scenarios by their weights; null where none was timed.</summary>
    public double? Speedup => Manifest.Measured.Scenarios is [{ } one] ? one.Speedup : Manifest.Measured.Scenarios is { Count: > 0 } scenarios && scenarios.Sum(s => s.Weight * s.MixedMilliseconds) is > 0 and var mixed
        ? scenarios.Sum(s => s.Weight * s.OriginalMilliseconds) / mixed
        : null;

    public static PageData Of(Manifest manifest)
    {
        double? meanSquare = MeanSquareOf(manifest);
        double? budget = LossBudgetOf(manifest, meanSquare);
        var tried = (manifest.Tried ?? []).GroupBy(t => t.Fingerprint).ToDictionary(t => t.Key, t => (IReadOnlyList<TriedConfiguration>)[.. t.SelectMany(s => s.Configurations)]);
        var layers = new List<PageLayer>();
        foreach (PlannedSubgraph subgraph in manifest.Subgraphs)
        {
            IReadOnlyList<TriedConfiguration> known = tried.GetValueOrDefault(subgraph.Fingerprint) ?? [];
            for (int i = 0; i < subgraph.Layers.Count; i++)
            {
                layers.Add(PageLayer.Of(layers.Count + 1, subgraph, i, known, budget, manifest.Reasons));
            }
        }

        return new PageData(manifest, meanSquare, layers);
    }

    /// <summary>The relative loss error of a loss MSE.</summary>
    public double? Relative(double lossMse) => MeanSquareLoss is { } square ? Math.Sqrt(lossMse / square) : null;

    /// <summary>A loss MSE and its relative error are of one E[g²]; the plan's, or those of one that was tried.</summary>
    private static double? MeanSquareOf(Manifest manifest) => manifest.Attempts
        .Select(a => (Mse: a.PredictedLossMse, Relative: a.PredictedRelativeLossError))
        .Prepend((Mse: manifest.Predicted.LossMse, Relative: manifest.Predicted.RelativeLossError))
        .Where(p => p.Mse > 0 && p.Relative > 0)
        .Select(p => (double?)(p.Mse / p.Relative / p.Relative))
        .FirstOrDefault() ?? (manifest.Measured.MeanSquareLoss > 0 ? (double?)manifest.Measured.MeanSquareLoss : null);

    private static double? LossBudgetOf(Manifest manifest, double? meanSquare) =>
        meanSquare is { } square && manifest.Budget.SolvedTau > 0 ? square * manifest.Budget.SolvedTau * manifest.Budget.SolvedTau : null;
}
