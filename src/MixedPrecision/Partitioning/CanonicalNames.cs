using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>Hands out names by first use: a letter for what it names, and a number.</summary>
internal sealed class CanonicalNames
{
    private readonly Dictionary<string, string> names = [];
    private readonly Dictionary<ByteString, string> contents = [];
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

    /// <summary>
    /// A type with symbolic dimensions left open. Type inference keeps a symbol for some way and then loses it, so that the first of equal
    /// blocks knows symbols which the others do not. What depends on sizes, such as a timing, has to add the sizes themselves.
    /// </summary>
    public static TypeProto? Type(TypeProto? type)
    {
        if (type?.TensorType is null)
        {
            return type?.Clone();
        }

        TensorType own = TensorType.Read(type);
        return new TensorType(own.ElementType, own.Shape?.Select(d => d.Size is null ? Dimension.Unknown : d).ToArray()).ToProto("").Type;
    }

    private string Next(char letter)
    {
        int number = counts.GetValueOrDefault(letter);
        counts[letter] = number + 1;
        return $"{letter}{number}";
    }
}
