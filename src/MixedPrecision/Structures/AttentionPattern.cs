using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>What is added to the scores of an attention, or put in their place.</summary>
/// <param name="Forms">
/// The value with its shape in four dimensions, which broadcast to batch, heads, queries and keys. Exporters expand masks: what was not yet expanded stands before, and means the same.
/// </param>
/// <param name="Fill">What stands in the place of scores for which the value, then one of truth values, says so; null where numbers are added.</param>
/// <param name="FillsTrue">Whether it is the true ones.</param>
internal sealed record ScoreMask(IReadOnlyList<(string Value, IReadOnlyList<Size> Shape)> Forms, float? Fill = null, bool FillsTrue = false)
{
    /// <summary>A score that is added to such a number does not change it: to add it or to put it in the score's place is the same.</summary>
    public static bool IsAbsorbing(float fill) => fill <= -1e30f;
}

/// <summary>
/// softmax(scale·q·kᵀ + masks)·v for several heads, as exporters write it: projections are divided into heads by Reshape and Transpose, multiplied, and joined again.
/// </summary>
/// <param name="Query">[batch, queries, heads · head size], whatever order the model has them in.</param>
/// <param name="Key">The same with keys.</param>
/// <param name="Value">The same with keys, and the head size of the values.</param>
/// <param name="Output">The value with all heads joined.</param>
/// <param name="Form">How the output lies.</param>
/// <param name="Heads">Number of heads.</param>
/// <param name="HeadSize">Features of a head of queries and keys.</param>
/// <param name="ValueHeadSize">Features of a head of values.</param>
/// <param name="Batch">Number of sequences.</param>
/// <param name="Queries">Length of a sequence of queries.</param>
/// <param name="Keys">Length of a sequence of keys and values.</param>
/// <param name="Scale">What the products are multiplied by, wherever that stands.</param>
/// <param name="Masks">What is added to the scaled products.</param>
/// <param name="EmptyFrom">Where all keys are hidden from a query by this or less, it gets zeros; null: what softmax gives.</param>
/// <param name="Absorbed">Names of the layers q·kᵀ and a·v.</param>
/// <param name="Dropped">Values that are computed for the output alone, and itself.</param>
internal sealed record AttentionPattern(
    AttentionOperand Query,
    AttentionOperand Key,
    AttentionOperand Value,
    string Output,
    OperandForm Form,
    long Heads,
    long HeadSize,
    long ValueHeadSize,
    Size Batch,
    Size Queries,
    Size Keys,
    float Scale,
    IReadOnlyList<ScoreMask> Masks,
    float? EmptyFrom,
    IReadOnlyList<string> Absorbed,
    IReadOnlySet<string> Dropped)
{
    /// <summary>The attention of a sub-graph when it holds exactly one that is computed in float, and nothing inside of it is read elsewhere.</summary>
    public static AttentionPattern? Find(StructureSite site)
    {
        AttentionPattern[] found = [.. site.Subgraph.Timed.Select(n => site.Partition.View.Nodes[n])
            .Select(n => n.Operator() switch { "Softmax" => new AttentionFinder(site).At(n), "Attention" => new AttentionFinder(site).AtOperator(n), _ => null }).OfType<AttentionPattern>().Take(2)];
        return found is [AttentionPattern single] ? single : null;
    }

    /// <summary>Adds the operator that computes the output, and what brings it into the form that the model has it in.</summary>
    public void Write(StructureEmission e, string operatorType, IReadOnlyList<string> inputs, IReadOnlyList<AttributeProto> attributes, PaddingMask? padding, int opset)
    {
        GraphBuilder b = e.Builder;
        string joined = Form == OperandForm.Joined ? Output : b.Fresh(operatorType);
        string result = padding is { EmptyGivesZero: true } ? b.Fresh(operatorType) : joined;
        b.NodeTo([result], operatorType, "com.microsoft", inputs, [.. attributes]);
        if (result != joined)
        {
            padding!.WithoutEmpty(e, result, joined, opset);
        }

        if (Form == OperandForm.PlacesFirst)
        {
            b.NodeTo([Output], "Transpose", "", [joined], Attributes.Of("perm", [1L, 0, 2]));
        }
        else if (Form != OperandForm.Joined)
        {
            b.NodeTo([Output], "Reshape", "", [Form == OperandForm.Flat ? joined : b.Transpose(joined, [1, 0, 2]), b.Integers(-1, Heads * ValueHeadSize)]);
        }
    }
}

/// <summary>How an operand or the result of an attention lies, what kernels take first.</summary>
internal enum OperandForm
{
    /// <summary>[batch, places, heads · head size].</summary>
    Joined,

    /// <summary>[batch, places, heads, head size]; only an operand.</summary>
    Divided,

    /// <summary>[batch · places, heads · head size]; only a result.</summary>
    Flat,

    /// <summary>[places, batch, heads · head size].</summary>
    PlacesFirst,

    /// <summary>[places · batch, heads · head size]; only a result.</summary>
    PlacesFirstFlat,

    /// <summary>[batch, heads, places, head size]; only an operand.</summary>
    HeadsFirst,
}

/// <summary>An operand of an attention.</summary>
/// <param name="Name">The value.</param>
/// <param name="Form">How it lies.</param>
/// <param name="Places">The length of a sequence.</param>
/// <param name="Packed">What it is a part of, if it is.</param>
internal sealed record AttentionOperand(string Name, OperandForm Form, Size Places, PackedOperand? Packed);

/// <summary>Queries, keys and values in one value, [batch, places, 3 · heads · head size].</summary>
/// <param name="Name">The value.</param>
/// <param name="Part">Which of the three is meant.</param>
/// <param name="IsPlacesFirst">Whether it lies as [places, batch, ..].</param>
internal sealed record PackedOperand(string Name, int Part, bool IsPlacesFirst);
