using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>Hands out names by first use: a letter for what it names, and a number.</summary>
internal sealed class CanonicalNames
{
    private readonly Dictionary<string, string> names = [];
    private readonly Dictionary<ByteString, string> contents = [];
    private readonly Dictionary<string, string> symbols = [];
    private readonly Dictionary<char, int> counts = [];

    /// <summary>Canonical name to the original one.</summary>
    public Dictionary<string, string> Originals { get; } = [];

    public string? Find(string original) => original.Length == 0 ? "" : names.GetValueOrDefault(original);

    public string Add(string original, char letter)
    {
        string name = Next(letter);
        names.Add(original, name);
        Originals.Add(name, original);
        return name;
    }

    /// <summary>The name of a constant that shows its value: equal constants share one.</summary>
    public string ByContent(string original, TensorProto tensor)
    {
        ByteString content = tensor.ToByteString();
        if (!contents.TryGetValue(content, out string? name))
        {
            contents.Add(content, name = Next('c'));
            Originals.Add(name, original);
        }

        names.Add(original, name);
        return name;
    }

    /// <summary>A fresh name for what an inner graph defines.</summary>
    public string Inner() => Next('i');

    /// <summary>A type with its symbols renamed by first appearance.</summary>
    public TypeProto? Type(TypeProto? type)
    {
        if (type?.TensorType is null)
        {
            return type?.Clone();
        }

        TensorType own = TensorType.Read(type);
        return new TensorType(own.ElementType, own.Shape?.Select(d => d.Symbol is string s ? new Dimension(null, Symbol(s)) : d).ToArray()).ToProto("").Type;
    }

    private string Symbol(string original)
    {
        if (!symbols.TryGetValue(original, out string? name))
        {
            symbols.Add(original, name = Next('d'));
        }

        return name;
    }

    private string Next(char letter)
    {
        int number = counts.GetValueOrDefault(letter);
        counts[letter] = number + 1;
        return $"{letter}{number}";
    }
}
