using MixedPrecision.Formats;
using MixedPrecision.Quantization;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>The size of the emitted file as the program counts it, and the most that it may be: bytes that no choice changes, those of each layer in each format, and those that layers share.</summary>
/// <param name="Most">The policy's limit, in bytes.</param>
/// <param name="Unchanged">Bytes that no choice changes.</param>
/// <param name="Own">Bytes of a layer in a format that no other layer shares.</param>
/// <param name="Together">Bytes that are held when any of some choices is taken, with gains of 0.</param>
internal sealed record FileSize(long Most, long Unchanged, IReadOnlyDictionary<LayerChoice, long> Own, IReadOnlyList<Consequence> Together)
{
    /// <summary>Bytes that a file was seen to have beyond what was predicted: nodes and names of what replaces a layer.</summary>
    public long Overhead { get; init; }

    /// <summary>What a program may take of <see cref="Own"/> and <see cref="Together"/>.</summary>
    public long MostOfChoices => Most - Unchanged - Overhead;

    /// <summary>The size limit of a policy on its model, or null: none.</summary>
    /// <param name="allowed">By layer, the formats it may take.</param>
    public static FileSize? Of(Materials materials, IReadOnlyDictionary<string, LayerOptions> allowed)
    {
        if (materials.MostBytes is not { } most)
        {
            return null;
        }

        Workspace workspace = materials.Workspace;
        var held = new Savings(workspace.Model.Graph).Held(
            workspace.Partition.View, [.. workspace.Partition.Layers.Select(l => (workspace.Sites[l.Name], (IReadOnlyList<NumberFormat>)[.. allowed[l.Name].Formats.Select(NumberFormats.Get)]))]);
        long stored = held.Where(h => h.Any[0].Format == Problems.Baseline).Sum(h => h.Bytes);
        var own = new Dictionary<LayerChoice, long>();
        foreach ((IReadOnlyList<(string Layer, string Format)> any, long bytes) in held.Where(h => IsOfOne(h.Any)))
        {
            foreach ((string layer, string format) in any)
            {
                own[new LayerChoice(layer, format)] = own.GetValueOrDefault(new LayerChoice(layer, format)) + bytes;
            }
        }

        return new FileSize(
            most,
            Quantizer.Bytes(workspace.Model) - stored,
            own,
            [.. held.Where(h => !IsOfOne(h.Any)).Select(h => new Consequence($"bytes of '{h.Any[0].Layer}' and others", [.. h.Any.Select(c => new LayerChoice(c.Layer, c.Format))], Gain: 0) { Bytes = h.Bytes })]);

        // One format of one layer, or several of it that share constants: exactly one of them is taken.
        static bool IsOfOne(IReadOnlyList<(string Layer, string Format)> any) => any.All(choice => choice.Layer == any[0].Layer);
    }

    /// <summary>Bytes that are predicted of a plan's file.</summary>
    /// <param name="plan">A configuration by sub-graph.</param>
    public long Predicted(PlanningInput input, Plan plan)
    {
        HashSet<LayerChoice> taken = [.. input.Partition.Subgraphs.SelectMany(s => s.Layers.Zip(plan.Configurations[s.Index].Formats, (layer, format) => new LayerChoice(layer.Name, format)))];
        return Unchanged + Overhead + taken.Sum(choice => Own.GetValueOrDefault(choice)) + Together.Where(t => t.Choices.Any(taken.Contains)).Sum(t => t.Bytes);
    }

    /// <summary>The program with a size in place of gains, and no limit of it: its plan of greatest gain is the smallest file.</summary>
    public static SolverProblem AsObjective(SolverProblem problem) => problem with
    {
        MostBytes = null,
        Tolerance = 0,
        Subgraphs = [.. problem.Subgraphs.Select(s => s with
        {
            Measured = [],
            Structures = [],
            Layers = [.. s.Layers.Select(l => l with { Choices = [.. l.Choices.Select(c => c with { Gain = -c.Bytes })] })],
        })],
        Consequences = [.. problem.Consequences.Select(c => c with { Gain = c.Bytes })],
    };
}

/// <summary>That no plan is small enough within the loss that is allowed, and what would help.</summary>
/// <param name="Most">The limit in bytes.</param>
/// <param name="Smallest">Bytes of the smallest file within the loss, as predicted.</param>
/// <param name="TauAtSmallest">Its predicted relative loss error.</param>
/// <param name="LeastTau">The least loss error, as far as found, of a plan that is small enough; null where none is.</param>
internal sealed record SizeShortfall(long Most, long Smallest, double TauAtSmallest, double? LeastTau)
{
    /// <summary>Null where a plan is within both, or rules force more loss than is allowed whatever the size.</summary>
    /// <param name="plan">The plan of the program, infeasible or not.</param>
    /// <param name="solve">The plan of greatest gain of a program.</param>
    public static SizeShortfall? Of(PlanningInput input, Gains gains, double lossBudget, Plan plan, Func<SolverProblem, Plan> solve)
    {
        if (input.Size is not { } size || plan.Infeasibility is not { } least)
        {
            return null;
        }

        Plan smallest = solve(FileSize.AsObjective(input.Problem(gains, lossBudget)));
        return smallest.Infeasibility is not null && !least.IsTooLarge ? null
            : (smallest.Infeasibility is null ? smallest : plan) is var found ? new SizeShortfall(size.Most, size.Predicted(input, found), input.Tau(found.Loss), least.IsTooLarge ? null : input.Tau(least.MinimalLoss)) : null;
    }
}
