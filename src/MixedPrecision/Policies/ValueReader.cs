using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>
/// What may stand at a place of the policy; the reader's messages and the test that compares reader and JSON schema use it.
/// </summary>
/// <param name="Expected">The end of a message's "expected …".</param>
/// <param name="Types">JSON types of the value: string, boolean, integer, number, array, object.</param>
internal sealed record ValueShape(string Expected, params IReadOnlyList<string> Types)
{
    /// <summary>The names that a text may be; empty: any. Also the numbers, where only some may stand.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>A regular expression for texts that are none of the names, or null.</summary>
    public string? Pattern { get; init; }

    /// <summary>The least number, or null.</summary>
    public double? Minimum { get; init; }

    /// <summary>The largest number, or null.</summary>
    public double? Maximum { get; init; }

    /// <summary>Shape of a list's items, or null.</summary>
    public ValueShape? Items { get; init; }

    /// <summary>Shape of every value of a mapping with free keys, or null.</summary>
    public ValueShape? Values { get; init; }

    /// <summary>The keys of a section; empty: not a section.</summary>
    public IReadOnlyList<KeyShape> Keys { get; init; } = [];
}

/// <summary>A key of a section as the schema must describe it.</summary>
internal sealed record KeyShape(string Name, bool Required, ValueShape Value);

/// <summary>Reads one kind of value. The path, such as <c>calibration.samples</c>, opens the messages.</summary>
internal sealed record ValueReader<T>(ValueShape Shape, Func<YamlNode, string, T> Read)
{
    /// <summary>A list of such values; it may be empty.</summary>
    public ValueReader<IReadOnlyList<T>> List(string expected) => new(
        new ValueShape(expected, "array") { Items = Shape },
        (node, path) => node is YamlList list
            ? [.. list.Items.Select((item, index) => Read(item, $"{path}[{index}]"))]
            : throw Errors.PolicyWrongType(node.Place, path, node.Describe(), expected));
}
