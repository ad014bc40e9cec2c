using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>
/// Samples for a model whose policy names no data, drawn from what the graph says of each input: token numbers below the size of the table that they
/// pick from, masks of ones, positions in a row, pixels from 0 to 1, everything else normally distributed.
/// </summary>
public static class SyntheticInputs
{
    private const long LargestInput = 1L << 28;

    /// <summary>Lengths of sequences and sides of images that are tried in turn, since a model may take only some.</summary>
    private static readonly (long Sequence, long Side)[] Attempts = [(32, 224), (64, 256), (16, 320), (8, 640), (128, 32), (1, 28), (512, 384)];

    /// <param name="model">Any model.</param>
    /// <param name="sizes">Sizes of symbolic dimensions that are known, from a scenario.</param>
    /// <param name="count">Number of samples.</param>
    /// <returns>Samples on which the model runs, and their sizes in words.</returns>
    /// <exception cref="MixedPrecisionException">MPB3016: none of the sizes makes the model run.</exception>
    public static (IReadOnlyList<Sample> Samples, string Sizes) Make(OnnxModel model, string modelPath, IReadOnlyDictionary<string, long> sizes, int count)
    {
        InputDeclaration[] inputs = [.. model.Inputs.Select(InputDeclaration.Of)];
        if (inputs.FirstOrDefault(i => !ElementWriter.Supports(i.Type.ElementType)) is { } other)
        {
            throw Errors.DataInputUnsupported(model.DisplayName, other.Name, other.TypeInWords);
        }

        var tables = inputs.ToDictionary(i => i.Name, i => TokenTables.RowsOf(model, i.Name));
        string reason = "";
        using Session session = Session.Open(modelPath, SessionSettings.Plain);
        foreach ((long sequence, long side) in Attempts)
        {
            var shapes = Shapes(inputs, sizes, sequence, side);
            if (shapes.Values.Any(s => Tensor.ElementCount(s) > LargestInput))
            {
                throw Errors.SyntheticInputsFail(model.DisplayName, "an input would have more than 268 million elements");
            }

            Sample Of(int number) => new($"synthetic[{number}]", Draw(inputs, shapes, tables, sequence, number), null);
            try
            {
                session.Run(Of(0).Inputs);
                string words = string.Join(", ", shapes.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key} [{string.Join(", ", s.Value)}]")));
                return ([.. Enumerable.Range(0, count).Select(Of)], words);
            }
            catch (OnnxRuntimeException e)
            {
                reason = reason.Length > 0 ? reason : Wording.Escape(e.Message.Replace('\n', ' '));
            }
        }

        throw Errors.SyntheticInputsFail(model.DisplayName, reason);
    }

    private static Dictionary<string, long[]> Shapes(InputDeclaration[] inputs, IReadOnlyDictionary<string, long> sizes, long sequence, long side) => inputs.ToDictionary(i => i.Name, i =>
    {
        IReadOnlyList<Dimension> shape = i.Type.Shape ?? [];
        bool isImage = shape.Count is 4 && ElementType.IsFloating(i.Type.ElementType) && (shape[1].Size is 1 or 3 or 4 || shape[3].Size is 1 or 3 or 4);
        return shape.Select((d, axis) => d.Size is > 0 and long size ? size
            : d.Symbol is string symbol && (sizes.TryGetValue($"{i.Name}.{symbol}", out long known) || sizes.TryGetValue(symbol, out known)) ? known
            : Size((d.Symbol ?? "").ToLowerInvariant(), i.Name.ToLowerInvariant(), axis, shape.Count, isImage, sequence, side)).ToArray();
    });

    private static long Size(string symbol, string input, int axis, int rank, bool isImage, long sequence, long side)
    {
        bool Says(string word) => symbol.Contains(word, StringComparison.Ordinal);
        bool isWhole = Says("total") || Says("+");
        return Says("batch") || (axis == 0 && rank > 1) ? 1
            : Says("past") && !isWhole ? 0
            : input.Contains("past", StringComparison.Ordinal) && axis == rank - 2 ? 0
            : isImage ? side
            : rank == 2 && Says("sample") ? 16_000
            : sequence;
    }

    private static Dictionary<string, Tensor> Draw(
        InputDeclaration[] inputs, Dictionary<string, long[]> shapes, Dictionary<string, long?> tables, long sequence, int number)
    {
        var random = new Random(unchecked((int)0xC2B2AE35) + number);
        return inputs.ToDictionary(i => i.Name, i =>
        {
            long[] shape = shapes[i.Name];
            Func<long, double> at = ElementType.IsFloating(i.Type.ElementType) ? Real(i, shape, random) : Integer(i, shape, tables[i.Name], sequence, random);
            return Make(i.Type.ElementType, shape, at);
        });
    }

    private static Func<long, double> Real(InputDeclaration input, long[] shape, Random random)
    {
        bool isMask = input.Name.Contains("mask", StringComparison.OrdinalIgnoreCase);
        bool isImage = shape.Length == 4 && (shape[1] is 1 or 3 or 4 || shape[3] is 1 or 3 or 4);
        return isMask ? _ => shape.Length > 2 ? 0 : 1
            : isImage ? _ => random.NextDouble()
            : _ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    private static Func<long, double> Integer(InputDeclaration input, long[] shape, long? rows, long sequence, Random random)
    {
        string name = input.Name.ToLowerInvariant();
        bool Says(string word) => name.Contains(word, StringComparison.Ordinal);
        bool isPixels = shape.Length == 4 && input.Type.ElementType == ElementType.UInt8;
        return input.Type.ElementType == ElementType.Bool ? _ => Says("mask") ? 1 : 0
            : Says("mask") ? _ => 1
            : Says("position") ? index => index % (shape.Length == 0 ? 1 : shape[^1])
            : Says("token_type") || Says("segment") ? _ => 0
            : rows is long most ? _ => random.NextInt64(most)
            : isPixels ? _ => random.Next(256)
            : name is "sr" || Says("rate") ? _ => 16_000
            : Says("len") ? _ => sequence
            : _ => 1;
    }

    private static Tensor Make(int elementType, long[] shape, Func<long, double> at)
    {
        var values = new double[Tensor.ElementCount(shape)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = at(i);
        }

        byte[] bytes = elementType switch
        {
            ElementType.Float => Bytes(values, v => (float)v),
            ElementType.Double => Bytes(values, v => v),
            ElementType.Float16 => Bytes(values, v => (Half)v),
            ElementType.BFloat16 => Bytes(values, v => (ushort)(BitConverter.SingleToUInt32Bits((float)v) >> 16)),
            ElementType.Int64 or ElementType.UInt64 => Bytes(values, v => (long)v),
            ElementType.Int32 or ElementType.UInt32 => Bytes(values, v => (int)v),
            ElementType.Int16 or ElementType.UInt16 => Bytes(values, v => (short)v),
            _ => Bytes(values, v => (byte)v),
        };
        return new Tensor(elementType, shape, bytes);
    }

    private static byte[] Bytes<T>(double[] values, Func<double, T> convert) where T : unmanaged =>
        MemoryMarshal.AsBytes(Array.ConvertAll(values, v => convert(v)).AsSpan()).ToArray();
}
