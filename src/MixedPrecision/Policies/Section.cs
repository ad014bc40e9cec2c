using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>
/// A mapping whose keys are known, as a table: one row per key with how its value is read and where it goes.
/// </summary>
/// <param name="name">What messages call the section.</param>
/// <param name="expected">What messages say when something else stands in its place.</param>
/// <param name="start">The section without any key: its defaults.</param>
internal sealed class Section<T>(string name, string expected, Func<Place, T> start)
{
    private readonly List<Row> rows = [];

    private sealed record Row(KeyShape Key, Func<T, YamlNode, string, T> Apply);

    /// <summary>Adds the row of an optional key.</summary>
    public Section<T> Optional<TValue>(string key, ValueReader<TValue> value, Func<T, TValue, T> set) => Add(key, false, value, set);

    /// <summary>Adds the row of a key that every such section has.</summary>
    public Section<T> Required<TValue>(string key, ValueReader<TValue> value, Func<T, TValue, T> set) => Add(key, true, value, set);

    /// <summary>Reads a mapping by the table.</summary>
    public ValueReader<T> Reader => new(new ValueShape(expected, "object") { Keys = [.. rows.Select(row => row.Key)] }, Read);

    private Section<T> Add<TValue>(string key, bool required, ValueReader<TValue> value, Func<T, TValue, T> set)
    {
        rows.Add(new Row(
            new KeyShape(key, required, value.Shape),
            (section, node, path) => set(section, value.Read(node, path.Length == 0 ? key : $"{path}.{key}"))));
        return this;
    }

    private T Read(YamlNode node, string path)
    {
        if (node is not YamlMapping mapping)
            throw Errors.PolicyWrongType(node.Place, path.Length == 0 ? name : path, node.Describe(), expected);
        T section = start(mapping.Place);
        foreach (YamlEntry entry in mapping.Entries)
        {
            Row row = rows.Find(row => row.Key.Name == entry.Name)
                ?? throw Errors.PolicyUnknownKey(entry.Place, entry.Name, name, [.. rows.Select(row => row.Key.Name)]);
            section = row.Apply(section, entry.Value, path);
        }

        KeyShape? missing = rows.Select(row => row.Key).FirstOrDefault(key => key.Required && mapping.Entries.All(entry => entry.Name != key.Name));
        return missing is null ? section : throw Errors.PolicyMissingKey(mapping.Place, missing.Name, name, missing.Value.Expected);
    }
}
