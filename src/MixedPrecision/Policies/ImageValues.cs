using System.Globalization;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>Readers of what a policy says of images.</summary>
internal static class ImageValues
{
    private const int MostPixels = 1 << 14;

    /// <summary>One number of pixels, or height and width.</summary>
    public static ValueReader<IReadOnlyList<int>> Size(string expected)
    {
        ValueReader<int> one = Values.Count(1, MostPixels);
        var shape = new ValueShape(expected, "integer", "array") { Items = one.Shape, Minimum = one.Shape.Minimum, Maximum = one.Shape.Maximum };
        return new(shape, (node, path) => node switch
        {
            YamlList { Items.Count: 2 } list => [.. list.Items.Select((item, index) => one.Read(item, $"{path}[{index}]"))],
            YamlList list => throw Errors.PolicyImpossibleValue(node.Place, path, $"a list of {list.Items.Count}", expected),
            _ => [one.Read(node, path)],
        });
    }

    /// <summary>A number, or a fraction such as 1/255.</summary>
    public static ValueReader<double> Scale()
    {
        const string Expected = "a number above 0, or a fraction such as 1/255";
        return new(new ValueShape(Expected, "number", "string"), (node, path) =>
        {
            if (node is not YamlScalar { Type: ScalarType.Integer or ScalarType.Number or ScalarType.Text } scalar)
                throw Errors.PolicyWrongType(node.Place, path, node.Describe(), Expected);
            string[] parts = scalar.Text.Split('/');
            double[] numbers = [.. parts.Select(part => Number(part.Trim()) ?? double.NaN)];
            double value = numbers.Length == 2 ? numbers[0] / numbers[1] : numbers.Length == 1 ? numbers[0] : double.NaN;
            return double.IsFinite(value) && value > 0 ? value : throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), Expected);
        });
    }

    /// <summary>A number for all channels, or a list with one for each.</summary>
    public static ValueReader<IReadOnlyList<double>> Numbers(string expected, Predicate<double> possible)
    {
        var one = new ValueShape(expected, "number");
        var shape = new ValueShape(expected, "number", "array") { Items = one };
        return new(shape, (node, path) => node switch
        {
            YamlList { Items.Count: 0 or > 4 } list => throw Errors.PolicyImpossibleValue(node.Place, path, $"a list of {list.Items.Count}", expected),
            YamlList list => [.. list.Items.Select((item, index) => One(item, $"{path}[{index}]"))],
            _ => [One(node, path)],
        });

        double One(YamlNode node, string path) => node is not YamlScalar { Type: ScalarType.Integer or ScalarType.Number } scalar
            ? throw Errors.PolicyWrongType(node.Place, path, node.Describe(), expected)
            : Number(scalar.Text) is double value && possible(value) ? value
            : throw Errors.PolicyImpossibleValue(node.Place, path, node.Describe(), expected);
    }

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value : null;
}
