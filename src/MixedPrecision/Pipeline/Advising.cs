using MixedPrecision.Benchmarking;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>Finds session options that make the shipped file faster, to be told: the app is not this tool's to change.</summary>
internal static class Advising
{
    /// <summary>A gain whose interval reaches below this share is not worth an advice.</summary>
    private const double LeastGain = 0.01;

    private static readonly HashSet<string> Gelus = ["Erf", "Gelu", "BiasGelu"];

    public static IReadOnlyList<SessionAdvice> Of(Materials materials, StageRunner runner, Shipped shipped)
    {
        if (materials.Profile is not null || materials.Policy.Objective != Objective.Time || (shipped.Times.Count == 0 && shipped.Compared.All(c => c.Times is null)))
        {
            return [];
        }

        bool hasGelu = materials.Workspace.Model.Graph.Node.Any(n => Gelus.Contains(n.OpType));
        AppOption[] open = [.. AppOptions.Of(materials.Policy).Where(o => !o.IsSet && o.Options.Count > 0 && (!o.ChangesNumbers || (hasGelu && shipped.Loss is not null)))];
        if (open.Length == 0)
        {
            return [];
        }

        List<OptionGain?> gains = runner.Get(Stages.Advise, new AdviseInput(
            shipped.Emitted.Content, materials.Scenarios, materials.Machine, [.. open.Select(o => o.Options)], LeastGain, TimingSettings.Advice));
        return Worth(open, gains, option => StaysWithin(materials, runner, shipped, option));
    }

    /// <summary>The options that are told: those with a gain that counts, and if they change numbers, within the budget.</summary>
    /// <param name="gains">In the order of the options; null where the file does not run with one.</param>
    internal static IReadOnlyList<SessionAdvice> Worth(IReadOnlyList<AppOption> options, IReadOnlyList<OptionGain?> gains, Func<AppOption, bool> staysWithin) => [.. options.Zip(gains)
        .Where(g => g.Second?.Low >= LeastGain && (!g.First.ChangesNumbers || staysWithin(g.First)))
        .Select(g => new SessionAdvice(g.First.Name, g.First.Options, g.First.Price.Length == 0 ? null : g.First.Price, [g.Second!.Low, g.Second.Centre, g.Second.High]))];

    /// <summary>Whether the shipped file with an option is within the budget too, against the original without.</summary>
    private static bool StaysWithin(Materials materials, StageRunner runner, Shipped shipped, AppOption option)
    {
        LossChange loss = runner.Get(Stages.Evaluate, Steps.EvaluationOf(materials, shipped.Emitted) with { Advised = option.Options });
        return Limits.AreWithin(materials.Policy.Budget, loss);
    }
}
