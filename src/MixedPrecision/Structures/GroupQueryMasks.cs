using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>Masks of an attention as GroupQueryAttention takes them, made once for a model.</summary>
internal static class GroupQueryMasks
{
    /// <summary>Masks as one addend [.., rows, total].</summary>
    public static string Bias(GroupQueryPlan plan, StructureEmission emission, SizeValues numbers)
    {
        string sum = Sum(plan, emission, numbers);
        return numbers.Made($"bias {sum} {plan.HasEmptyRows} {plan.Sizes}", b =>

            // A row of nothing but minus infinity would be no number, whatever it is multiplied by.
            b.Expand(plan.HasEmptyRows ? b.Max(sum, b.Scalar(float.MinValue)) : sum, b.Concat(0, b.Integers(1, 1), numbers.Rows, numbers.Total)));
    }

    /// <summary>1 for rows that see something, 0 for others: [1 or batch, 1 or rows, 1].</summary>
    public static string Seeing(AttentionReader reader, GroupQueryPlan plan, StructureEmission emission, SizeValues numbers)
    {
        string sum = Sum(plan, emission, numbers);
        return numbers.Made($"seeing {sum} {plan.Attention.EmptyFrom} {plan.IsCausal} {plan.Sizes}", b =>
        {
            string seen = b.Greater(sum, b.Scalar(plan.Attention.EmptyFrom!.Value));
            if (plan.IsCausal)
            {
                string Count(string size) => b.Range(b.Node("Reshape", [size, b.Constant(Tensor.Of<long>([], 0), "scalar")]));
                seen = b.And(seen, b.LessOrEqual(b.Unsqueeze(Count(numbers.Total), 0), b.Unsqueeze(b.Add(Count(numbers.Rows), numbers.Past), 1)));
            }

            string number = b.Cast(seen, ElementType.Float);
            string any = reader.Model.Opset >= 18 ? b.Node("ReduceMax", [number, b.Integers(-1)]) : b.Node("ReduceMax", [number], Attributes.Of("axes", [-1L]));

            // Masks have up to four axes, and are the same for all heads.
            return b.Squeeze(b.Expand(any, b.Integers(1, 1, 1, 1)), 1);
        });
    }

    private static string Sum(GroupQueryPlan plan, StructureEmission emission, SizeValues numbers)
    {
        (Mask Mask, string Value)[] masks = [.. plan.Added.Select(m => (m, plan.Sides.Write(m.Value, emission, numbers)))];
        return numbers.Made($"masks {string.Join(' ', masks.Select(m => $"{m.Mask.Form} {m.Value} {m.Mask.Else}"))}", b => b.Sum([.. masks.Select(m => m.Mask.Form switch
        {
            MaskForm.Keeps => b.Where(m.Value, b.Scalar(0), b.Scalar(m.Mask.Else)),
            MaskForm.Hides => b.Where(m.Value, b.Scalar(m.Mask.Else), b.Scalar(0)),
            _ => m.Value,
        })]));
    }
}
