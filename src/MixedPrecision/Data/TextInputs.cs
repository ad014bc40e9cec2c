using System.Runtime.InteropServices;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Data;

/// <summary>The inputs of a model that takes text, and how a line becomes their values.</summary>
internal sealed class TextInputs
{
    private const int DefaultLength = 512;
    private readonly IReadOnlyList<InputDeclaration> inputs;
    private readonly TextTokenizer tokenizer;
    private readonly string ids;
    private readonly int length;
    private readonly bool pad;

    /// <exception cref="MixedPrecisionException">MPB3013: the model has an input that text does not give. MPB3015: the tokenizer's file cannot be used.</exception>
    public TextInputs(IReadOnlyList<InputDeclaration> inputs, TextPolicy policy, DataFormat format, string data)
    {
        this.inputs = inputs;
        InputDeclaration[] unknown = [.. inputs.Where(i => RoleOf(i) == Role.None)];
        InputDeclaration[] tokens = [.. inputs.Where(i => RoleOf(i) == Role.Tokens)];
        if (unknown.Length > 0 || tokens.Length != 1)
        {
            throw Errors.DataInputsNotGiven(
                data,
                "a text",
                "one input of token numbers (input_ids), and besides it attention_mask, token_type_ids, position_ids and empty past_key_values at most",
                [.. (unknown.Length > 0 ? unknown : inputs).Select(i => $"{i.Name}: {i.Type}")]);
        }

        ids = tokens[0].Name;
        long? fixedLength = tokens[0].Type.Shape is { Count: 2 } shape && shape[1].Size is > 0 and long size ? size : null;
        length = (int)(fixedLength ?? policy.MaxLength ?? DefaultLength);
        pad = policy.Pad || fixedLength is not null;
        tokenizer = TokenizerFile.Load(Path.GetFullPath(policy.Tokenizer, format.Folder), policy.Tokenizer, policy.Lowercase);
    }

    private enum Role
    {
        None,
        Tokens,
        Mask,
        Types,
        Positions,
        Past,
    }

    /// <summary>Whether text gives all that a model takes.</summary>
    public static bool AreOfText(IReadOnlyList<InputDeclaration> inputs) => inputs.All(i => RoleOf(i) != Role.None) && inputs.Count(i => RoleOf(i) == Role.Tokens) == 1;

    /// <summary>The value of each input for a text.</summary>
    public Dictionary<string, Tensor> Of(string text, Place place)
    {
        int[] tokens = tokenizer.Encode(text, length, place);
        if (tokens.Length == 0)
            throw Errors.DataUnreadable(place, "the tokenizer makes nothing of this line");
        int count = pad ? length : tokens.Length;
        long[] Row(Func<int, long> at) => [.. Enumerable.Range(0, count).Select(at)];
        return inputs.ToDictionary(i => i.Name, i => RoleOf(i) switch
        {
            Role.Tokens => Make(i, Row(p => p < tokens.Length ? tokens[p] : tokenizer.Padding)),
            Role.Mask => Make(i, Row(p => p < tokens.Length ? 1 : 0)),
            Role.Positions => Make(i, Row(p => p)),
            Role.Types => Make(i, Row(_ => 0)),
            _ => EmptyCaches.Of(i, _ => null)!,
        });
    }

    private static Role RoleOf(InputDeclaration input)
    {
        string name = input.Name.ToLowerInvariant();
        bool isInteger = input.Type.ElementType is ElementType.Int64 or ElementType.Int32 or ElementType.Bool;
        bool isRow = input.Type.Rank is null or 2;
        return EmptyCaches.Of(input, _ => null) is not null ? Role.Past
            : !isRow ? Role.None
            : name.Contains("mask", StringComparison.Ordinal) && (isInteger || ElementType.IsFloating(input.Type.ElementType)) ? Role.Mask
            : !isInteger ? Role.None
            : name.Contains("token_type", StringComparison.Ordinal) || name.Contains("segment", StringComparison.Ordinal) ? Role.Types
            : name.Contains("position", StringComparison.Ordinal) ? Role.Positions
            : name.Contains("ids", StringComparison.Ordinal) || name.Contains("token", StringComparison.Ordinal) || name is "input" ? Role.Tokens
            : Role.None;
    }

    /// <summary>A row as [batch, sequence] in the input's type; a fixed batch holds it several times.</summary>
    private static Tensor Make(InputDeclaration input, long[] row)
    {
        int batch = input.Type.Shape is { } shape && shape[0].Size is > 0 and long size ? (int)size : 1;
        long[] all = batch == 1 ? row : [.. Enumerable.Repeat(row, batch).SelectMany(r => r)];
        byte[] bytes = input.Type.ElementType switch
        {
            ElementType.Int64 => MemoryMarshal.AsBytes(all.AsSpan()).ToArray(),
            ElementType.Int32 => MemoryMarshal.AsBytes(all.Select(v => (int)v).ToArray().AsSpan()).ToArray(),
            ElementType.Bool => [.. all.Select(v => (byte)(v == 0 ? 0 : 1))],
            ElementType.Float16 => MemoryMarshal.AsBytes(all.Select(v => (Half)v).ToArray().AsSpan()).ToArray(),
            ElementType.Double => MemoryMarshal.AsBytes(all.Select(v => (double)v).ToArray().AsSpan()).ToArray(),
            _ => MemoryMarshal.AsBytes(all.Select(v => (float)v).ToArray().AsSpan()).ToArray(),
        };
        return new Tensor(input.Type.ElementType, [batch, row.Length], bytes);
    }
}
