using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>What a policy says of the layers that a pattern matches.</summary>
/// <param name="Match">A node name or a pattern of <see cref="Glob"/>.</param>
/// <param name="Format">The format they have, by its canonical text, <see cref="FormatId.Text"/>; null: free.</param>
/// <param name="Place">Where the rule stands in the policy.</param>
public sealed record LayerRule(string Match, string? Format, Place Place)
{
    /// <summary>Formats they must not have.</summary>
    public IReadOnlyList<FormatSelector> Not { get; init; } = [];

    /// <summary>The family of formats than which theirs must not be less precise (<see cref="FormatFamily.IsAtLeast"/>), or null.</summary>
    public string? AtLeast { get; init; }

    /// <summary>Whether all of them have one format.</summary>
    public bool SharesFormat { get; init; }

    /// <summary>What it asks for, in the policy's words.</summary>
    public string Asks => string.Join(", ", new[]
    {
        Format is null ? null : $"format: {Format}",
        Not.Count == 0 ? null : $"not: [{string.Join(", ", Not)}]",
        AtLeast is null ? null : $"atLeast: {AtLeast}",
        SharesFormat ? "sharedFormat: true" : null,
    }.OfType<string>());
}

/// <summary>Formats that a rule names: those of a family that have the parameters which are given, whatever the others are.</summary>
/// <param name="Text">As the policy says it.</param>
/// <param name="Family">The family.</param>
/// <param name="Given">Parameters by name, with their values.</param>
public sealed record FormatSelector(string Text, FormatFamily Family, IReadOnlyList<(string Parameter, string Value)> Given)
{
    /// <summary>Whether a format is one of those.</summary>
    public bool Matches(FormatId format) => format.Family == Family && Given.All(given => format[given.Parameter] == given.Value);

    public override string ToString() => Text;
}

/// <summary>What the rules of a policy say of one layer.</summary>
/// <param name="Pin">The rule that sets its format: the last one; or null.</param>
/// <param name="Forbidding">The rules that forbid formats: all of them.</param>
/// <param name="AtLeast">The rule that sets its least precision: the last one; or null.</param>
public sealed record RulesOfLayer(LayerRule? Pin, IReadOnlyList<LayerRule> Forbidding, LayerRule? AtLeast)
{
    /// <param name="rules">The policy's rules.</param>
    /// <param name="layer">Name of the layer.</param>
    public static RulesOfLayer Of(IReadOnlyList<LayerRule> rules, string layer)
    {
        LayerRule[] own = [.. rules.Where(rule => Glob.IsMatch(rule.Match, layer))];
        return new RulesOfLayer(own.LastOrDefault(rule => rule.Format is not null), [.. own.Where(rule => rule.Not.Count > 0)], own.LastOrDefault(rule => rule.AtLeast is not null));
    }

    /// <summary>The rule that rules a format out, and the reason; null where none does.</summary>
    public (LayerRule Rule, string Reason)? WhyNot(FormatId format) =>
        Forbidding.FirstOrDefault(rule => rule.Not.Any(selector => selector.Matches(format))) is { } forbidding ? (forbidding, $"the rule {Wording.Quote(forbidding.Match)} forbids it")
        : AtLeast is { } least && !format.Family.IsAtLeast(FormatFamilies.Of(least.AtLeast!)) ? (least, $"the rule {Wording.Quote(least.Match)} asks for {least.AtLeast} at least")
        : null;
}

/// <summary>Layers that carry one format.</summary>
/// <param name="Rule">The first of the rules that say so.</param>
/// <param name="Layers">Their names, in the order of the model; two at least.</param>
public sealed record SharingLayers(LayerRule Rule, IReadOnlyList<string> Layers)
{
    /// <summary>The groups of a policy; rules that have a layer in common make one group.</summary>
    /// <param name="rules">The policy's rules.</param>
    /// <param name="layers">Names of all layers of the model.</param>
    public static IReadOnlyList<SharingLayers> Of(IReadOnlyList<LayerRule> rules, IReadOnlyList<string> layers)
    {
        var groups = new List<SharingLayers>();
        foreach (LayerRule rule in rules.Where(rule => rule.SharesFormat))
        {
            HashSet<string> own = [.. layers.Where(layer => Glob.IsMatch(rule.Match, layer))];
            SharingLayers[] joined = [.. groups.Where(group => group.Layers.Any(own.Contains))];
            groups.RemoveAll(joined.Contains);
            own.UnionWith(joined.SelectMany(group => group.Layers));
            groups.Add(new SharingLayers(joined.Select(group => group.Rule).FirstOrDefault(rule), [.. layers.Where(own.Contains)]));
        }

        return [.. groups.Where(group => group.Layers.Count > 1)];
    }
}
