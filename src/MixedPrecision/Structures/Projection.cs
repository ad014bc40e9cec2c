using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>Columns of a product with a weight, and a bias behind it, that are read by an attention alone.</summary>
/// <param name="Layer">Name of the layer.</param>
/// <param name="First">The first of the columns.</param>
/// <param name="Input">What it multiplies, [batch, places, features], where the model has it so.</param>
/// <param name="Read">The same as the layer reads it.</param>
/// <param name="IsPlacesFirst">Whether that is [places, batch, features].</param>
/// <param name="Target">Where batch and places are one axis of it, a vector that begins with both, which the result is given the shape of; else null.</param>
/// <param name="Bias">What is added to the columns.</param>
internal sealed record Projection(string Layer, int First, string? Input, string Read, bool IsPlacesFirst, string? Target, float[] Bias)
{
    /// <summary>The projection that an operand of an attention comes from, or null.</summary>
    public static Projection? Of(StructureSite site, AttentionPattern attention, AttentionOperand operand, int size)
    {
        var walk = new GraphWalk(site);
        bool isPlacesFirst = operand.Packed?.IsPlacesFirst ?? operand.Form == OperandForm.PlacesFirst;
        (string value, string? target) = BehindReshape(walk, operand.Packed?.Name ?? operand.Name);
        string? added = null;
        if (walk.Producer(value) is { OpType: "Add", Domain: "" or "ai.onnx" } sum)
        {
            int constant = site.Partition.View.Constants.Contains(sum.Input[0]) ? 0 : 1;
            added = sum.Input[constant];
            (value, string? other) = BehindReshape(walk, sum.Input[1 - constant]);
            target ??= other;
        }

        if ((operand.Packed is null && operand.Form == OperandForm.HeadsFirst) || site.Subgraph.Layers.FirstOrDefault(l => l.Output == value) is not { } layer || !attention.Dropped.Contains(value)
            || site.Sites[layer.Name] is var own && (!own.HasWeightMatrix || own.Input.ElementType != ElementType.Float || own.OutputSize != (operand.Packed is null ? size : 3 * size)))
        {
            return null;
        }

        bool isFlat = walk.Shapes.Of(layer.Input) is { Length: 2 };
        if (isFlat && (isPlacesFirst || target is null || walk.Shapes.Elements(target) is not [{ } rows, { } length, ..] || !rows.Equals(attention.Batch) || !length.Equals(operand.Places)))
        {
            return null;
        }

        string? input = isFlat ? BehindReshape(walk, layer.Input).Value
            : !isPlacesFirst ? walk.Source(layer.Input)
            : walk.Producer(layer.Input) is { OpType: "Transpose" } transpose && transpose.Ints("perm") is [1, 0, 2] ? walk.Source(transpose.Input[0]) : null;
        bool Is(string of, params Size[] sizes) => walk.Shapes.Of(of) is { } shape && shape.SequenceEqual(sizes);
        Size features = Size.Of(own.InputSize);
        var bias = new float[own.OutputSize];
        if ((input is null ? !Is(layer.Input, operand.Places, attention.Batch, features) : !Is(input, attention.Batch, operand.Places, features))
            || !Add(site, bias, added, 1) || !Add(site, bias, layer.Bias, own.Node.Float("beta", 1)))
        {
            return null;
        }

        int first = (operand.Packed?.Part ?? 0) * size;
        return new Projection(layer.Name, first, input, layer.Input, isPlacesFirst, isFlat ? target : null, bias[first..(first + size)]);
    }

    /// <summary>The input as the graph at hand has it.</summary>
    public string InputOf(StructureEmission e) => Input is not null && e.Has(Input) ? Input : Read;

    /// <summary>A value of the input's rows, such as itself or its quantized form, as [batch, places, features].</summary>
    /// <param name="rows">Made of <see cref="InputOf"/>.</param>
    public string Apart(StructureEmission e, string rows, int features) => InputOf(e) == Input ? rows
        : IsPlacesFirst ? e.Builder.Transpose(rows, [1, 0, 2])
        : Target is null ? rows
        : e.Builder.Node("Reshape", [rows, e.Builder.Concat(0, e.Builder.Slice(Target, 0, 0, 2), e.Builder.Integers(features))]);

    private static (string Value, string? Target) BehindReshape(GraphWalk walk, string value) =>
        walk.Producer(value) is { OpType: "Reshape", Domain: "" or "ai.onnx" } reshape ? (walk.Source(reshape.Input[0]), reshape.Input[1]) : (walk.Source(value), null);

    /// <summary>Adds a constant to each column's bias. False when it is none, or not the same for all rows.</summary>
    private static bool Add(StructureSite site, float[] bias, string? constant, float factor)
    {
        if (constant is null)
        {
            return true;
        }

        if (Weights.Read(site.Model, site.Partition.View, constant) is not { ElementType: ElementType.Float } tensor || (tensor.Count != 1 && (tensor.Count != bias.Length || tensor.Shape[^1] != bias.Length)))
        {
            return false;
        }

        ReadOnlySpan<float> values = tensor.Values<float>();
        for (int column = 0; column < bias.Length; column++)
        {
            bias[column] += factor * values[values.Length == 1 ? 0 : column];
        }

        return true;
    }
}
