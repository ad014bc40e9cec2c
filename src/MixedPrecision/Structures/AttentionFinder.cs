using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>
/// Finds an attention around a Softmax. The layouts of its values are traced, so that any order of Reshape and Transpose is understood that keeps elements in their
/// places, and nothing else.
/// </summary>
internal sealed class AttentionFinder(StructureSite site)
{
    private readonly GraphWalk walk = new(site);
    private double scale = 1;

    /// <summary>The attention that a Softmax belongs to, or null.</summary>
    public AttentionPattern? At(NodeProto softmax)
    {
        if (walk.Shapes.Of(softmax.Input[0]) is not { Length: 3 or 4 } shape || softmax.Int("axis", site.Model.Opset < 13 ? 1 : -1) is var axis && axis != -1 && axis != shape.Length - 1
            || Weighted(softmax.Output[0]) is not var (weighted, isGuarded)
            || Path(softmax.Input[0], 0) is not { } path)
        {
            return null;
        }

        Factor[] axes = [.. shape.Select(s => new Factor(s))];
        (Factor queries, Factor keys) = (axes[^2], axes[^1]);
        var masks = new List<(ScoreMask Mask, Layout Layout)>();
        if (Scores(path, Layout.Of(axes), masks) is not { } scores || scores.Axes.Count < 3 || !new Layout([.. scores.Axes.TakeLast(2)]).Is([queries], [keys]))
        {
            return null;
        }

        IReadOnlyList<Factor>[] batch = [.. scores.Axes.SkipLast(2)];
        NodeProto product = path[^1].Node;
        bool isTransposed = product.Int("transB", 0) != 0;
        if (product.Int("transA", 0) != 0 || Operand(product.Input[0], batch) is not { } q || Operand(product.Input[1], batch) is not { } k || Operand(weighted.Input[1], batch) is not { } v
            || walk.Shapes.Of(weighted.Output[0]) is not { } context)
        {
            return null;
        }

        (Factor features, Factor valueFeatures) = (new(q[^1]), new(v[^1]));
        scale *= product.Float("alpha", 1);
        var query = Trace(product.Input[0], new([.. batch, [queries], [features]]));
        var key = Trace(product.Input[1], isTransposed ? new([.. batch, [keys], [features]]) : new([.. batch, [features], [keys]]));
        double scaled = scale;
        var value = Trace(weighted.Input[1], new([.. batch, [keys], [valueFeatures]]));
        var joined = Forward(weighted.Output[0], new([.. batch, [queries], [valueFeatures]]));
        return scale != scaled ? null : new AttentionReading(batch.SelectMany(b => b), queries, keys, features, valueFeatures, walk)
            .Read(query, key, value, joined, masks, scale, isGuarded ? float.NegativeInfinity : null, [product, weighted], site);
    }

    /// <summary>The attention that ONNX's own operator (23 and later) computes, or null where it hides later keys, has a cache or gives more than the result.</summary>
    public AttentionPattern? AtOperator(NodeProto node)
    {
        bool Has(int input) => input < node.Input.Count && node.Input[input].Length > 0;
        if (node.Int("is_causal", 0) != 0 || node.Float("softcap", 0) != 0 || Enumerable.Range(4, 3).Any(Has) || walk.Shapes.Of(node.Input[0]) is not { } q || walk.Shapes.Of(node.Input[1]) is not { } k
            || walk.Shapes.Of(node.Input[2]) is not { } v || q.Length is not (3 or 4) || k.Length != q.Length || v.Length != q.Length || !k[0].Equals(q[0]) || !v[0].Equals(q[0]))
        {
            return null;
        }

        bool isJoined = q.Length == 3;
        Size? heads = isJoined ? Size.Of(node.Int("q_num_heads", 0)) : q[1];
        bool areSame = isJoined ? node.Int("kv_num_heads", 0) == heads.Constant : k[1].Equals(heads) && v[1].Equals(heads);
        if (heads.Constant is not > 0 || !areSame || (isJoined ? q[2].DividedBy(heads) : q[3]) is not { Constant: > 0 } size || (isJoined ? v[2].DividedBy(heads) : v[3]) is not { } valueSize)
        {
            return null;
        }

        (Factor batch, Factor head, Factor queries, Factor keys) = (new(q[0]), new(heads), new(q[^2]), new(k[^2]));
        (Factor features, Factor valueFeatures) = (new(size), new(valueSize));
        Layout Of(Factor places, Factor inner) => isJoined ? new([[batch], [places], [head, inner]]) : new([[batch], [head], [places], [inner]]);
        var masks = new List<(ScoreMask, Layout)>();
        if (Has(3))
        {
            var scores = Layout.Of([batch, head, queries, keys]);
            if (Forms(node.Input[3], scores) is not { } forms)
            {
                return null;
            }

            masks.Add((walk.ElementTypeOf(node.Input[3]) == ElementType.Bool ? new ScoreMask(forms, float.MinValue, FillsTrue: false) : new ScoreMask(forms), scores));
        }

        scale = node.Attribute("scale") is { F: not 0 } given ? given.F : 1 / Math.Sqrt(size.Constant.Value);
        // ONNX Runtime gives zeros where nothing is left to read.
        return new AttentionReading([batch, head], queries, keys, features, valueFeatures, walk).Read(
            Trace(node.Input[0], Of(queries, features)), Trace(node.Input[1], Of(keys, features)), Trace(node.Input[2], Of(keys, valueFeatures)),
            Forward(node.Output[0], Of(queries, valueFeatures)), masks, scale, float.MinValue, [node], site);
    }

