using System.Globalization;
using System.Text;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Pipeline;

/// <summary>A scenario that has a plan of its own.</summary>
/// <param name="Key">Tells it from the others, and stands in the names of its files.</param>
/// <param name="Label">Its name, or where it has none its sizes.</param>
public sealed record ScenarioPlan(string Key, string Label);

/// <summary>A scenario that has a plan and a file of its own.</summary>
/// <param name="Scenario">The scenario.</param>
/// <param name="Label">Its name, or where it has none its sizes.</param>
/// <param name="Key">The label as a part of a file's name; no two of a policy have the same, in whatever case.</param>
/// <param name="Model">File name of its model.</param>
internal sealed record ScenarioFile(ScenarioPolicy Scenario, string Label, string Key, string Model)
{
    /// <summary>Begins a clause of a message: for which scenario it holds.</summary>
    public string Clause => $"for the scenario {Wording.Quote(Label)}, ";

    /// <summary>The policy where the scenario counts alone.</summary>
    public Policy Alone(Policy policy) => policy with { Scenarios = [Scenario] };
}

/// <summary>
/// Names of what is emitted for each scenario: <c>model.decode.mixed.onnx</c> for a scenario <c>decode</c>. They follow from the policy alone, are of letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, so that
/// every file system takes them, and differ by more than case.
/// </summary>
internal static class ScenarioFiles
{
    private const int LongestKey = 48;
    private const string Mixed = ".mixed";

    /// <summary>The scenarios that have plans of their own: those that count, where the policy asks for that and there are several; else none.</summary>
    public static IReadOnlyList<ScenarioFile> Of(Policy policy)
    {
        ScenarioPolicy[] counting = [.. policy.Scenarios.Where(s => s.Weight > 0)];
        if (!policy.PlansPerScenario || counting.Length < 2)
        {
            return [];
        }

        string stem = Path.GetFileNameWithoutExtension(Delivery.NameOf(policy));
        (string before, string behind) = stem.EndsWith(Mixed, StringComparison.Ordinal) && stem.Length > Mixed.Length ? (stem[..^Mixed.Length], Mixed) : (stem, "");
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        return [.. counting.Select((scenario, index) =>
        {
            string label = LabelOf(scenario), safe = Safe(label) is { Length: > 0 } text ? text : $"{index + 1}", key = safe;
            for (int number = 2; !taken.Add(key); number++)
            {
                key = string.Create(CultureInfo.InvariantCulture, $"{safe}-{number}");
            }

            return new ScenarioFile(scenario, label, key, $"{before}.{key}{behind}.onnx");
        })];
    }

    /// <summary>File name of the weights that the models of all scenarios refer to.</summary>
    public static string DataOf(Policy policy) => Path.ChangeExtension(Delivery.NameOf(policy), ".data");

    private static string LabelOf(ScenarioPolicy scenario) => scenario.Name
        ?? string.Join(", ", scenario.Inputs.OrderBy(i => i.Key, StringComparer.Ordinal).Select(i => string.Create(CultureInfo.InvariantCulture, $"{i.Key} {i.Value}")));

    /// <summary>What stands in a name beside letters and digits becomes one hyphen, but for dots and underscores; accents go.</summary>
    internal static string Safe(string label)
    {
        var safe = new StringBuilder();
        foreach (char c in Accents.Strip(label))
        {
            if (char.IsAsciiLetterOrDigit(c) || c is '_' or '.')
            {
                safe.Append(c);
            }
            else if (safe.Length > 0 && safe[^1] != '-')
            {
                safe.Append('-');
            }
        }

        return safe.ToString(0, Math.Min(safe.Length, LongestKey)).Trim('-', '.');
    }
}
