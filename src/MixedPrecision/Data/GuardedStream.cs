namespace MixedPrecision.Data;

/// <summary>
/// Bytes that a decoder may read past their end only so often: the image decoder takes zeros from there, and in a damaged file looks for the next
/// part among them without end.
/// </summary>
internal sealed class GuardedStream(byte[] bytes) : MemoryStream(bytes, writable: false)
{
    private const int MostBeyond = 1 << 16;
    private int beyond;

    public override int ReadByte() => Check(base.ReadByte(), -1);

    public override int Read(byte[] buffer, int offset, int count) => Check(base.Read(buffer, offset, count), 0);

    public override int Read(Span<byte> buffer) => Check(base.Read(buffer), 0);

    private int Check(int result, int end)
    {
        beyond += result == end ? 1 : 0;
        return beyond <= MostBeyond ? result : throw new EndOfStreamException("the file ends too early");
    }
}
