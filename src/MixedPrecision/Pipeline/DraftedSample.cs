using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using MixedPrecision.Data;
using MixedPrecision.Onnx;

namespace MixedPrecision.Pipeline;

/// <summary>A line of JSON lines that a model takes, with made-up values, so that a person sees the form of the data.</summary>
internal static class DraftedSample
{
    /// <summary>Dimensions that the model leaves open are shown with so many elements.</summary>
    private const long Open = 4;

    /// <summary>More values than this are not shown.</summary>
    private const long MostShown = 64;

    private const string LeftOut = "…";

    private static readonly JsonSerializerOptions Literal = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="inputs">What the model is fed; caches of a decoder may be left out of the data.</param>
    /// <param name="label">Shape of the label under the key <c>label</c>; null: there is none.</param>
    /// <returns>The line, and whether values are left out of it.</returns>
    public static (string Line, bool IsAbridged) Of(OnnxModel model, IReadOnlyList<InputDeclaration> inputs, IReadOnlyList<Dimension>? label)
    {
        (string Name, long[] Shape, Func<long, string> Value)[] members =
        [
            .. inputs.Where(i => EmptyCaches.Of(i, _ => null) is null).Select(i => (i.Name, Shape(i.Type.Shape ?? []), (Func<long, string>)(index => Value(model, i, index)))),
            .. label is null ? [] : new[] { (PolicyDrafting.Label, Shape(label), (Func<long, string>)(_ => "0")) },
        ];
        return ($"{{{string.Join(", ", members.Select(m => $"{JsonSerializer.Serialize(m.Name, Literal)}: {Nested(m.Shape, 0, IsLong(m.Shape), m.Value)}"))}}}", members.Any(m => IsLong(m.Shape)));
    }

    private static bool IsLong(long[] shape) => shape.Aggregate(1.0, (count, size) => count * size) > MostShown;

    private static long[] Shape(IReadOnlyList<Dimension> dimensions) => [.. dimensions.Select((d, axis) =>
        d.Size is > 0 and long size ? size : axis == 0 && dimensions.Count > 1 || d.Symbol?.Contains("batch", StringComparison.OrdinalIgnoreCase) == true ? 1 : Open)];

    private static string Nested(long[] shape, int axis, bool isLong, Func<long, string> value, long index = 0)
    {
        if (axis == shape.Length)
        {
            return value(index);
        }

        var text = new StringBuilder("[");
        long shown = isLong ? Math.Min(shape[axis], axis == shape.Length - 1 ? 3 : 1) : shape[axis];
        for (long i = 0; i < shown; i++)
        {
            text.Append(i == 0 ? "" : ", ").Append(Nested(shape, axis + 1, isLong, value, i));
        }

        return text.Append(shown < shape[axis] ? $", {LeftOut}]" : "]").ToString();
    }

    /// <param name="index">Place along the last axis.</param>
    private static string Value(OnnxModel model, InputDeclaration input, long index)
    {
        bool Says(string word) => input.Name.Contains(word, StringComparison.OrdinalIgnoreCase);
        return input.Type.ElementType == ElementType.Bool ? Says("mask") ? "true" : "false"
            : Says("mask") ? "1"
            : ElementType.IsFloating(input.Type.ElementType) ? "0.5"
            : Says("token_type") || Says("segment") ? "0"
            : Says("position") ? index.ToString(CultureInfo.InvariantCulture)
            : (TokenTables.RowsOf(model, input.Name) is long rows ? (index + 1) % rows : 1).ToString(CultureInfo.InvariantCulture);
    }
}
