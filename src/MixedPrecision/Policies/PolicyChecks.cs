using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>What a policy says about a model, held against that model's names.</summary>
public static class PolicyChecks
{
    /// <summary>What rules say of each layer, by its name.</summary>
    /// <param name="rules">The policy's rules.</param>
    /// <param name="layers">Names of all layers of the model.</param>
    /// <exception cref="MixedPrecisionException">A rule matches no layer (MPB1011).</exception>
    public static IReadOnlyDictionary<string, RulesOfLayer> Rules(IReadOnlyList<LayerRule> rules, IReadOnlyList<string> layers)
    {
        foreach (LayerRule rule in rules.Where(rule => !layers.Any(layer => Glob.IsMatch(rule.Match, layer))))
            throw Errors.PolicyRuleMatchesNothing(rule.Place, rule.Match, layers);
        return layers.ToDictionary(layer => layer, layer => RulesOfLayer.Of(rules, layer), StringComparer.Ordinal);
    }
}
