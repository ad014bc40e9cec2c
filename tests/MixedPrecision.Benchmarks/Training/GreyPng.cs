using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;

namespace MixedPrecision.Benchmarks.Training;

/// <summary>Writes grey pictures as PNG files.</summary>
internal static class GreyPng
{
    /// <param name="width">Pixels of a row.</param>
    /// <param name="pixels">Row by row from the top, 0 to 255.</param>
    public static void Write(string path, int width, byte[] pixels)
    {
        using var rows = new MemoryStream();
        using (var packing = new ZLibStream(rows, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            foreach (byte[] row in pixels.Chunk(width))
            {
                packing.WriteByte(0); // no filter
                packing.Write(row);
            }
        }

        using FileStream file = File.Create(path);
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        Chunk(file, "IHDR", [.. BigEndian((uint)width), .. BigEndian((uint)(pixels.Length / width)), 8, 0, 0, 0, 0]);
        Chunk(file, "IDAT", rows.ToArray());
        Chunk(file, "IEND", []);
    }

    private static void Chunk(Stream file, string type, byte[] data)
    {
        byte[] body = [.. Encoding.ASCII.GetBytes(type), .. data];
        file.Write([.. BigEndian((uint)data.Length), .. body, .. BigEndian(Crc32.HashToUInt32(body))]);
    }

    private static byte[] BigEndian(uint number)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return bytes;
    }
}
