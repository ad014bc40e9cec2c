using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>
/// The mask of a decoder as transformers computes it for a cache of any length: float's lowest number where a token would see a later one, or one that the attention mask leaves out. The
/// columns of the attention mask are assigned in place, which is exported as ScatterND with an index for every element.
/// </summary>
internal static class CausalMask
{
    /// <param name="model">The module whose nodes these are.</param>
    /// <param name="embedded">[batch, sequence, width].</param>
    /// <param name="attention">[batch, past + sequence], 1 or 0.</param>
    /// <param name="cache">Keys of earlier tokens, [batch, heads, past, size].</param>
    /// <returns>[batch, 1, sequence, past + sequence].</returns>
    public static string Of(TracedModule model, string embedded, string attention, string cache)
    {
        string past = model.SizeOf(cache, 2), sequence = model.SizeOf(embedded, 1);
        string rows = model.Range(past, model.Add(past, sequence));
        string batch = model.SizeOf(embedded, 0), columns = model.SizeOf(attention, 1);
        string full = model.Node("ConstantOfShape", [model.Sizes(sequence, columns)], Attributes.Of("value", Tensor.Of<float>([float.MinValue], 1).ToProto("")));
        string upper = model.Node("Trilu", [full, model.Index(1)], Attributes.Of("upper", 1));
        string later = model.Node("Greater", [model.Range(model.Index(0), columns), model.View(rows, -1, 1)]);
        string causal = model.Mul(upper, model.Cast(later, ElementType.Float));
        string wide = model.Expand(model.Unsqueeze(model.Unsqueeze(causal, 0), 1), batch, 1, -1, -1);

        string width = model.SizeOf(attention, 1);
        string left = model.Slice(wide, 3, model.Integers(0), model.Unsqueeze(width, 0));
        string seen = model.Cast(model.Unsqueeze(model.Unsqueeze(attention, 1), 2), ElementType.Float);
        string hidden = model.Node("Equal", [model.Add(left, seen), model.Number(0)]);
        return Assign(model, wide, model.Node("Where", [hidden, model.Number(float.MinValue), left]), width);
    }

    /// <summary>wide[:, :, :, :width] = values.</summary>
    private static string Assign(TracedModule model, string wide, string values, string width)
    {
        string[] indices = [.. Enumerable.Range(0, 4).Select(axis =>
        {
            string all = model.Range(model.Index(0), model.SizeOf(wide, axis));
            string chosen = axis < 3 ? all : model.Slice(all, 0, model.Integers(0), model.Unsqueeze(width, 0));
            return model.View(chosen, [.. Enumerable.Range(0, 4 - axis).Select(i => (TracedSize)(i == 0 ? -1 : 1))]);
        })];
        string shape = model.Node("Shape", [model.Add(model.Add(model.Add(indices[0], indices[1]), indices[2]), indices[3])]);
        string index = model.Concat(-1, [.. indices.Select(i => model.Unsqueeze(model.Node("Expand", [i, shape]), -1))]);
        return model.Node("ScatterND", [wide, index, model.Node("Reshape", [values, shape])]);
    }
}
