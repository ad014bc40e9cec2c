using System.Text;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Data;

/// <summary>A row of a table.</summary>
/// <param name="Line">The line that it begins on, from 1: a field in quotes may hold line breaks.</param>
/// <param name="Fields">Its fields, without quotes.</param>
internal sealed record CsvRow(int Line, string[] Fields);

/// <summary>Comma-separated values as RFC 4180 has them, in UTF-8; semicolons or tabs will do too, as spreadsheets write them.</summary>
internal static class CsvRows
{
    private const int LongestRow = 1 << 26;

    private static readonly char[] Delimiters = [',', ';', '\t'];

    /// <summary>The rows of a file, the header first. Blank lines are passed over. Only one row is in memory at a time.</summary>
    /// <exception cref="MixedPrecisionException">MPB3002: a row is too long, or no UTF-8. MPB3020: quotes do not match.</exception>
    public static IEnumerable<CsvRow> Read(string path, string displayName)
    {
        char delimiter = DelimiterOf(path, displayName);
        using StreamReader reader = Open(path);
        var fields = new List<string>();
        var field = new StringBuilder();
        (int line, int start, int length) = (1, 1, 0);
        (bool isQuoted, bool wasQuoted) = (false, false);
        while (true)
        {
            int next = Next(reader, displayName, line);
            if (++length > LongestRow)
            {
                throw Errors.DataUnreadable(new Place(displayName, start), "the row is longer than 64 million characters");
            }

            if (isQuoted)
            {
                if (next == -1)
                {
                    throw Errors.DataNotTable(new Place(displayName, start), "a quote that begins in this row and does not end");
                }

                if (next == '"' && reader.Peek() != '"')
                {
                    isQuoted = false;
                    continue;
                }

                _ = next == '"' ? reader.Read() : 0;
                line += next == '\n' ? 1 : 0;
                field.Append((char)next);
            }
            else if (next == delimiter)
            {
                fields.Add(field.ToString());
                field.Clear();
                wasQuoted = false;
            }
            else if (next is '\n' or -1)
            {
                string last = wasQuoted ? field.ToString() : field.ToString().TrimEnd('\r');
                if (fields.Count > 0 || last.Length > 0 || wasQuoted)
                {
                    yield return new CsvRow(start, [.. fields, last]);
                }

                if (next == -1)
                {
                    yield break;
                }

                fields.Clear();
                field.Clear();
                (wasQuoted, length, start) = (false, 0, ++line);
            }
            else if (next == '"' && field.Length == 0 && !wasQuoted)
            {
                isQuoted = wasQuoted = true;
            }
            else if (!wasQuoted)
            {
                field.Append((char)next);
            }
            else if (!char.IsWhiteSpace((char)next))
            {
                throw Errors.DataNotTable(new Place(displayName, line), "text behind a field in quotes");
            }
        }
    }

    /// <summary>Of those that may stand between fields, the one that stands most often in the header.</summary>
    private static char DelimiterOf(string path, string displayName)
    {
        using StreamReader reader = Open(path);
        int[] counts = new int[Delimiters.Length];
        bool isQuoted = false;
        for (int i = 0; i < LongestRow; i++)
        {
            int next = Next(reader, displayName, 1);
            if (next == -1 || (next == '\n' && !isQuoted))
            {
                break;
            }

            isQuoted ^= next == '"';
            int found = isQuoted ? -1 : Array.IndexOf(Delimiters, (char)next);
            _ = found < 0 ? 0 : counts[found]++;
        }

        return Delimiters[Array.IndexOf(counts, counts.Max())];
    }

    private static StreamReader Open(string path) => new(path, new UTF8Encoding(false, true));

    private static int Next(StreamReader reader, string displayName, int line)
    {
        try
        {
            return reader.Read();
        }
        catch (DecoderFallbackException)
        {
            throw Errors.DataUnreadable(new Place(displayName, line), "the text is not valid UTF-8 here or soon after; a spreadsheet saves it as 'CSV UTF-8'");
        }
    }
}
