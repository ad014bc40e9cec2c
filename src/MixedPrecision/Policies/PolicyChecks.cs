using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>What a policy says about a model, held against that model's names.</summary>
public static class PolicyChecks
{
    /// <summary>The format that each pinned layer must take, by the layer's name; of several rules that match, the last one counts.</summary>
    /// <param name="rules">The policy's rules.</param>
    /// <param name="layers">Names of all layers of the model.</param>
    /// <exception cref="MixedPrecisionException">A rule matches no layer (MPB1011).</exception>
    public static IReadOnlyDictionary<string, string> Pins(IReadOnlyList<LayerRule> rules, IReadOnlyList<string> layers)
    {
        var pins = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (LayerRule rule in rules)
        {
            string[] matched = [.. layers.Where(layer => Glob.IsMatch(rule.Match, layer))];
            if (matched.Length == 0)
                throw Errors.PolicyRuleMatchesNothing(rule.Place, rule.Match, layers);
            foreach (string layer in matched)
                pins[layer] = rule.Format;
        }

        return pins;
    }
}
