using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>The formats each layer may take, from the policy's list, its rules, and what applies; the baseline first unless a rule pins another.</summary>
internal static class Choices
{
    /// <summary>The policy with the formats named that it leaves to the processor.</summary>
    public static Policy On(Machine machine, Policy policy)
    {
        string Named(string format) => FormatId.Parse(format).On(machine.AddsExactly()).Text;
        return policy with
        {
            Formats = FormatFamilies.InOrder(policy.Formats.Select(Named)),
            Layers = [.. policy.Layers.Select(rule => rule with { Format = rule.Format is null ? null : Named(rule.Format) })],
        };
    }

    /// <exception cref="MixedPrecisionException">A rule matches no layer (MPB1011), pins a format that does not apply (MPB1012), or rules leave a layer no format (MPB1018), or layers that are to share one (MPB1019).</exception>
    public static IReadOnlyDictionary<string, LayerOptions> Of(Policy policy, Workspace workspace, Machine machine)
    {
        NumberFormat[] formats = [.. policy.Formats.Select(NumberFormats.Get)];
        Layer[] layers = [.. workspace.Partition.Layers];
        IReadOnlyDictionary<string, RulesOfLayer> rules = PolicyChecks.Rules(policy.Layers, [.. layers.Select(l => l.Name)]);
        return Sharing(policy, layers.ToDictionary(l => l.Name, l =>
        {
            LayerSite site = workspace.Sites[l.Name];
            IReadOnlyDictionary<string, string> reasons = NotApplicable(site, formats, machine);
            (FormatId Id, LayerRule Rule, string Reason)[] ruledOut = [.. policy.Formats.Select(FormatId.Parse)
                .Select(id => (id, Found: rules[l.Name].WhyNot(id))).Where(f => f.Found is not null).Select(f => (f.id, f.Found!.Value.Rule, f.Found.Value.Reason))];
            if (rules[l.Name].Pin is { Format: string pinned } pin)
            {
                return ruledOut.FirstOrDefault(f => f.Id.Text == pinned) is { Rule: { } other } ? throw Errors.RulesContradict(pin.Place, l.Name, $"{Wording.Quote(pin.Match)} ({pin.Asks}) and {Wording.Quote(other.Match)} ({other.Asks}) exclude each other")
                    : WhyNot(NumberFormats.Get(pinned), site, machine) is string reason ? throw Errors.PolicyPinnedFormatDoesNotApply(pin.Place, l.Name, pinned, reason)
                    : new LayerOptions([pinned], pin.Match, reasons);
            }

            string[] left = [.. formats.Where(f => WhyNot(f, site, machine) is null).Select(f => f.Name).Except(ruledOut.Select(f => f.Id.Text))];
            return left.Length == 0
                ? throw Errors.RulesContradict(ruledOut[^1].Rule.Place, l.Name, $"{string.Join(", ", ruledOut.Select(f => $"{f.Id.Text}: {f.Reason}"))}; {string.Join("; ", reasons.Select(r => $"{r.Key}: {r.Value}"))}".TrimEnd(' ', ';'))
                : new LayerOptions(left, null, Merged(reasons, ruledOut.Select(f => (f.Id.Text, f.Reason))));
        }));
    }

    /// <summary>By layer, the formats that it may take where layers share theirs: those that all of a group may.</summary>
    /// <exception cref="MixedPrecisionException">MPB1019: there is none.</exception>
    private static Dictionary<string, LayerOptions> Sharing(Policy policy, Dictionary<string, LayerOptions> options)
    {
        foreach (SharingLayers group in SharingLayers.Of(policy.Layers, [.. options.Keys]))
        {
            var common = options[group.Layers[0]].Formats.ToList();
            foreach (string layer in group.Layers)
            {
                common.RemoveAll(format => !options[layer].Formats.Contains(format));
                if (common.Count == 0)
                {
                    string other = group.Layers.FirstOrDefault(l => !options[l].Formats.Intersect(options[layer].Formats).Any()) ?? group.Layers[0];
                    throw Errors.FormatCannotBeShared(group.Rule.Place, group.Rule.Match, (other, options[other].Formats), (layer, options[layer].Formats));
                }
            }

            string? pinned = group.Layers.Select(l => options[l].Pinned).FirstOrDefault(p => p is not null);
            foreach (string layer in group.Layers)
            {
                options[layer] = new LayerOptions(
                    [.. common],
                    options[layer].Pinned ?? (pinned is null ? null : group.Rule.Match),
                    Merged(options[layer].NotApplicable, options[layer].Formats.Except(common).Select(f => (f, $"not every layer that shares its format by the rule {Wording.Quote(group.Rule.Match)} may take it"))));
            }
        }

        return options;
    }

    private static Dictionary<string, string> Merged(IReadOnlyDictionary<string, string> reasons, IEnumerable<(string Format, string Reason)> more) =>
        reasons.Concat(more.Where(m => !reasons.ContainsKey(m.Format)).Select(m => KeyValuePair.Create(m.Format, m.Reason))).ToDictionary();

