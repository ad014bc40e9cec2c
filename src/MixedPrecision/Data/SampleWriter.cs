using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>Writes samples as JSON lines, from which they are read as they were.</summary>
internal static class SampleWriter
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>One line: the inputs, but for those that were filled in, and the fields.</summary>
    /// <exception cref="MixedPrecisionException">MPB3022: a value is infinite.</exception>
    public static void Write(Sample sample, Stream output)
    {
        using (var writer = new Utf8JsonWriter(output, Options))
        {
            writer.WriteStartObject();
            foreach ((string name, Tensor value) in sample.Inputs.Where(i => !sample.Filled.Contains(i.Key)).Concat(sample.Fields))
            {
                writer.WritePropertyName(name);
                long place = 0;
                Write(writer, value, 0, ref place, index => Element(writer, value, checked((int)index), name, sample));
            }

            writer.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
    }

    private static void Write(Utf8JsonWriter writer, Tensor value, int axis, ref long index, Action<long> element)
    {
        if (axis == value.Rank)
        {
            element(index++);
            return;
        }

        writer.WriteStartArray();
        for (long i = 0; i < value.Shape[axis]; i++)
        {
            Write(writer, value, axis + 1, ref index, element);
        }

        writer.WriteEndArray();
    }

    private static void Element(Utf8JsonWriter writer, Tensor value, int index, string name, Sample sample)
    {
        ReadOnlySpan<byte> bytes = value.Bytes.Span;
        T At<T>(ReadOnlySpan<byte> all) where T : unmanaged => MemoryMarshal.Cast<byte, T>(all)[index];
        switch (value.ElementType)
        {
            case ElementType.Bool:
                writer.WriteBooleanValue(bytes[index] != 0);
                break;
            case ElementType.Float:
                writer.WriteNumberValue(Finite(At<float>(bytes)));
                break;
            case ElementType.Double:
                writer.WriteNumberValue(double.IsFinite(At<double>(bytes)) ? At<double>(bytes) : throw Infinite());
                break;
            case ElementType.Float16:
                writer.WriteNumberValue(Finite((float)At<Half>(bytes)));
                break;
            case ElementType.BFloat16:
                writer.WriteNumberValue(Finite(BitConverter.UInt32BitsToSingle((uint)At<ushort>(bytes) << 16)));
                break;
            case ElementType.UInt64:
                writer.WriteNumberValue(At<ulong>(bytes));
                break;
            default:
                writer.WriteNumberValue(value.ElementType switch
                {
                    ElementType.Int8 => At<sbyte>(bytes),
                    ElementType.UInt8 => bytes[index],
                    ElementType.Int16 => At<short>(bytes),
                    ElementType.UInt16 => At<ushort>(bytes),
                    ElementType.Int32 => At<int>(bytes),
                    ElementType.UInt32 => At<uint>(bytes),
                    _ => At<long>(bytes),
                });
                break;
        }

        float Finite(float number) => float.IsFinite(number) ? number : throw Infinite();

        MixedPrecisionException Infinite() => Errors.DataNotFinite(sample.Place, name);
    }
}