    /// <summary>The product of the weights and the values, behind a guard that gives zeros where Softmax gives none, if there is one.</summary>
    private (NodeProto Product, bool IsGuarded)? Weighted(string weights)
    {
        bool isGuarded = false;
        if (walk.Readers(weights) is [_, _] readers && readers.SingleOrDefault(r => r.Operator() == "IsNaN") is { } test && walk.ReaderOf(test.Output[0]) is { OpType: "Where" } guard
            && readers.Contains(guard) && walk.Reads(guard, 0, test.Output[0]) && walk.Scalar(guard.Input[1]) == 0 && walk.Reads(guard, 2, weights))
        {
            (weights, isGuarded) = (guard.Output[0], true);
        }

        return walk.ReaderOf(weights) is { } product && IsProduct(product) && walk.Reads(product, 0, weights) && product.Float("alpha", 1) == 1 && product.Int("transA", 0) == 0 && product.Int("transB", 0) == 0
            ? (product, isGuarded) : null;
    }

    /// <summary>Nodes from a value back to the product of queries and keys that it comes from, with the operand that comes from there.</summary>
    private List<(NodeProto Node, int Operand)>? Path(string value, int depth)
    {
        const int Deepest = 12;
        if (depth == Deepest || walk.Producer(value) is not { } node)
        {
            return null;
        }

        int[] operands = node.Operator() switch
        {
            "Reshape" or "Squeeze" or "Unsqueeze" or "Flatten" or "Transpose" or "Div" => [0],
            "Add" or "Mul" => [0, 1],
            "Where" => [1, 2],
            _ => [],
        };
        return IsProduct(node) ? [(node, 0)]
            : operands.Select(o => Path(node.Input[o], depth + 1) is { } further ? (List<(NodeProto, int)>)[(node, o), .. further] : null).FirstOrDefault(p => p is not null);
    }

    /// <summary>Follows a path with the layout; notes masks and scales on it. The result is the layout of the product.</summary>
    private Layout? Scores(List<(NodeProto Node, int Operand)> path, Layout start, List<(ScoreMask, Layout)> masks)
    {
        Layout? layout = start;
        foreach ((NodeProto node, int operand) in path.SkipLast(1))
        {
            if (layout is null)
            {
                return null;
            }

            string other = node.Input.Count > 1 ? node.Input[operand == 0 ? 1 : 0] : "";
            switch (node.Operator())
            {
                case "Add" when scale == 1 && Forms(other, layout) is { } addend:
                    masks.Add((new ScoreMask(addend), layout));
                    break;
                case "Where" when scale == 1 && walk.Scalar(node.Input[3 - operand]) is double fill && Forms(node.Input[0], layout) is { } condition:
                    masks.Add((new ScoreMask(condition, (float)fill, FillsTrue: operand == 2), layout));
                    break;
                case "Mul" when walk.Scalar(other) is double factor:
                    scale *= factor;
                    break;
                case "Div" when walk.Scalar(other) is double divisor:
                    scale /= divisor;
                    break;
                default:
                    layout = Before(node, layout);
                    break;
            }
        }

        return layout;
    }

    /// <summary>A mask, and what it was expanded from, with shapes of four dimensions. Null when one has sizes that broadcast to other ones than the scores'.</summary>
    private List<(string, IReadOnlyList<Size>)>? Forms(string value, Layout layout)
    {
        Size?[] sizes = [.. layout.Axes.Select(Layout.Product)];
        var forms = new List<(string, IReadOnlyList<Size>)>();
        while (true)
        {
            if (walk.Shapes.Of(value) is not { } shape || shape.Length > sizes.Length || shape.Where((s, i) => s.Constant != 1 && !s.Equals(sizes[i + sizes.Length - shape.Length])).Any())
            {
                return forms.Count > 0 ? forms : null;
            }

            if (sizes.Length == 4)
            {
                forms.Insert(0, (value, [.. Enumerable.Repeat(Size.Of(1), 4 - shape.Length), .. shape]));
            }
            else if (shape.Length < 3 || shape[0].Constant == 1)
            {
                // Batch and heads are one axis here: only what is the same for all of them has a place for each.
                forms.Insert(0, (value, [.. Enumerable.Repeat(Size.Of(1), 4 - Math.Min(2, shape.Length)), .. shape.TakeLast(2)]));
            }

            if (walk.Producer(value) is not { OpType: "Expand" } expand)
            {
                return forms.Count > 0 ? forms : null;
            }

            value = expand.Input[0];
        }
    }

