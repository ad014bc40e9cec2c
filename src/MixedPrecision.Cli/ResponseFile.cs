namespace MixedPrecision.Cli;

/// <summary>
/// Arguments from a file, given as <c>@file</c>: one argument per line, taken as it stands between an optional pair of
/// outer quotes. Unlike the parser's own format this can carry any path, also one with quotes or a hash in it.
/// </summary>
internal static class ResponseFile
{
    /// <summary>The parser's hook: replaces a token <c>@file</c> (without the at sign here) by the file's arguments.</summary>
    public static bool TryRead(string file, out IReadOnlyList<string>? arguments, out string? problem)
    {
        arguments = null;
        problem = null;
        try
        {
            arguments = [.. File.ReadLines(file).Where(line => line.Length > 0).Select(Unquote)];
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            problem = $"The response file '{file}' cannot be read: {exception.Message}";
            return false;
        }
    }

    private static string Unquote(string line) => line.Length >= 2 && line[0] == '"' && line[^1] == '"' ? line[1..^1] : line;
}
