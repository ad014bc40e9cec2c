using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

/// <summary>Single operators in place of rotations and normalizations compute what the exported form does.</summary>
public class FusedOperatorsTests
{
    private const string Rms = "SimplifiedLayerNormalization", Rotary = "com.microsoft.RotaryEmbedding", Joined = "com.microsoft.SkipLayerNormalization";

    public static TheoryData<string> RmsNames => [.. RmsForms.Open.Keys];

    public static TheoryData<string> FusedNames => [.. RmsForms.Fused.Keys];

    public static TheoryData<string> RotaryNames => [.. RotaryForms.All.Keys];

    public static TheoryData<string> ResidualNames => [.. ResidualForms.Joined.Keys];

    public static TheoryData<string> ApartNames => [.. ResidualForms.Apart.Keys];

    public static TheoryData<string> OtherNames => [.. RmsForms.Other.Keys, .. RotaryForms.Other.Keys];

    [Theory]
    [MemberData(nameof(RmsNames))]
    public void ANormalizationThatTheRuntimeDoesNotFuseIsItsOperator(string name)
    {
        Assert.DoesNotContain(Rms, Optimized(RmsForms.Open[name]));
        AssertSame(RmsForms.Open[name], Rms);
    }

    [Theory]
    [MemberData(nameof(FusedNames))]
    public void WhatTheRuntimeFusesStaysAsItIs(string name)
    {
        Assert.Contains(Optimized(RmsForms.Fused[name]), o => o is Rms or "LayerNormalization");
        using OnnxModel model = RewriteModel.Make(RmsForms.Fused[name]);
        Assert.Empty(new StructuredModel(model).Found(StructureNames.Fused));
    }

    [Theory]
    [MemberData(nameof(RotaryNames))]
    public void ARotationIsOneOperator(string name) => AssertSame(RotaryForms.All[name], Rotary);

    [Theory]
    [MemberData(nameof(OtherNames))]
    public void WhatTheOperatorsDoNotComputeStaysAsItIs(string name)
    {
        using OnnxModel model = RewriteModel.Make(RmsForms.Other.TryGetValue(name, out RewriteForm? form) ? form : RotaryForms.Other[name]);
        Assert.Empty(new StructuredModel(model).Found(StructureNames.Fused));
    }