    /// <summary>The shape of an operand whose leading sizes are those of the scores.</summary>
    private Size[]? Operand(string value, IReadOnlyList<Factor>[] batch) =>
        walk.Shapes.Of(value) is { } shape && shape.Length == batch.Length + 2
            && batch.Select((b, i) => shape[i].Equals(Layout.Product(b))).All(isEqual => isEqual) ? shape : null;

    /// <summary>The values that hold the same elements as a value, from it backwards, with their layouts and the scale between.</summary>
    private List<AttentionStep> Trace(string value, Layout layout)
    {
        var steps = new List<AttentionStep>();
        double passed = 1;
        while (true)
        {
            value = walk.Source(value);
            steps.Add(new AttentionStep(value, layout, passed));
            if (walk.Producer(value) is not { } node)
            {
                return steps;
            }

            if (node.Operator() is "Mul" or "Div" && ScaleOf(node) is var (operand, factor))
            {
                passed *= factor;
                value = node.Input[operand];
            }
            else if ((Before(node, layout) ?? BeforePicking(node, value, layout)) is { } before)
            {
                (layout, value) = (before, node.Input[0]);
            }
            else
            {
                return steps;
            }
        }
    }

    private (int Operand, double Factor)? ScaleOf(NodeProto node) =>
        walk.Scalar(node.Input[1]) is double second ? (0, node.OpType == "Mul" ? second : 1 / second)
        : node.OpType == "Mul" && walk.Scalar(node.Input[0]) is double first ? (1, first) : null;

    /// <summary>The values that a value is moved to and nowhere else, from it forwards, with their layouts.</summary>
    private List<AttentionStep> Forward(string value, Layout layout)
    {
        var steps = new List<AttentionStep> { new(value, layout, 1) };
        while (walk.ReaderOf(value) is { } node && walk.Reads(node, 0, value) && After(node, layout) is { } after)
        {
            (value, layout) = (node.Output[0], after);
            steps.Add(new(value, layout, 1));
        }

        return steps;
    }

    private Layout? Before(NodeProto node, Layout layout) => node.Operator() switch
    {
        "Transpose" => node.Ints("perm") is { } permutation && permutation.Length == layout.Rank ? layout.BeforeTranspose(permutation) : null,
        "Reshape" or "Squeeze" or "Unsqueeze" or "Flatten" => walk.Shapes.Of(node.Input[0]) is { } shape ? layout.Reshaped(shape) : null,
        _ => null,
    };

    /// <summary>The layout of a value that queries, keys and values lie in together, before one of them is taken from it.</summary>
    private Layout? BeforePicking(NodeProto node, string value, Layout layout)
    {
        if (node.Operator() is not ("Gather" or "Split" or "Slice") || walk.Shapes.Of(node.Input[0]) is not { } from || walk.Shapes.Of(value) is not { } to || layout.Rank != to.Length)
        {
            return null;
        }

        int axis = node.Int("axis", 0) is var given && given < 0 ? (int)given + from.Length : (int)given;
        switch (node.OpType)
        {
            case "Gather" when walk.Shapes.Elements(node.Input[1]) is [{ Constant: long index }] && from[axis].Constant is long count:
                var picked = new Factor(from[axis], (int)(index < 0 ? index + count : index));
                return to.Length == from.Length ? layout.BeforePart(axis, picked) : layout.BeforePlace(axis, picked);
            case "Split" when node.Output.All(o => walk.Shapes.Of(o) is { } other && other[axis].Equals(to[axis])):
                return Part(axis, to[axis] * Size.Of(node.Output.IndexOf(value)));
            case "Slice" when from.Zip(to).Count(sizes => !sizes.First.Equals(sizes.Second)) == 1 && node.Input.Count > 1 && walk.Shapes.Elements(node.Input[1]) is [{ } start]:
                return Part(Enumerable.Range(0, to.Length).First(i => !from[i].Equals(to[i])), start);
            default:
                return null;
        }

        Layout? Part(int along, Size? start) =>
            from[along].DividedBy(to[along]) is { Constant: > 1 } count && start?.DividedBy(to[along])?.Constant is long place && place >= 0 && place < count.Constant
                ? layout.BeforePart(along, new Factor(count, (int)place)) : null;
    }

    private Layout? After(NodeProto node, Layout layout) => node.Operator() switch
    {
        "Transpose" => node.Ints("perm") is { } permutation && permutation.Length == layout.Rank ? layout.AfterTranspose(permutation) : null,
        "Reshape" or "Squeeze" or "Unsqueeze" or "Flatten" => walk.Shapes.Of(node.Output[0]) is { } shape ? layout.Reshaped(shape) : null,
        _ => null,
    };

    private bool IsProduct(NodeProto node) =>
        node.Operator() is "MatMul" or "com.microsoft.FusedMatMul" && node.Int("transBatchA", 0) == 0 && node.Int("transBatchB", 0) == 0
        && !site.Partition.View.Constants.Contains(node.Input[0]) && !site.Partition.View.Constants.Contains(node.Input[1]);
}
