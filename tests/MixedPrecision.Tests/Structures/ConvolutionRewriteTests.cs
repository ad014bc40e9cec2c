using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

/// <summary>What exporters write beside convolutions is computed in fewer operators, with the results of the exported form.</summary>
public class ConvolutionRewriteTests
{
    public static TheoryData<string> NormalizedNames => [.. ConvolutionForms.Normalized.Keys];

    public static TheoryData<string> ActivationNames => [.. ConvolutionForms.Activations.Keys];

    public static TheoryData<string> MeanNames => [.. ConvolutionForms.Means.Keys];

    public static TheoryData<string> SlopeNames => [.. ConvolutionForms.Slopes.Keys];

    public static TheoryData<string> OtherNames => [.. ConvolutionForms.Other.Keys];

    public static TheoryData<string> AnywayNames => [.. ConvolutionForms.Anyway.Keys];

    [Theory]
    [MemberData(nameof(NormalizedNames))]
    public void ConstantsThatNoConvolutionTakesInAreOneOperator(string name) => AssertSame(ConvolutionForms.Normalized[name]);

    [Theory]
    [MemberData(nameof(ActivationNames))]
    public void HardSigmoidIsItsOperator(string name) => AssertSame(ConvolutionForms.Activations[name]);

    [Theory]
    [MemberData(nameof(MeanNames))]
    public void AMeanOverSpaceIsAPool(string name) => AssertSame(ConvolutionForms.Means[name]);

    [Theory]
    [MemberData(nameof(SlopeNames))]
    public void PReluIsWrittenWithWhatRunsOnBlockedChannels(string name) => AssertSame(ConvolutionForms.Slopes[name]);

    [Theory]
    [MemberData(nameof(OtherNames))]
    public void WhatIsNotTheSameStaysAsItIs(string name)
    {
        using OnnxModel model = ConvolutionModel.Make(ConvolutionForms.Other[name]);
        Assert.Empty(new StructuredModel(model).Found(StructureNames.Fused));
    }

    [Theory]
    [MemberData(nameof(AnywayNames))]
    public void WhatTheRuntimeFoldsStaysAsItIs(string name)
    {
        using OnnxModel model = ConvolutionModel.Make(ConvolutionForms.Anyway[name]);
        Assert.Empty(new StructuredModel(model).Found(StructureNames.Fused));
        Assert.Empty(Optimized(model.Proto).Intersect(ConvolutionForms.Anyway[name].Gone));
    }

    /// <summary>Holds the rewrites of a form against the exported form, in the whole model and cut out as they are timed.</summary>
    private static void AssertSame(ConvolutionForm form)
    {
        using OnnxModel model = ConvolutionModel.Make(form);
        var structured = new StructuredModel(model);
        IReadOnlyList<StructureMatch> matches = structured.Found(StructureNames.Fused);
        Assert.NotEmpty(matches);
        Assert.All(matches, m => Assert.Empty(m.Fixed));
        ModelProto written = structured.Written(matches);
        Assert.Empty(written.Graph.Node.Select(n => n.OpType).Intersect(form.Gone));
        Assert.All(written.Graph.Node, n => Assert.True(n.Output.Any(o => o == "y" || written.Graph.Node.Any(r => r.Input.Contains(o))), $"nothing reads what {n.OpType} computes"));
        foreach ((int batch, int first, int second) in new[] { (1, 7, 9), (3, 12, 5) })
        {
            long[] sizes = [first, second, 6];
            Dictionary<string, Tensor> inputs = ConvolutionModel.Inputs(batch, sizes[..form.Spatial]);
            foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_ALL })
            {
                Rewriting.AssertEqual(Run(model.Proto, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(written, inputs, level), 1e-5);
                foreach (StructureMatch match in matches)
                {
                    (ModelProto exportedCut, ModelProto writtenCut, IReadOnlyDictionary<string, Tensor> fed) = structured.CutOut(match, inputs);
                    Rewriting.AssertEqual(Run(exportedCut, fed, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(writtenCut, fed, level), 1e-5);
                }
            }
        }
    }

    private static IReadOnlyDictionary<string, Tensor> Run(ModelProto model, IReadOnlyDictionary<string, Tensor> inputs, GraphOptimizationLevel level)
    {
        using Session session = Session.Create(model, new SessionSettings(1, level));
        return session.Run(inputs);
    }

    /// <summary>The operators that the runtime makes of a model.</summary>
    private static List<string> Optimized(ModelProto model)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "model.onnx");
        File.WriteAllBytes(path, Google.Protobuf.MessageExtensions.ToByteArray(model));
        return OptimizedModel.Read(path, SessionSettings.Default, optimized => optimized.Proto.Graph.Node.Select(n => n.OpType).ToList());
    }
}
