using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

namespace MixedPrecision.Build;

/// <summary>What emitted files came from, as lines of a file: a letter for the kind, a space, the text.</summary>
/// <param name="Settings">Properties that decide on the result.</param>
/// <param name="Inputs">The files that were read, as <see cref="Describe"/> puts them.</param>
/// <param name="Emitted">Names of the emitted files.</param>
/// <param name="Warnings">The tool's lines that are warnings, to be repeated whenever its result is reused.</param>
/// <param name="Results">The tool's lines that are results, one for each emitted model.</param>
internal sealed record Stamp(IReadOnlyList<string> Settings, IReadOnlyList<string> Inputs, IReadOnlyList<string> Emitted, IReadOnlyList<string> Warnings, IReadOnlyList<string> Results)
{
    private static readonly Encoding Utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Of a run that has just succeeded. A file that changed while it was read is described as nothing ever is, so that the next publish runs again.</summary>
    /// <param name="began">When the run began, in UTC.</param>
    /// <param name="files">Folder of the emitted files.</param>
    public static Stamp Of(IReadOnlyList<string> settings, IEnumerable<string> inputs, string files, IReadOnlyList<string> warnings, IReadOnlyList<string> results, DateTime began) => new(
        settings,
        [.. inputs.Distinct().Select(file => Written(file) >= began ? "changed 0 " + file : Describe(file))],
        [.. Directory.GetFiles(files).Select(file => Path.GetFileName(file))],
        warnings,
        results);

    public static Stamp Read(string file)
    {
        ILookup<char, string> lines = File.ReadAllLines(file, Utf8).Where(line => line.Length > 1).ToLookup(line => line[0], line => line.Substring(2));
        return new Stamp([.. lines['s']], [.. lines['i']], [.. lines['e']], [.. lines['w']], [.. lines['r']]);
    }

    public void Write(string file) => File.WriteAllLines(
        file,
        new[] { ('s', Settings), ('i', Inputs), ('e', Emitted), ('w', Warnings), ('r', Results) }.SelectMany(part => part.Item2.Select(line => $"{part.Item1} {line}")),
        Utf8);

    /// <summary>Whether settings and inputs are what they were, and the emitted files are there. An input counts as changed when it is older, too.</summary>
    public bool IsCurrent(IReadOnlyList<string> settings, string files) =>
        settings.SequenceEqual(Settings)
        && Emitted.Count > 0
        && Emitted.All(name => File.Exists(Path.Combine(files, name)))
        && Inputs.All(line => line == Describe(line.Split([' '], 3)[2]));

    /// <summary>Time of change, length and path.</summary>
    private static string Describe(string path) => File.Exists(path)
        ? string.Format(CultureInfo.InvariantCulture, "{0} {1} {2}", Written(path).Ticks, new FileInfo(path).Length, path)
        : $"absent 0 {path}";

    private static DateTime Written(string path) => File.GetLastWriteTimeUtc(path);
}
