using System.Text;
using MixedPrecision.Diagnostics;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace MixedPrecision.Policies;

/// <summary>
/// Reads one YAML document into nodes that know their place. What could make a small file large or its meaning depend on
/// another place (anchors, aliases, tags, several documents, deep nesting) is an error.
/// </summary>
internal sealed class YamlReader
{
    private const int LargestFile = 1 << 20;
    private const int DeepestNesting = 32;

    private readonly string file;
    private readonly Parser parser;

    private YamlReader(string file, string text)
    {
        this.file = file;
        parser = new Parser(new StringReader(text));
    }

    /// <summary>The text of a file of at most 1 MB, in UTF-8 or, with a byte order mark, UTF-16 or UTF-32.</summary>
    public static string ReadFile(string file)
    {
        if (!File.Exists(file))
            throw Directory.Exists(file) ? Errors.PolicyUnreadable(file, "it is a folder; name the policy's file") : Errors.PolicyNotFound(file);
        try
        {
            using FileStream stream = File.OpenRead(file);
            byte[] bytes = new byte[LargestFile + 1];
            int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > LargestFile)
                throw Errors.PolicyUnreadable(file, "it is larger than 1 MB; a policy is a short YAML text, is this another file?");
            using var reader = new StreamReader(new MemoryStream(bytes, 0, length), new UTF8Encoding(false, throwOnInvalidBytes: true));
            return reader.ReadToEnd();
        }
        catch (DecoderFallbackException)
        {
            throw Errors.PolicyUnreadable(file, "it is no UTF-8 text; save it as UTF-8");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.PolicyUnreadable(file, e is UnauthorizedAccessException ? "access is denied" : "the system reports an error; is another program writing it?");
        }
    }

    /// <summary>The text's only document, or null when the text holds nothing but comments.</summary>
    public static YamlNode? Parse(string file, string text)
    {
        var reader = new YamlReader(file, text);
        try
        {
            return reader.Document();
        }
        catch (YamlException e)
        {
            throw Errors.PolicyNotYaml(reader.At(e.Start), Wording.Escape(e.Message).TrimEnd('.'));
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // The library's answer to some malformed directives and escapes.
            throw Errors.PolicyNotYaml(new Place(file), Wording.Escape(e.Message).TrimEnd('.'));
        }
    }

    private YamlNode? Document()
    {
        Next<StreamStart>();
        if (!parser.MoveNext() || parser.Current is not DocumentStart)
            return null;
        parser.MoveNext();
        YamlNode root = Node(0);
        Next<DocumentEnd>();
        parser.MoveNext();
        if (parser.Current is DocumentStart second)
            throw Errors.PolicyYamlUnsupported(At(second.Start), "a second document", "a policy is one document: remove the line '---' and what follows");
        return root;
    }

    private YamlNode Node(int depth)
    {
        if (parser.Current is AnchorAlias alias)
            throw Errors.PolicyYamlUnsupported(At(alias.Start), $"the alias {Wording.Quote("*" + alias.Value)}", "write the value out; a pattern that starts with '*' goes in quotes");
        if (parser.Current is not NodeEvent start)
            throw Errors.PolicyNotYaml(parser.Current is { } other ? At(other.Start) : new Place(file), "a value is missing");
        Place place = At(start.Start);
        if (!start.Anchor.IsEmpty)
            throw Errors.PolicyYamlUnsupported(place, $"the anchor {Wording.Quote("&" + start.Anchor)}", "write the value out where it is needed");
        if (!start.Tag.IsEmpty)
            throw Errors.PolicyYamlUnsupported(place, $"the tag {Wording.Quote(start.Tag.Value)}", "remove it: the key tells the type");
        if (depth > DeepestNesting)
            throw Errors.PolicyYamlUnsupported(place, $"more than {DeepestNesting} levels of nesting", "no key of a policy needs so many");
        return start switch
        {
            Scalar scalar => new YamlScalar(place, scalar.Value, scalar.Style == ScalarStyle.Plain ? YamlScalar.TypeOfPlain(scalar.Value) : ScalarType.Text),
            SequenceStart => List(place, depth),
            _ => Mapping(place, depth),
        };
    }

    private YamlList List(Place place, int depth)
    {
        var items = new List<YamlNode>();
        while (parser.MoveNext() && parser.Current is not SequenceEnd)
            items.Add(Node(depth + 1));
        return new YamlList(place, items);
    }

    private YamlMapping Mapping(Place place, int depth)
    {
        var entries = new List<YamlEntry>();
        var seen = new Dictionary<string, Place>(StringComparer.Ordinal);
        while (parser.MoveNext() && parser.Current is not MappingEnd)
        {
            YamlNode name = Node(depth + 1);
            if (name is not YamlScalar key)
                throw Errors.PolicyYamlUnsupported(name.Place, "a key that is no text", "write keys as 'name: value'");
            if (!seen.TryAdd(key.Text, key.Place))
                throw Errors.PolicyDuplicateKey(key.Place, key.Text, seen[key.Text]);
            parser.MoveNext();
            entries.Add(new YamlEntry(key.Text, key.Place, Node(depth + 1)));
        }

        return new YamlMapping(place, entries);
    }

    private void Next<TEvent>()
        where TEvent : ParsingEvent
    {
        if (!parser.MoveNext() || parser.Current is not TEvent)
            throw Errors.PolicyNotYaml(new Place(file), "the document does not end");
    }

    private Place At(Mark mark) => new(file, (int)Math.Max(1, mark.Line), (int)Math.Max(1, mark.Column));
}
