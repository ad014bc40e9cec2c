using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>A part of an axis that moves as one: batch, heads, places, features of a head. Where a Reshape divides it, it has parts.</summary>
/// <param name="size">How many places it has.</param>
/// <param name="picked">The one place that is read of it, or null when all are.</param>
internal sealed class Factor(Size size, int? picked = null)
{
    private (Factor Outer, Factor Inner)? parts;

    public Size Size => size;

    public int? Picked => picked;

    /// <summary>What it was divided into, in order; itself when it was not.</summary>
    public IEnumerable<Factor> Whole => parts is { } divided ? divided.Outer.Whole.Concat(divided.Inner.Whole) : [this];

    /// <summary>Divides it; the product of both sizes has to be its own.</summary>
    public (Factor Outer, Factor Inner) Divide(Size outer, Size inner)
    {
        parts = (new Factor(outer), new Factor(inner));
        return parts.Value;
    }
}

/// <summary>
/// How the elements of a value lie: for each axis the factors that it is the product of, outer ones first. Transpose permutes axes and Reshape regroups factors, so two values
/// connected by these hold the same elements exactly when their layouts, traced from one to the other, have the same factors.
/// </summary>
internal sealed class Layout(IReadOnlyList<IReadOnlyList<Factor>> axes)
{
    public static Layout Of(IEnumerable<Factor> axes) => new([.. axes.Select(a => (IReadOnlyList<Factor>)[a])]);

    public int Rank => axes.Count;

    /// <summary>The factors of each axis, those that were divided by their parts; factors of size 1 do not count.</summary>
    public IReadOnlyList<IReadOnlyList<Factor>> Axes => [.. axes.Select(Counted)];

    /// <summary>The layout of what a Transpose reads, by that of what it gives.</summary>
    public Layout BeforeTranspose(long[] permutation)
    {
        var before = new IReadOnlyList<Factor>[axes.Count];
        for (int axis = 0; axis < before.Length; axis++)
        {
            before[permutation[axis]] = axes[axis];
        }

        return new Layout(before);
    }

    /// <summary>The layout of what one of equal parts was taken from, along an axis that it has too: what is picked stands before the axis's own factors.</summary>
    public Layout BeforePart(int axis, Factor picked) => new([.. axes.Select((a, i) => i == axis ? (IReadOnlyList<Factor>)[picked, .. a] : a)]);

    /// <summary>The layout of what one place was taken from, whose axis is gone.</summary>
    public Layout BeforePlace(int axis, Factor picked) => new([.. axes.Take(axis), [picked], .. axes.Skip(axis)]);

    /// <summary>The layout of what a Transpose gives, by that of what it reads.</summary>
    public Layout AfterTranspose(long[] permutation) => new([.. permutation.Select(p => axes[(int)p])]);

    /// <summary>
    /// The layout on the other side of a Reshape (or Squeeze, Unsqueeze, Flatten), whose shape is given: the factors in the same order, grouped anew. A factor that is
    /// larger than what is left of an axis is divided. Null when sizes do not divide.
    /// </summary>
    public Layout? Reshaped(IReadOnlyList<Size> shape)
    {
        var open = new LinkedList<Factor>(Axes.SelectMany(a => a));
        var regrouped = new List<IReadOnlyList<Factor>>();
        foreach (Size size in shape)
        {
            var axis = new List<Factor>();
            for (Size left = size; left.Constant != 1;)
            {
                if (open.First is not { } next)
                {
                    return null;
                }

                open.RemoveFirst();
                Factor factor = next.Value;
                if (left.DividedBy(factor.Size) is { } rest)
                {
                    axis.Add(factor);
                    left = rest;
                }
                else if (factor.Size.DividedBy(left) is { } inner)
                {
                    (Factor outer, Factor remaining) = factor.Divide(left, inner);
                    axis.Add(outer);
                    open.AddFirst(remaining);
                    left = Size.Of(1);
                }
                else
                {
                    return null;
                }
            }

            regrouped.Add(axis);
        }

        return open.Count == 0 ? new Layout(regrouped) : null;
    }

    /// <summary>The size of what factors make together.</summary>
    public static Size? Product(IEnumerable<Factor> factors) => factors.Aggregate((Size?)Size.Of(1), (product, f) => product * f.Size);

    /// <summary>Whether each axis consists of the factors given, in order.</summary>
    public bool Is(params IReadOnlyList<Factor>[] expected) =>
        Axes is var own && own.Count == expected.Length && own.Zip(expected).All(p => p.First.SequenceEqual(Counted(p.Second)));

    /// <summary>Parts of factors, but for those of size 1.</summary>
    public static IReadOnlyList<Factor> Counted(IEnumerable<Factor> factors) => [.. factors.SelectMany(f => f.Whole).Where(f => f.Size.Constant != 1)];
}