    /// <summary>
    /// Of some formats those that cannot run a layer, with the reason; where some are meant for its kind, of these alone: that the others are not is no news.
    /// </summary>
    public static IReadOnlyDictionary<string, string> NotApplicable(LayerSite site, IReadOnlyList<NumberFormat> formats, Machine machine)
    {
        NumberFormat[] meant = [.. formats.Where(f => f != NumberFormats.Baseline && f.IsFor(site.Layer.Kind))];
        return (meant.Length > 0 ? meant : formats)
            .Select(f => (f.Name, Reason: WhyNot(f, site, machine)))
            .Where(f => f.Reason is not null)
            .ToDictionary(f => f.Name, f => f.Reason!);
    }

    /// <summary>The formats that a policy has by default, as this machine's processor has them.</summary>
    public static IReadOnlyList<NumberFormat> Default(Machine machine) =>
        [.. FormatFamilies.Presets[FormatFamilies.DefaultPreset].Select(f => NumberFormats.Get(FormatId.Parse(f).On(machine.AddsExactly()).Text))];

    /// <summary>Whether a machine computes a format rightly.</summary>
    public static bool Runs(NumberFormat format, Machine machine) => !format.NeedsExactSums || machine.AddsExactly();

    private static string? WhyNot(NumberFormat format, LayerSite site, Machine machine) => format.WhyNot(site)
        ?? (Runs(format, machine) ? null : $"the processor ({Wording.Escape(machine.Processor)}) has neither VNNI nor AMX: it adds products in 16 bits, which saturate; leave the parameter out, or name another");

    /// <summary>The same after calibration: a layer that could not be judged keeps the baseline, unless a rule pins it, with the reason.</summary>
    /// <exception cref="MixedPrecisionException">MPB1012: rules keep a layer from the baseline whose values or gradients are no numbers, so that nothing can be told of the loss. MPB1019: layers cannot share a format any more.</exception>
    public static IReadOnlyDictionary<string, LayerOptions> Judged(
        Policy policy, IReadOnlyDictionary<string, LayerOptions> allowed, Sensitivities sensitivities) =>
        Sharing(policy, sensitivities.Layers.ToDictionary(l => l.Name, l =>
        {
            LayerOptions options = allowed[l.Name];
            string[] others = [.. options.Formats.Where(f => f != Problems.Baseline)];
            bool mustChange = !options.Formats.Contains(Problems.Baseline);
            if (l.State == LayerState.NotFinite && mustChange)
            {
                throw Errors.PolicyPinnedFormatDoesNotApply(RuleOf(policy, l.Name).Place, l.Name, others[0], l.Reason!);
            }

            return l.Reason is null || mustChange || others.Length == 0 ? options : options with
            {
                Formats = [Problems.Baseline],
                NotApplicable = Merged(options.NotApplicable, others.Select(f => (f, l.Reason!))),
            };
        }));

    /// <summary>The last of the rules that match a layer which some rule matches.</summary>
    private static LayerRule RuleOf(Policy policy, string layer) => policy.Layers.Last(r => Glob.IsMatch(r.Match, layer));

    /// <summary>
    /// Of the structures that a sub-graph may have those that the policy allows and that fix formats which the layers may take; of a family that one fixes it is the format that the
    /// policy names. Where time is not the objective, there is none to choose.
    /// </summary>
    public static IReadOnlyList<FoundStructure> Structures(Policy policy, Workspace workspace, IReadOnlyDictionary<string, LayerOptions> allowed, Subgraph subgraph) => policy.Objective != Objective.Time ? []
        : [.. workspace.StructuresOf(subgraph).Where(s => policy.Structures.Contains(s.Structure.Name)).Select(s => Fixing(s, allowed)).OfType<FoundStructure>()];

    private static FoundStructure? Fixing(FoundStructure structure, IReadOnlyDictionary<string, LayerOptions> allowed)
    {
        static string FamilyOf(string format) => FormatId.Parse(format).Family.Name;
        var own = structure.Match.Fixed.ToDictionary(f => f.Key, f => allowed[f.Key].Formats.FirstOrDefault(format => FamilyOf(format) == FamilyOf(f.Value)));
        return own.Values.Any(f => f is null) ? null : structure with { Match = structure.Match with { Fixed = own.ToDictionary(f => f.Key, f => f.Value!) } };
    }

    /// <summary>Whether some layer may run in something else than the baseline, or some sub-graph in another structure than the exported one.</summary>
    public static bool Any(Materials materials, IReadOnlyDictionary<string, LayerOptions> allowed) => allowed.Values.Any(o => o.Formats.Any(f => f != Problems.Baseline))
        || materials.Workspace.Partition.Subgraphs.Any(s => Structures(materials.Policy, materials.Workspace, allowed, s).Count > 0);
}

/// <summary>What one layer may run in.</summary>
/// <param name="Formats">Names of formats, at least one.</param>
/// <param name="Pinned">The pattern of the rule that leaves one format only, or null.</param>
/// <param name="NotApplicable">Formats of the policy that the layer cannot run in, or that rules forbid, with the reason; without those for other kinds of layers, unless all are.</param>
internal sealed record LayerOptions(IReadOnlyList<string> Formats, string? Pinned, IReadOnlyDictionary<string, string> NotApplicable);
