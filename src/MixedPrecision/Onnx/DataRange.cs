namespace MixedPrecision.Onnx;

/// <summary>Bytes of a file, of any number; read in pieces.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Offset">Where they begin.</param>
/// <param name="Length">How many there are.</param>
public readonly record struct DataRange(string Path, long Offset, long Length)
{
    private const int PieceLength = 1 << 20;

    /// <summary>Hands the bytes on, piece by piece.</summary>
    public void Read(Action<ReadOnlySpan<byte>> piece)
    {
        using FileStream stream = File.OpenRead(Path);
        stream.Position = Offset;
        byte[] buffer = new byte[(int)Math.Min(PieceLength, Math.Max(Length, 1))];
        for (long left = Length; left > 0;)
        {
            int count = (int)Math.Min(buffer.Length, left);
            stream.ReadExactly(buffer, 0, count);
            piece(buffer.AsSpan(0, count));
            left -= count;
        }
    }

    /// <summary>Writes the bytes at the end of a file. Pieces of zeros are left out of it as holes, so that what takes no place on the disk does not take any there.</summary>
    public void AppendTo(Stream stream)
    {
        Read(piece =>
        {
            if (stream.CanSeek && piece.IndexOfAnyExcept((byte)0) < 0)
            {
                stream.Position += piece.Length;
            }
            else
            {
                stream.Write(piece);
            }
        });
        if (stream.CanSeek && stream.Length < stream.Position)
        {
            stream.SetLength(stream.Position);
        }
    }
}
