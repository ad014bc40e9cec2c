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

    [Theory]
    [MemberData(nameof(Cases))]
    public void ComputesWhatTheExportedFormDoes(string name, string structureName)
    {
        EncoderForm form = EncoderForms.All[name];
        using OnnxModel model = EncoderModel.Make(form);
        var structured = new StructuredModel(model);
        Structure structure = KnownStructures.All.Single(s => s.Name == structureName);
        StructureMatch match = Assert.Single(structured.Matches(structure));

        // What a structure computes in a format is held against the exported form in that format.
        ModelProto exported = structured.Written([], match.Fixed), written = structured.Written([match]);
        Assert.Contains(written.Graph.Node, match.Kernel.Runs);
        Assert.DoesNotContain(written.Graph.Node, n => n.OpType == "Softmax");
        double tolerance = structureName == StructureNames.QuantizedAttention ? 1e-3 : 1e-5;
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
        return session.Run(inputs).First().Value.Values<float>().ToArray();
    }

    /// <summary>The largest difference, as a share of the largest value.</summary>
    private static double Difference(float[] expected, float[] found) => expected.Zip(found, (e, f) => Math.Abs(e - f)).Max() / expected.Max(Math.Abs);
}
