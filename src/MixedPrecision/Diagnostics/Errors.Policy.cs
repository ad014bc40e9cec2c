namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    /// <summary>MPB1001: the policy's file does not exist.</summary>
    public static MixedPrecisionException PolicyNotFound(string file) => new(Codes.PolicyNotFound, new Place(file),
        $"there is no policy {Wording.Quote(file)}; check the path, which is relative to the current folder (in a project: to the project's folder)");

    /// <summary>MPB1002: the policy's file exists, and reading it failed.</summary>
    public static MixedPrecisionException PolicyUnreadable(string file, string reason) => new(Codes.PolicyUnreadable, new Place(file),
        $"the policy cannot be read: {reason}");

    /// <summary>MPB1003: the policy is no well-formed YAML.</summary>
    public static MixedPrecisionException PolicyNotYaml(Place place, string reason) => new(Codes.PolicyNotYaml, place,
        $"this is not well-formed YAML: {reason}");

    /// <summary>MPB1004: well-formed YAML of a kind that a policy may not use.</summary>
    public static MixedPrecisionException PolicyYamlUnsupported(Place place, string found, string remedy) => new(Codes.PolicyYamlUnsupported, place,
        $"found {found}, which a policy may not use; {remedy}");

    /// <summary>MPB1005: a key that its section does not know.</summary>
    public static MixedPrecisionException PolicyUnknownKey(Place place, string key, string section, IReadOnlyList<string> known) =>
        new(Codes.PolicyUnknownKey, place,
            $"unknown key {Wording.Quote(key)} in {section}{Wording.DidYouMean(key, known)} The keys here are {Wording.List(known)}");

    /// <summary>MPB1006: one key twice in the same section.</summary>
    public static MixedPrecisionException PolicyDuplicateKey(Place place, string key, Place first) => new(Codes.PolicyDuplicateKey, place,
        $"the key {Wording.Quote(key)} was given in line {first.Line} already; keep one of the two");

    /// <summary>MPB1007: a key without which its section says nothing.</summary>
    public static MixedPrecisionException PolicyMissingKey(Place place, string key, string section, string expected) =>
        new(Codes.PolicyMissingKey, place, $"{section} lacks the key {Wording.Quote(key)}; add {Wording.Quote(key + ": …")} with {expected}");

    /// <summary>MPB1008: a value whose YAML type is not the key's.</summary>
    public static MixedPrecisionException PolicyWrongType(Place place, string key, string found, string expected) =>
        new(Codes.PolicyWrongType, place, $"{key}: found {found}, expected {expected}");

    /// <summary>MPB1009: a text that is none of the names which the key takes.</summary>
    public static MixedPrecisionException PolicyUnknownName(Place place, string key, string found, IReadOnlyList<string> known) =>
        new(Codes.PolicyUnknownName, place,
            $"{key}: unknown name {Wording.Quote(found)}{Wording.DidYouMean(found, known)} Expected one of {Wording.List(known)}");

    /// <summary>MPB1010: a value of the right type that cannot be meant.</summary>
    public static MixedPrecisionException PolicyImpossibleValue(Place place, string key, string found, string expected) =>
        new(Codes.PolicyImpossibleValue, place, $"{key}: found {found}, expected {expected}");

    /// <summary>MPB1015: a budget that lets nearly everything pass.</summary>
    public static Diagnostic BudgetLarge(Place place, string budget) => new(Codes.BudgetLarge, Severity.Warning, place,
        $"the budget {budget} is large: beyond a few percent predictions do not hold, and the model may be of no use within it; common are 0.1% to 2%");

    /// <summary>MPB1016: a budget that only a model without any loss of labels meets.</summary>
    public static Diagnostic BudgetFinerThanALabel(Place place, string budget, long labels) => new(Codes.BudgetFinerThanALabel, Severity.Warning, place,
        $"the budget {budget} is finer than one of the {labels} labels of the evaluation samples, which is {100.0 / labels:0.###}%: it is met only if not one is lost. Evaluate on more samples, or allow more");

    /// <summary>MPB1017: threads that have to share processors.</summary>
    public static Diagnostic MoreThreadsThanProcessors(Place place, int threads, int processors) => new(Codes.MoreThreadsThanProcessors, Severity.Warning, place,
        $"the policy sets {threads} threads, and this machine has {processors} {(processors == 1 ? "processor" : "processors")} for them: timings are not those of a machine that has as many. Build on such a machine, or set runtime.threads to at most {processors}");

    /// <summary>MPB1018: what rules say of a layer together leaves it nothing.</summary>
    public static MixedPrecisionException RulesContradict(Place place, string layer, string reason) => new(Codes.RulesContradict, place,
        $"rules leave the layer {Wording.Quote(layer)} no format: {reason}. Change one of the rules, narrow its pattern, or add formats to 'formats'");

    /// <summary>MPB1019: layers that are to share a format, and may have none in common.</summary>
    public static MixedPrecisionException FormatCannotBeShared(Place place, string pattern, (string Layer, IReadOnlyList<string> Formats) one, (string Layer, IReadOnlyList<string> Formats) other) =>
        new(Codes.FormatCannotBeShared, place,
            $"the layers that {Wording.Quote(pattern)} matches are to share a format, and there is none that all of them may take: {Wording.Quote(one.Layer)} may take {string.Join(", ", one.Formats)}, "
            + $"and {Wording.Quote(other.Layer)} {string.Join(", ", other.Formats)}. Narrow the pattern, or change the rules of one of them");

    /// <summary>MPB1011: the pattern of a layer rule matches none of the model's layers.</summary>
    public static MixedPrecisionException PolicyRuleMatchesNothing(Place place, string pattern, IReadOnlyList<string> layers) =>
        new(Codes.PolicyRuleMatchesNothing, place,
            $"the pattern {Wording.Quote(pattern)} matches no layer of the model{Wording.DidYouMean(pattern, layers)} "
            + $"The model has {(layers.Count == 0 ? "no layer" : "the layers " + Wording.List(layers))}; `mixed-precision inspect MODEL` prints them all");
}
