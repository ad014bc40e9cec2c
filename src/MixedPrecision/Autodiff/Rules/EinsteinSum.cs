using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// Einsum: the gradient of an operand is the Einsum of dY with the other operands, to the operand's labels. Labels that only the operand has were summed and are
/// expanded; a label that the operand repeats was read along a diagonal, on which the gradient is put.
/// </summary>
internal static class EinsteinSum
{
    public static IReadOnlyList<string?> Einsum(GradientContext c)
    {
        Equation equation = Parse(c);
        return [.. c.Node.Input.Select((_, i) => c.Needs(i) ? Operand(c, equation, i) : null)];
    }

    private static string Operand(GradientContext c, Equation equation, int operand)
    {
        GraphBuilder b = c.B;
        string own = equation.Operands[operand];
        int[] others = [.. Enumerable.Range(0, equation.Operands.Length).Where(i => i != operand)];
        string known = equation.Result + string.Concat(others.Select(i => equation.Operands[i]));
        string distinct = string.Concat(own.Distinct());
        string reached = string.Concat(distinct.Where(known.Contains));

        // dY takes part as an operand unless it is a scalar, which has no labels to name.
        var parts = others.Select(i => (Value: c.Input(i), Labels: equation.Operands[i])).ToList();
        if (equation.Result.Length > 0)
        {
            parts.Insert(0, (c.Upstream, equation.Result));
        }

        string[] scalars = [.. parts.Where(p => p.Labels.Length == 0).Select(p => p.Value), .. equation.Result.Length == 0 ? [c.Upstream] : Array.Empty<string>()];
        parts.RemoveAll(p => p.Labels.Length == 0);
        string? gradient = parts.Count == 0
            ? null
            : b.Node("Einsum", [.. parts.Select(p => p.Value)], Attributes.Of("equation", $"{string.Join(",", parts.Select(p => p.Labels))}->{reached}"));
        foreach (string scalar in scalars)
        {
            gradient = gradient is null ? scalar : b.Mul(gradient, scalar);
        }

        string spread = Unsqueeze(b, gradient!, distinct, reached);
        string shape = c.ShapeOf(c.Input(operand));
        if (distinct.Length == own.Length)
        {
            // A size of one may have been broadcast against another operand's: then the sum is over that axis.
            return Mentions(c, equation, operand) ? b.Expand(c.SumTo(spread, new TensorType(c.ElementType, null), c.Input(operand)), shape) : b.Expand(spread, shape);
        }

        return Diagonal(c, spread, own, shape);
    }

    /// <summary>Axes of size one for labels of the operand that nothing else has.</summary>
    private static string Unsqueeze(GraphBuilder b, string value, string labels, string present)
    {
        long[] axes = [.. Enumerable.Range(0, labels.Length).Where(i => !present.Contains(labels[i], StringComparison.Ordinal)).Select(i => (long)i)];
        return axes.Length == 0 ? value : b.Unsqueeze(value, axes);
    }

    /// <summary>Whether an axis of the operand may be of size one where another operand's is not.</summary>
    private static bool Mentions(GradientContext c, Equation equation, int operand) => equation.Operands[operand].Select((label, axis) => (label, axis)).Any(l =>
        c.Type(c.Input(operand)).Shape?[l.axis].Size is null or 1
        && equation.Operands.Where((labels, i) => i != operand && labels.Contains(l.label, StringComparison.Ordinal)).Any()
        && (char.IsUpper(l.label) || c.Type(c.Input(operand)).Shape?[l.axis].Size == 1));

    private static string Diagonal(GradientContext c, string value, string own, string shape)
    {
        GraphBuilder b = c.B;
        long[] repeats = [.. Enumerable.Range(0, own.Length).Where(i => own.IndexOf(own[i], StringComparison.Ordinal) != i).Select(i => (long)i)];
        string result = value;
        string Places(int axis)
        {
            string size = b.Squeeze(b.Gather(shape, b.Integers(axis), 0), 0);
            long[] axes = [.. Enumerable.Range(0, own.Length).Where(i => i != axis).Select(i => (long)i)];
            return b.Unsqueeze(b.Range(size), axes);
        }

        // Distinct labels keep the order of their first places, so inserting axes at the repeats restores the operand's.
        result = b.Unsqueeze(result, repeats);
        foreach (long repeat in repeats)
        {
            int first = own.IndexOf(own[(int)repeat], StringComparison.Ordinal);
            result = b.Mul(result, c.Mask(b.Equal(Places(first), Places((int)repeat))));
        }

        return b.Expand(result, shape);
    }

    /// <summary>The equation with the output written out and an ellipsis replaced by capital letters not used elsewhere, the last one rightmost.</summary>
    private static Equation Parse(GradientContext c)
    {
        string text = c.Node.Text("equation", "").Replace(" ", "", StringComparison.Ordinal);
        string[] sides = text.Split("->");
        string[] operands = sides[0].Split(',');
        string letters = string.Concat("ZYXWVUTSRQPONMLKJIHGFEDCBA".Where(l => !text.Contains(l, StringComparison.Ordinal)));
        int longest = 0;
        for (int i = 0; i < operands.Length; i++)
        {
            if (operands[i].Contains("...", StringComparison.Ordinal))
            {
                int count = c.Rank(c.Input(i)) - (operands[i].Length - 3);
                longest = Math.Max(longest, count);
                operands[i] = operands[i].Replace("...", Reversed(letters, count), StringComparison.Ordinal);
            }
        }

        string ellipsis = Reversed(letters, longest);
        if (sides.Length > 1)
        {
            return new Equation(operands, sides[1].Replace("...", ellipsis, StringComparison.Ordinal));
        }

        string all = sides[0];
        IEnumerable<char> once = all.Where(l => char.IsLetter(l) && all.Count(o => o == l) == 1).Order();
        return new Equation(operands, ellipsis + string.Concat(once));
    }

    private static string Reversed(string letters, int count) => string.Concat(letters.Take(count).Reverse());

    private sealed record Equation(string[] Operands, string Result);
}
