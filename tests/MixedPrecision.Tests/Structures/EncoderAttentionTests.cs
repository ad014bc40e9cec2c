using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

using Structure = MixedPrecision.Structures.Structure;

/// <summary>Structures of encoders compute what the exported form does: for forms of exporters, sizes, padding, and with the runtime's optimizations and without.</summary>
public class EncoderAttentionTests
{
    private static readonly (int Batch, int Sequence)[] Sizes = [(1, 1), (3, 7), (8, 48), (1, 197)];

    public static TheoryData<string, string> Cases => [.. from form in EncoderForms.All.Keys
                                                          from structure in new[] { StructureNames.QuantizedAttention, StructureNames.Attention, StructureNames.MultiHeadAttention }
                                                          select (form, structure)];

    public static TheoryData<string> Variants => [.. EncoderVariants.Named.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void ComputesWhatTheExportedFormDoes(string name, string structure)
    {
        EncoderForm form = EncoderForms.All[name];
        using OnnxModel model = EncoderModel.Make(form);
        var structured = new StructuredModel(model);
        AssertSame(structured, Assert.Single(structured.Matches(Of(structure))), form);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void FitsOnlyWhatTheKernelsCompute(string name)
    {
        (EncoderForm form, string[] fitting) = EncoderVariants.Named[name];
        using OnnxModel model = EncoderModel.Make(form);
        var structured = new StructuredModel(model);
        string[] found = [.. new[] { StructureNames.QuantizedAttention, StructureNames.Attention, StructureNames.MultiHeadAttention }.Where(s => structured.Matches(Of(s)).Count > 0)];
        Assert.Equal(fitting, found);
        foreach (string structure in found)
        {
            AssertSame(structured, structured.Matches(Of(structure))[0], form);
        }
    }

    /// <summary>Where a sequence has nothing to read, softmax sees equal scores, or none at all: the kernels give what the exported form gives.</summary>
    [Theory]
    [InlineData("TorchScript, BERT")]
    [InlineData("TorchScript, BERT of opset 12")]
    [InlineData("TorchScript, DistilBERT")]
    [InlineData("TorchScript, DistilBERT with infinity")]
    [InlineData("dynamo, masked")]
    [InlineData("Attention of opset 23")]
    [InlineData("TorchScript, MultiheadAttention")]
    [InlineData("a guard before infinite masks")]
    [InlineData("infinite masks without a guard")]
    public void ASequenceThatMayReadNothingGivesTheSame(string name)
    {
        EncoderForm form = EncoderForms.All.TryGetValue(name, out EncoderForm? exported) ? exported : EncoderVariants.Named[name].Form;
        using OnnxModel model = EncoderModel.Make(form);
        var structured = new StructuredModel(model);
        Dictionary<string, Tensor> inputs = EncoderModel.Inputs(form, 2, 5, isPadded: true);
        inputs["attention_mask"] = Tensor.Of<long>([0, 0, 0, 0, 0, 1, 1, 1, 0, 0], 2, 5);
        foreach (string structure in new[] { StructureNames.QuantizedAttention, StructureNames.Attention, StructureNames.MultiHeadAttention })
        {
            StructureMatch match = Assert.Single(structured.Matches(Of(structure)));
            float[] expected = Run(structured.Written([], match.Fixed), inputs, GraphOptimizationLevel.ORT_DISABLE_ALL);
            float[] found = Run(structured.Written([match]), inputs, GraphOptimizationLevel.ORT_DISABLE_ALL);
            Assert.Equal(expected.Select(float.IsNaN), found.Select(float.IsNaN));
            Assert.True(Difference([.. expected.Where(float.IsFinite)], [.. found.Where(float.IsFinite)]) <= 1e-5);
        }
    }

    /// <summary>Masks are made once for a model, however many attentions read them.</summary>
    [Fact]
    public void EachSubgraphOfAModelIsWrittenAndItsMaskOnce()
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model("docarea"));
        var structured = new StructuredModel(model);
        foreach (string name in new[] { StructureNames.QuantizedAttention, StructureNames.Attention, StructureNames.MultiHeadAttention })
        {
            IReadOnlyList<StructureMatch> matches = structured.Matches(Of(name));
            Assert.Equal(4, matches.Count);
            ModelProto written = structured.Written(matches);
            Assert.Equal(4, written.Graph.Node.Count(matches[0].Kernels[0].Runs));
            Assert.Single(written.Graph.Node, n => n.OpType == "Greater");
            long[] tokens = [.. Enumerable.Range(0, 3 * 20).Select(i => (long)(i * 37 % 8000))], mask = [.. Enumerable.Range(0, 3 * 20).Select(i => i % 20 < 20 - (i / 20 * 6) ? 1L : 0)];
            var inputs = new Dictionary<string, Tensor> { ["input_ids"] = Tensor.Of<long>(tokens, 3, 20), ["attention_mask"] = Tensor.Of<long>(mask, 3, 20) };

            // Rounding at run time turns last bits into steps; four blocks of float do not.
            double difference = Difference(Run(structured.Written([], matches.SelectMany(m => m.Fixed).ToDictionary()), inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(written, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL));
            Assert.True(difference <= (name == StructureNames.QuantizedAttention ? 5e-3 : 1e-5), $"{name}: {difference}");
        }
    }

    private static Structure Of(string name) => KnownStructures.All.Single(s => s.Name == name);

    /// <summary>Holds a structure, in the whole model and cut out as it is timed, against the exported form in the formats that it fixes.</summary>
    private static void AssertSame(StructuredModel structured, StructureMatch match, EncoderForm form)
    {
        ModelProto exported = structured.Written([], match.Fixed), written = structured.Written([match]);
        Assert.Contains(written.Graph.Node, match.Kernels[0].Runs);
        Assert.DoesNotContain(written.Graph.Node, n => n.OpType is "Softmax" or "Attention" && n.Domain == "");
        double tolerance = match.Fixed.Values.All(f => f == FormatFamilies.Baseline) ? 1e-5 : 1e-3;
        foreach ((int batch, int sequence) in Sizes)
        {
            foreach (bool isPadded in form.HasMask ? new[] { false, true } : [false])
            {
                Dictionary<string, Tensor> inputs = EncoderModel.Inputs(form, batch, sequence, isPadded);
                (ModelProto exportedCut, ModelProto writtenCut, IReadOnlyDictionary<string, Tensor> fed) = structured.CutOut(match, inputs);
                foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_ALL })
                {
                    double whole = Difference(Run(exported, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(written, inputs, level));
                    double cut = Difference(Run(exportedCut, fed, GraphOptimizationLevel.ORT_DISABLE_ALL), Run(writtenCut, fed, level));
                    Assert.True(Math.Max(whole, cut) <= tolerance, $"{batch} × {sequence}, padded {isPadded}, {level}: {whole} whole, {cut} cut out");
                }
            }
        }
    }

    private static float[] Run(ModelProto model, IReadOnlyDictionary<string, Tensor> inputs, GraphOptimizationLevel level)
    {
        using Session session = Session.Create(model, new SessionSettings(Optimization: level));
        return session.Run(inputs).Values.Where(v => v.ElementType == ElementType.Float).SelectMany(v => v.Values<float>().ToArray()).ToArray();
    }

    /// <summary>The largest difference, as a share of the largest value.</summary>
    private static double Difference(float[] expected, float[] found) => expected.Zip(found, (e, f) => Math.Abs(e - f)).Max() / expected.Max(Math.Abs);
}
