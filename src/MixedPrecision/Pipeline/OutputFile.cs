using MixedPrecision.Diagnostics;
using MixedPrecision.Quantization;

namespace MixedPrecision.Pipeline;

/// <summary>A file whose place a person named.</summary>
internal static class OutputFile
{
    /// <summary>Writes it whole or not at all.</summary>
    /// <param name="makesFolder">Whether its folder is made where there is none.</param>
    /// <exception cref="MixedPrecisionException">MPB8004: it cannot be written.</exception>
    public static void Write(string file, Action<Stream> write, bool makesFolder = false)
    {
        string path = Path.GetFullPath(file);
        try
        {
            if (makesFolder)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            }

            Quantizer.Aside(path, write);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.OutputNotWritable(file, e.Message);
        }
    }
}
