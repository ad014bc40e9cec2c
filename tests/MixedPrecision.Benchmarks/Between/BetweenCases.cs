using Google.Protobuf;
using MixedPrecision.Benchmarks.Targets;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Between;

/// <summary>The models of <c>convolutions</c>, and some of those that are made with another activation.</summary>
internal static class BetweenCases
{
    private static readonly (string Made, string Activation)[] Others = [("resnet18", "silu"), ("resnet18", "hardswish"), ("mobilenetv2", "silu"), ("mobilenetv2", "hardswish")];

    public static IEnumerable<ShownPolicy> Of(string folder, IReadOnlyList<string> names) =>
        ConvolutionCases.Of(folder, names).Concat(Others.Where(o => names.Count == 0 || names.Any($"{o.Made}-{o.Activation}".Contains)).Select(o => With(folder, o.Made, o.Activation)));

    private static ShownPolicy With(string folder, string made, string activation)
    {
        TargetCase target = TargetCase.All.Single(t => t.Name == made);
        string own = Path.Combine(folder, "policies", $"{made}-{activation}"), from = TargetsBenchmark.ModelOf(target, folder);
        Directory.CreateDirectory(own);
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(from, "model.onnx")));
        NodeProto[] nodes = [.. model.Graph.Node.SelectMany(n => n.OpType is not ("Relu" or "Clip") ? [n]
            : activation == "hardswish" ? [Node("HardSwish", n.Output[0], n.Input[0])]
            : new[] { Node("Sigmoid", n.Output[0] + "/sigmoid", n.Input[0]), Node("Mul", n.Output[0], n.Input[0], n.Output[0] + "/sigmoid") })];
        model.Graph.Node.Clear();
        model.Graph.Node.AddRange(nodes);
        string path = Path.Combine(own, "model.onnx"), policy = Path.Combine(own, "model.policy.yaml");
        File.WriteAllBytes(path, model.ToByteArray());
        string relative = Path.GetRelativePath(own, from).Replace('\\', '/');
        File.WriteAllText(policy, target.Policy(relative).Replace($"{relative}/model.onnx", "model.onnx"));
        return new ShownPolicy($"{made}-{activation}", policy, own);
    }

    private static NodeProto Node(string type, string output, params string[] inputs)
    {
        var node = new NodeProto { OpType = type, Name = output };
        node.Input.AddRange(inputs);
        node.Output.Add(output);
        return node;
    }
}
