using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;
using MixedPrecision.Caching;

namespace MixedPrecision.Pipeline;

/// <summary>
/// The key of a stage's input, derived from the input record itself: every property stands in it, but for those marked <see cref="IncidentalAttribute"/>.
/// Since a stage is given nothing but its record, it can read nothing that its key does not hold.
/// </summary>
internal static class StageKey
{
    private static readonly ConcurrentDictionary<Type, PropertyInfo[]?> Known = [];

    /// <summary>A part for each property, properties of properties under dotted names, so that two keys can be compared part by part.</summary>
    /// <exception cref="ArgumentException">A property is of a type whose content is not known to be told by its value.</exception>
    public static CacheKey Of(object input) => With(CacheKey.Of(), "", input);

    private static CacheKey With(CacheKey key, string name, object? value) => value switch
    {
        null => key.With(name + ".nothing", ""),
        string text => key.With(name, text),
        bool flag => key.With(name, flag ? 1 : 0),
        int number => key.With(name, number),
        long number => key.With(name, number),
        double number => key.With(name, number),
        float number => key.With(name, (double)number),
        TimeSpan time => key.With(name, time.TotalMilliseconds),
        Enum choice => key.With(name, choice.ToString()),
        Content content => content.Key.Describe().Aggregate(key, (all, part) => all.With(Below(name, part.Name), part.Value)),
        IEnumerable items => WithItems(key, name, [.. items]),
        _ when Properties(value.GetType()) is { } properties => properties.Aggregate(key, (all, p) => With(all, Below(name, p.Name), p.GetValue(value))),
        _ => throw new ArgumentException($"'{name}' is a {value.GetType()}, which has no place in a key: make it a {nameof(Content)}"),
    };

    private static CacheKey WithItems(CacheKey key, string name, object?[] items) =>
        items.Index().Aggregate(key.With(Below(name, "count"), items.Length), (all, item) => With(all, $"{name}[{item.Index}]", item.Item));

    private static string Below(string name, string part) => name.Length == 0 ? part : $"{name}.{part}";

    /// <summary>The properties of a record that stand in a key; null for another type. Records are compared by their properties, so that these tell all of them; the compiler gives each a method of this name.</summary>
    private static PropertyInfo[]? Properties(Type type) => Known.GetOrAdd(type, _ => type.GetMethod("<Clone>$") is not null
        ? [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetCustomAttribute<IncidentalAttribute>() is null).OrderBy(p => p.MetadataToken)]
        : null);
}
