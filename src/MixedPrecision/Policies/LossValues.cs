using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>Readers of what a policy says of losses.</summary>
internal static class LossValues
{
    /// <summary>A loss as its name alone, as a section, or as a list of either.</summary>
    public static ValueReader<(LossKind? Short, IReadOnlyList<LossPolicy> Losses)> OneOrSeveral(ValueReader<LossKind> name, ValueReader<LossPolicy> section)
    {
        const string Expected = "a loss such as cross-entropy, a section such as { kind: cross-entropy, output: logits }, or a list of them";
        var one = new ValueShape(Expected, "string", "object") { Names = name.Shape.Names, Keys = section.Shape.Keys };
        var shape = new ValueShape(Expected, "string", "object", "array") { Names = name.Shape.Names, Keys = section.Shape.Keys, Items = one };
        return new(shape, (node, path) => node switch
        {
            YamlList { Items.Count: 0 } => throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), Expected),
            YamlList list => (null, [.. list.Items.Select((item, index) => One(item, $"{path}[{index}]"))]),
            YamlMapping => (null, [One(node, path)]),
            YamlScalar { Type: not ScalarType.Text } => throw Errors.PolicyWrongType(node.Place, path, node.Describe(), Expected),
            _ when name.Read(node, path) is var kind && kind != LossKind.Graph => (kind, []),
            _ => throw WithoutFile(node.Place, path),
        });

        LossPolicy One(YamlNode node, string path) => node switch
        {
            YamlMapping => section.Read(node, path),
            YamlScalar { Type: ScalarType.Text } when name.Read(node, path) is var kind && kind != LossKind.Graph => new LossPolicy(kind, node.Place),
            YamlScalar { Type: ScalarType.Text } => throw WithoutFile(node.Place, path),
            _ => throw Errors.PolicyWrongType(node.Place, path, node.Describe(), Expected),
        };
    }

    /// <summary>A graph names its file, and nothing else does.</summary>
    public static ValueReader<LossPolicy> Checked(ValueReader<LossPolicy> section) => new(section.Shape, (node, path) =>
    {
        LossPolicy loss = section.Read(node, path);
        if (loss.Kind == LossKind.Graph && loss.File is null)
            throw WithoutFile(loss.Place, path);
        return loss.Kind == LossKind.Graph || loss.File is null
            ? loss
            : throw Errors.PolicyImpossibleValue(loss.Place, $"{path}.file", Wording.Quote(loss.File), "no file, which only a loss of kind graph has");
    });

    private static MixedPrecisionException WithoutFile(Place place, string path) =>
        Errors.PolicyMissingKey(place, "file", $"{path} of kind graph", "the path of an ONNX file, as in { kind: graph, file: loss.onnx }");
}
