using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>Reads a policy's text by the table of <see cref="PolicyKeys"/> and checks what concerns several keys at once.</summary>
internal static class PolicyReader
{
    /// <param name="file">The policy's path as the user gave it.</param>
    /// <param name="text">What the file holds.</param>
    /// <param name="folder">Full path of the file's folder.</param>
    public static Policy Read(string file, string text, string folder)
    {
        YamlNode root = YamlReader.Parse(file, text) ?? new YamlMapping(new Place(file, 1, 1), []);
        var places = new Dictionary<string, Place>(StringComparer.Ordinal);
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        Note(root, "", places, texts);
        Policy policy = PolicyKeys.Root.Read(root, "") with { Folder = folder, Places = places, Texts = texts };
        if (policy.Scenarios.Count > 0 && policy.Scenarios.All(scenario => scenario.Weight == 0))
            throw Errors.PolicyImpossibleValue(policy.Scenarios[0].Place, "scenarios", "only weights of 0", "at least one weight above 0");
        if (policy.Runtime.FreeDimensions && (policy.PlansPerScenario ? policy.Scenarios.Count == 0 || policy.Scenarios.Any(s => s.Inputs.Count == 0) : policy.FixedSizes.Count == 0))
        {
            throw Errors.PolicyImpossibleValue(
                policy.PlaceOf("runtime.freeDimensions"), "runtime.freeDimensions", "true", policy.PlansPerScenario
                    ? "false, or a size of some dimension of the model in each scenario: those are the sizes which the app fixes"
                    : "false, or scenarios that all give one size to a dimension of the model: that is the size which the app fixes");
        }

        policy = policy with { Layers = [.. policy.Layers.Select(rule => rule with { Format = rule.Format is null ? null : Meant(rule.Format, policy.Formats) })] };
        if (policy.Layers.FirstOrDefault(rule => rule.Format is not null && !policy.Formats.Contains(rule.Format)) is { } rule)
        {
            throw Errors.PolicyImpossibleValue(
                rule.Place, $"layers[{policy.Layers.ToList().IndexOf(rule)}].format", Wording.Quote(rule.Format!),
                $"one of this policy's formats, which are {Wording.List(policy.Formats)}; add it to 'formats' too");
        }

        return policy;
    }

    /// <summary>What a rule means that names a family alone: the policy's format of that family, unless it has the one of the family's defaults.</summary>
    private static string Meant(string format, IReadOnlyList<string> formats) =>
        !formats.Contains(format) && FormatId.Parse(format).Family is var family && family.Default.Text == format
            ? formats.FirstOrDefault(f => FormatId.Parse(f).Family == family) ?? format : format;

    /// <summary>Notes where each value stands, and of scalars what, by the path of its key.</summary>
    private static void Note(YamlNode node, string path, Dictionary<string, Place> places, Dictionary<string, string> texts)
    {
        places[path] = node.Place;
        switch (node)
        {
            case YamlScalar scalar:
                texts[path] = scalar.Text;
                break;
            case YamlMapping mapping:
                foreach (YamlEntry entry in mapping.Entries)
                {
                    Note(entry.Value, path.Length == 0 ? entry.Name : $"{path}.{entry.Name}", places, texts);
                }

                break;
            case YamlList list:
                for (int i = 0; i < list.Items.Count; i++)
                {
                    Note(list.Items[i], $"{path}[{i}]", places, texts);
                }

                break;
        }
    }
}