    /// <summary>A weight that an app may replace is no constant to be written anew.</summary>
    [Fact]
    public void AWeightThatIsAnInputStaysWhereItIs()
    {
        using OnnxModel made = RewriteModel.Make(RmsForms.Open["square of itself, divided"]);
        ModelProto proto = made.Proto.Clone();
        TensorProto weight = proto.Graph.Initializer.Single(i => i.Dims.Count == 1 && i.Dims[0] == RewriteModel.Width);
        proto.Graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(RewriteModel.Width)]).ToProto(weight.Name));
        using var model = new OnnxModel(proto, "", "model.onnx");
        StructureMatch match = Assert.Single(new StructuredModel(model).Found(StructureNames.Fused));
        ModelProto written = new StructuredModel(model).Written([match]);
        Assert.Contains(written.Graph.Node, n => n.OpType == "Mul" && n.Input.Contains(weight.Name));
    }

    [Theory]
    [MemberData(nameof(ResidualNames))]
    public void AResidualSumThatTheRuntimeJoinsWithANormalizationIsASum(string name)
    {
        Assert.Contains(Joined, Optimized(ResidualForms.Joined[name]));
        AssertSame(ResidualForms.Joined[name], "Sum");
        using OnnxModel model = RewriteModel.Make(ResidualForms.Joined[name]);
        var structured = new StructuredModel(model);
        Assert.DoesNotContain(Joined, Optimized(structured.Written(structured.Found(StructureNames.Fused))));
    }

    [Theory]
    [MemberData(nameof(ApartNames))]
    public void AResidualSumThatTheRuntimeLeavesStaysAsItIs(string name)
    {
        Assert.DoesNotContain(Joined, Optimized(ResidualForms.Apart[name]));
        using OnnxModel model = RewriteModel.Make(ResidualForms.Apart[name]);
        Assert.Empty(new StructuredModel(model).Found(StructureNames.Fused));
    }

    /// <summary>Attention is written with the rewrites of what it leaves, and without those of what it replaces: GroupQueryAttention turns heads itself, MultiHeadAttention does not.</summary>
    [Theory]
    [InlineData(StructureNames.GroupQueryAttention, new[] { "com.microsoft.GroupQueryAttention", Rms })]
    [InlineData(StructureNames.Fused, new[] { Rotary, Rotary, Rms })]
    public void OtherStructuresAreWrittenWithThoseBesideThem(string structure, string[] kernels)
    {
        DecoderForm form = new TracedForm();
        using var model = new OnnxModel(form.Build(), "", "model.onnx");
        var structured = new StructuredModel(model);
        IReadOnlyList<StructureMatch> matches = structured.Found(structure);
        StructureMatch first = matches.First(m => m.Kernels[0].Operator == kernels[0]);
        Assert.Equal(kernels.Where(k => k != Rms), first.Kernels.Select(k => k.Operator).Where(k => k != Rms));
        ModelProto written = structured.Written(matches);
        Assert.DoesNotContain(written.Graph.Node, n => n.OpType == "Neg");
        foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_ALL })
        {
            Dictionary<string, Tensor> inputs = form.Inputs(2, 7, 0, padded: false);
            Rewriting.AssertEqual(Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(written, inputs, level), 1e-5);
        }
    }

    /// <summary>Holds the one rewrite of a form against the exported form, in the whole model and cut out as it is timed.</summary>
    private static void AssertSame(RewriteForm form, string kernel)
    {
        using OnnxModel model = RewriteModel.Make(form);
        var structured = new StructuredModel(model);
        StructureMatch match = Assert.Single(structured.Found(StructureNames.Fused));
        Assert.Equal([kernel], match.Kernels.Select(k => k.Operator));
        Assert.Empty(match.Fixed);
        ModelProto written = structured.Written([match]);
        Assert.Contains(kernel, Operators(written));
        Assert.DoesNotContain(written.Graph.Node, n => n.OpType == (kernel == Rms ? "Sqrt" : "Neg") && kernel != "Sum");
        foreach ((int batch, int rows) in form.Sizes is { } own ? [own] : new[] { (1, 1), (3, 7), (2, 33) })
        {
            Dictionary<string, Tensor> inputs = RewriteModel.Inputs(batch, rows);
            (ModelProto exportedCut, ModelProto writtenCut, IReadOnlyDictionary<string, Tensor> fed) = structured.CutOut(match, inputs);
            foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_ALL })
            {
                Rewriting.AssertEqual(Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(written, inputs, level), 1e-5);
                Rewriting.AssertEqual(Run(exportedCut, fed, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(writtenCut, fed, level), 1e-5);
            }
        }
    }

    private static IReadOnlyDictionary<string, Tensor> Run(ModelProto model, IReadOnlyDictionary<string, Tensor> inputs, GraphOptimizationLevel level)
    {
        using Session session = Session.Create(model, new SessionSettings(1, level));
        return session.Run(inputs);
    }

    /// <summary>The operators that the runtime makes of a model.</summary>
    private static List<string> Optimized(RewriteForm form)
    {
        using OnnxModel model = RewriteModel.Make(form);
        return Optimized(model.Proto);
    }

    private static List<string> Optimized(ModelProto model)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "model.onnx");
        File.WriteAllBytes(path, Google.Protobuf.MessageExtensions.ToByteArray(model));
        return OptimizedModel.Read(path, SessionSettings.Default, optimized => Operators(optimized.Proto));
    }

    private static List<string> Operators(ModelProto model) => [.. model.Graph.Node.Select(n => n.Operator())];
}
