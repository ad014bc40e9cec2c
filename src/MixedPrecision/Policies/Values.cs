using System.Globalization;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>Readers of the values that keys take.</summary>
internal static class Values
{
    /// <summary>A text that names something: not empty.</summary>
    public static ValueReader<string> Name(string expected) => Text(expected, text => text.Length > 0);

    /// <summary>A path: not empty, no control characters.</summary>
    public static ValueReader<string> FilePath(string expected) => Text(expected, IsPath);

    /// <summary>The name of an ONNX file without a folder.</summary>
    public static ValueReader<string> OnnxFileName() => Text(
        "a file name that ends in .onnx, without a folder",
        text => IsPath(text) && text.Length > ".onnx".Length && text.EndsWith(".onnx", StringComparison.Ordinal) && text.IndexOfAny(['/', '\\', ':']) < 0);

    /// <summary>A whole number, at least the least.</summary>
    public static ValueReader<long> Integer(long least, long most = long.MaxValue)
    {
        string range = most == long.MaxValue ? $"at least {least}" : $"{least} to {most}";
        var shape = new ValueShape($"a whole number, {range}", "integer") { Minimum = least, Maximum = most == long.MaxValue ? null : most };
        return new(shape, (node, path) => node is not YamlScalar { Type: ScalarType.Integer } scalar
            ? throw WrongType(node, path, shape)
            : long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= least && value <= most
            ? value
            : throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), shape.Expected));
    }

    /// <summary>A whole number that fits an <see cref="int"/>.</summary>
    public static ValueReader<int> Count(int least, int most)
    {
        ValueReader<long> reader = Integer(least, most);
        return new(reader.Shape, (node, path) => (int)reader.Read(node, path));
    }

    /// <summary>A truth value.</summary>
    public static ValueReader<bool> Flag()
    {
        var shape = new ValueShape("true or false", "boolean");
        return new(shape, (node, path) => node is YamlScalar { Type: ScalarType.Boolean } scalar ? scalar.Text is "true" or "True" or "TRUE" : throw WrongType(node, path, shape));
    }

    /// <summary>A finite number of at least zero.</summary>
    public static ValueReader<double> Weight() => Number(new ValueShape("a number of at least 0", "number") { Minimum = 0 }, 0, double.MaxValue);

    /// <summary>A number, both ends included.</summary>
    public static ValueReader<double> Number(double least, double most) =>
        Number(new ValueShape(string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}"), "number") { Minimum = least, Maximum = most }, least, most);

    private static ValueReader<double> Number(ValueShape shape, double least, double most) =>
        new(shape, (node, path) => node is not YamlScalar { Type: ScalarType.Integer or ScalarType.Number } scalar
            ? throw WrongType(node, path, shape)
            : double.TryParse(scalar.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= least && value <= most
            ? value
            : throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), shape.Expected));

    /// <summary>One of the names, as the value that it stands for.</summary>
    public static ValueReader<T> Choice<T>(IReadOnlyList<(string Name, T Value)> choices)
    {
        string[] names = [.. choices.Select(choice => choice.Name)];
        var shape = new ValueShape($"one of {Wording.List(names)}", "string") { Names = names };
        return new(shape, (node, path) =>
        {
            string found = TextOf(node, path, shape);
            int index = Array.IndexOf(names, found);
            return index >= 0 ? choices[index].Value : throw Errors.PolicyUnknownName(node.Place, path, found, names);
        });
    }

    /// <summary>Structures by their names: one name or a list; in the order of <see cref="StructureNames.All"/>, the exported one first.</summary>
    public static ValueReader<IReadOnlyList<string>> Structures()
    {
        ValueReader<string> one = Choice([.. StructureNames.All.Select(name => (name, name))]);
        var shape = new ValueShape("a list of structures", "string", "array") { Names = one.Shape.Names, Items = one.Shape };
        return new(shape, (node, path) =>
        {
            if (node is YamlMapping or YamlScalar { Type: not ScalarType.Text })
                throw WrongType(node, path, shape);
            IEnumerable<string> asked = node is YamlList list
                ? list.Items.Select((item, index) => one.Read(item, $"{path}[{index}]"))
                : [one.Read(node, path)];
            var set = asked.Append(StructureNames.Exported).ToHashSet(StringComparer.Ordinal);
            return [.. StructureNames.All.Where(set.Contains)];
        });
    }

    /// <summary>A mapping from names of the model's dimensions to sizes; a cache that holds nothing yet has the size 0.</summary>
    public static ValueReader<IReadOnlyDictionary<string, long>> Sizes()
    {
        ValueReader<long> size = Integer(0);
        var shape = new ValueShape("the sizes of the model's symbolic dimensions, such as { batch: 1, sequence: 128 }", "object") { Values = size.Shape };
        return new(shape, (node, path) => node is YamlMapping mapping
            ? mapping.Entries.ToDictionary(entry => entry.Name, entry => size.Read(entry.Value, $"{path}.{Wording.Escape(entry.Name)}"), StringComparer.Ordinal)
            : throw WrongType(node, path, shape));
    }

    private static ValueReader<string> Text(string expected, Predicate<string> possible)
    {
        var shape = new ValueShape(expected, "string");
        return new(shape, (node, path) =>
        {
            string text = TextOf(node, path, shape);
            return possible(text) ? text : throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), expected);
        });
    }

    private static string TextOf(YamlNode node, string path, ValueShape shape) => node switch
    {
        YamlScalar { Type: ScalarType.Text } scalar => scalar.Text,
        YamlScalar { Type: not ScalarType.Nothing } => throw Errors.PolicyWrongType(node.Place, path, node.Describe(), shape.Expected + "; a text that looks otherwise goes in quotes"),
        _ => throw WrongType(node, path, shape),
    };

    private static bool IsPath(string text) => text.Length > 0 && !text.Any(c => c < ' ');

    private static MixedPrecisionException WrongType(YamlNode node, string path, ValueShape shape) =>
        Errors.PolicyWrongType(node.Place, path, node.Describe(), shape.Expected);
}
