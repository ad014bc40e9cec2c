using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Structures;

/// <summary>Attention that some structures do not fit, or none.</summary>
internal static class EncoderVariants
{
    private static readonly double Scale = 1 / Math.Sqrt(EncoderModel.HeadSize);
    private static readonly string[] None = [];
    private static readonly string[] Products = [StructureNames.MultiHeadAttention];
    private static readonly string[] All = [StructureNames.QuantizedAttention, StructureNames.Attention, StructureNames.MultiHeadAttention];

    /// <summary>By name the form, and the structures that fit.</summary>
    public static readonly IReadOnlyDictionary<string, (EncoderForm Form, string[] Structures)> Named = new Dictionary<string, (EncoderForm, string[])>
    {
        ["a mask of each query, as causal ones are"] = (new(17, HasMask: false, m => Plain(m, scores: s => m.B.Add(s, Causal(m)))), Products),
        ["an addend of each head and a mask"] = (new(17, HasMask: true, m => Plain(m, scores: s => m.B.Add(m.B.Add(s, m.Weight(1, EncoderModel.Heads, 1, 1)), Padding(m, -10000)))), Products),
        ["a mask that hides by 5"] = (new(17, HasMask: true, m => Plain(m, scores: s => m.B.Add(s, Padding(m, -5)))), All),
        ["a condition that puts −10,000 in place"] = (new(14, HasMask: true, m => EncoderForms.DistilBert(m, -10000)), None),
        ["a scale behind the mask"] = (new(17, HasMask: true, m => Plain(m, scores: s => m.B.Mul(m.B.Add(s, Padding(m, -10000)), m.B.Scalar(0.5)))), None),
        ["weights that are read elsewhere"] = (new(17, HasMask: false, m => Plain(m, weights: w => m.B.ReduceSum(w, [1, 2, 3], keepDimensions: true))), None),
        ["a guard before infinite masks"] = (new(17, HasMask: true, m => Plain(m, scores: s => m.B.Add(s, Infinite(m)), isGuarded: true)), All),
        ["a guard before an infinite mask of each query"] = (new(17, HasMask: false, m => Plain(m, scores: s => m.B.Add(s, Causal(m, double.NegativeInfinity)), isGuarded: true)), None),
        ["infinite masks without a guard"] = (new(17, HasMask: true, m => Plain(m, scores: s => m.B.Add(s, Infinite(m)))), All),
        ["keys and values of a longer sequence"] = (new(17, HasMask: false, m => Plain(m, memory: x => m.B.Concat(1, x, x))), Products),
        ["queries with an addend behind the division into heads"] = (new(17, HasMask: false, m => Plain(m, queries: q => m.B.Add(q, m.Weight(1, 1, 1, EncoderModel.HeadSize)))), Products),
        ["a softmax over queries"] = (new(17, HasMask: false, m => Plain(m, axis: 2)), None),
        ["a scale of each head"] = (new(17, HasMask: false, m => Plain(m, scores: s => m.B.Mul(s, m.Weight(1, EncoderModel.Heads, 1, 1)))), None),
    };

    private static string Plain(
        EncoderModel m,
        Func<string, string>? queries = null,
        Func<string, string>? scores = null,
        Func<string, string>? weights = null,
        Func<string, string>? memory = null,
        bool isGuarded = false,
        int axis = -1)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized(), other = memory is null ? x : memory(x);
        string q = m.Divided(m.Linear(x)), k = m.Divided(m.Linear(other)), v = m.Divided(m.Linear(other));
        string product = b.Mul(b.MatMul(queries is null ? q : queries(q), b.Transpose(k, [0, 1, 3, 2])), b.Scalar(Scale));
        string probabilities = b.Node("Softmax", [scores is null ? product : scores(product)], Attributes.Of("axis", axis));
        if (isGuarded)
        {
            probabilities = b.Where(b.Node("IsNaN", [probabilities]), b.Scalar(0), probabilities);
        }

        string joined = m.Joined(b.MatMul(probabilities, v));
        return weights is null ? joined : b.Mul(joined, b.Node("Squeeze", [weights(probabilities), b.Integers(1)]));
    }

    private static string Padding(EncoderModel m, double fill) => m.B.Mul(m.B.Sub(m.B.Scalar(1), m.B.Cast(m.Unsqueezed("attention_mask", 1, 2), ElementType.Float)), m.B.Scalar(fill));

    private static string Infinite(EncoderModel m) => m.B.Where(m.B.Cast(m.Unsqueezed("attention_mask", 1, 2), ElementType.Bool), m.B.Scalar(0), m.B.Scalar(double.NegativeInfinity));

    private static string Causal(EncoderModel m, double fill = -10000)
    {
        string places = m.Size("x", 1);
        string all = m.B.Expand(m.B.Scalar(fill), m.B.Concat(0, places, places));
        return m.B.Node("Trilu", [all, m.B.Constant(Tensor.Scalar(1L))], Attributes.Of("upper", 1));
    }
}
