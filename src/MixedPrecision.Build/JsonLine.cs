using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace MixedPrecision.Build;

/// <summary>
/// Reads a flat JSON object on one line: values are strings, numbers, true, false or null. A task must bring no
/// dependencies, since the host may have loaded another version of them.
/// </summary>
public static class JsonLine
{
    /// <summary>Names and values (strings unescaped, other values as written, null for null), or null where the line is anything else.</summary>
    public static Dictionary<string, string?>? TryParse(string line)
    {
        var fields = new Dictionary<string, string?>(StringComparer.Ordinal);
        int at = 0;
        if (!Take(line, ref at, '{'))
        {
            return null;
        }
        if (!Take(line, ref at, '}'))
        {
            do
            {
                if (!TryString(line, ref at, out string name) || !Take(line, ref at, ':') || !TryValue(line, ref at, out string? value))
                {
                    return null;
                }
                fields[name] = value;
            }
            while (Take(line, ref at, ','));
            if (!Take(line, ref at, '}'))
            {
                return null;
            }
        }
        SkipSpace(line, ref at);
        return at == line.Length ? fields : null;
    }

    private static void SkipSpace(string line, ref int at)
    {
        while (at < line.Length && line[at] is ' ' or '\t' or '\r' or '\n')
        {
            at++;
        }
    }

    private static bool Take(string line, ref int at, char expected)
    {
        SkipSpace(line, ref at);
        if (at >= line.Length || line[at] != expected)
        {
            return false;
        }
        at++;
        return true;
    }

    private static bool TryValue(string line, ref int at, out string? value)
    {
        SkipSpace(line, ref at);
        if (at < line.Length && line[at] == '"')
        {
            bool read = TryString(line, ref at, out string text);
            value = text;
            return read;
        }
        int start = at;
        while (at < line.Length && (char.IsLetterOrDigit(line[at]) || line[at] is '+' or '-' or '.'))
        {
            at++;
        }
        string word = line.Substring(start, at - start);
        value = word == "null" ? null : word;
        return word is "null" or "true" or "false" || double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out _);
    }

    private static bool TryString(string line, ref int at, out string text)
    {
        text = "";
        if (!Take(line, ref at, '"'))
        {
            return false;
        }
        var read = new StringBuilder();
        while (at < line.Length && line[at] != '"')
        {
            char next = line[at++];
            if (next == '\\' && !TryEscape(line, ref at, out next))
            {
                return false;
            }
            read.Append(next);
        }
        text = read.ToString();
        return at++ < line.Length;
    }

    private static bool TryEscape(string line, ref int at, out char character)
    {
        character = at < line.Length ? line[at++] : '\0';
        if (character == 'u')
        {
            bool read = at + 4 <= line.Length
                & ushort.TryParse(line.Substring(at, Math.Min(4, line.Length - at)), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit);
            at = Math.Min(at + 4, line.Length);
            character = (char)unit;
            return read;
        }
        int index = "\"\\/bfnrt".IndexOf(character);
        if (index >= 0)
        {
            character = "\"\\/\b\f\n\r\t"[index];
        }
        return index >= 0;
    }
}
