using System.Globalization;
using System.Security.Cryptography;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>
/// Regions of a model written so that only their structure shows: operators, attributes, operator set versions, types and known sizes of
/// what enters, element types and sizes of constants. Values of floating constants do not show, so that a re-trained model
/// looks the same; those of small integer constants (shapes, axes, indices) and of floating settings (exponents, bounds, scales of
/// Resize) do, since what is computed depends on them. Names and symbolic dimensions do not show.
/// </summary>
internal sealed class CanonicalForm(OnnxModel model, GraphView view, IReadOnlyDictionary<string, TensorType> types)
{
    /// <summary>Integer constants and settings up to this many elements count with their values.</summary>
    private const int SmallCount = 64;

    /// <summary>Operands of floating type that say what to compute, as attributes do.</summary>
    private static readonly Dictionary<string, int[]> Settings = new()
    {
        ["Pow"] = [1],
        ["Clip"] = [1, 2],
        ["Resize"] = [1, 2],
        ["Upsample"] = [1],
        ["Pad"] = [2],
        ["Dropout"] = [1],
        ["Range"] = [0, 1, 2],
        ["OneHot"] = [2],
    };

    private readonly HashSet<string> outputs = Extraction.OutputsOf(model);

    /// <summary>
    /// First 16 bytes of the SHA-256 of the canonical form, as hexadecimal digits. Whether an inner value is also read outside does not show: the
    /// residual sum of a decoder's last block goes nowhere else, and the block is still equal to those before it.
    /// </summary>
    public string Fingerprint(IReadOnlyList<int> nodes)
    {
        ModelProto form = Of(nodes).Extracted.Model;
        HashSet<string> read = [.. form.Graph.Node.SelectMany(GraphView.InputsOf)];
        foreach (TensorProto tensor in form.Graph.Initializer.Where(ModelTensors.IsExternal))
        {
            tensor.ExternalData.Clear();
        }

        form.Graph.Output.Clear();
        form.Graph.Output.AddRange(form.Graph.Node.SelectMany(n => n.Output).Where(o => o.Length > 0 && !read.Contains(o)).Select(o => new ValueInfoProto { Name = o }));
        return Convert.ToHexStringLower(SHA256.HashData(form.ToByteArray()).AsSpan(0, 16));
    }

    /// <summary>The nodes as a model whose bytes are a function of their structure.</summary>
    public CanonicalSubgraph Of(IReadOnlyList<int> nodes)
    {
        Region region = Region.Of(view, outputs, nodes);
        Dictionary<string, TensorProto> inline = Inline(region);
        int[] order = Order(region, inline);
        var names = new CanonicalNames();
        var graph = new GraphProto { Name = "subgraph" };
        HashSet<string> constants = [.. region.Constants];
        Dictionary<string, TensorProto> unread = region.Constants.Select(c => (Name: c, Proto: Weights.Proto(model, view, c)!))
            .Where(c => TensorProtos.IsTooLargeToRead(c.Proto)).ToDictionary(c => c.Name, c => c.Proto);
        var inputs = new List<string>();
        var weights = new List<string>();
        var written = new HashSet<string>();
        foreach (int node in order)
        {
            foreach (string value in view.Inputs[node].Where(v => names.Find(v) is null))
            {
                if (inline.TryGetValue(value, out TensorProto? tensor))
                {
                    string name = names.ByContent(value, tensor);
                    if (written.Add(name))
                    {
                        TensorProto named = tensor.Clone();
                        named.Name = name;
                        graph.Initializer.Add(named);
                    }
                }
                else if (unread.TryGetValue(value, out TensorProto? large))
                {
                    // Too large to be fed: it stays where it is.
                    TensorProto named = large.Clone();
                    named.Name = names.Add(value, 'w');
                    graph.Initializer.Add(named);
                }
                else
                {
                    // Only what enters and what is stored has no name yet: the order is topological.
                    (constants.Contains(value) ? weights : inputs).Add(names.Add(value, constants.Contains(value) ? 'w' : 'x'));
                }
            }

            foreach (string output in view.Nodes[node].Output.Where(o => o.Length > 0))
            {
                names.Add(output, 'v');
            }

            graph.Node.Add(CanonicalNode.Write(view.Nodes[node], v => names.Find(v)!, names));
        }

        graph.Input.AddRange(inputs.Select(i => Declare(names.Originals[i], i)));
        graph.Input.AddRange(weights.Select(w => Declare(names.Originals[w], w)));
        string[] leaving = [.. region.Outputs.Select(o => names.Find(o)).OfType<string>().OrderBy(o => o.Length).ThenBy(o => o, StringComparer.Ordinal)];
        graph.Output.AddRange(leaving.Select(o => new ValueInfoProto { Name = o }));
        return new CanonicalSubgraph(new ExtractedSubgraph(Frame(region, graph), inputs, weights, leaving), names.Originals);
    }

    /// <summary>Versions of the operator sets that the nodes use, and the model's own functions if they call one.</summary>
    private ModelProto Frame(Region region, GraphProto graph)
    {
        ModelProto frame = Extraction.Frame(model);
        HashSet<(string, string)> functions = [.. frame.Functions.Select(f => (f.Domain, f.Name))];
        NodeProto[] used = [.. region.Nodes.SelectMany(n => CanonicalNode.WithInner(view.Nodes[n]))];
        bool callsFunction = used.Any(n => functions.Contains((n.Domain, n.OpType)));
        HashSet<string> domains = [.. used.Select(n => n.Domain is "ai.onnx" ? "" : n.Domain)];
        OperatorSetIdProto[] imports =
        [
            .. frame.OpsetImport
                .Select(o => new OperatorSetIdProto { Domain = o.Domain is "ai.onnx" ? "" : o.Domain, Version = o.Version })
                .Where(o => o.Domain.Length == 0 || callsFunction || domains.Contains(o.Domain))
                .OrderBy(o => o.Domain, StringComparer.Ordinal),
        ];
        frame.OpsetImport.Clear();
        frame.OpsetImport.AddRange(imports);
        if (!callsFunction)
        {
            frame.Functions.Clear();
        }

        frame.Graph = graph;
        return frame;
    }

    /// <summary>The stored constants whose values show, as nameless raw tensors.</summary>
    private Dictionary<string, TensorProto> Inline(Region region)
    {
        HashSet<string> settings =
        [
            .. from node in region.Nodes
               let own = view.Nodes[node]
               where own.Domain is "" or "ai.onnx" && Settings.ContainsKey(own.OpType)
               from operand in Settings[own.OpType]
               where operand < own.Input.Count
               select own.Input[operand],
        ];
        var inline = new Dictionary<string, TensorProto>();
        foreach (string name in region.Constants)
        {
            TensorProto proto = Weights.Proto(model, view, name)!;
            if (proto.DataType == ElementType.String)
            {
                var text = new TensorProto { DataType = proto.DataType, StringData = { proto.StringData } };
                text.Dims.AddRange(proto.Dims);
                inline.Add(name, text);
            }
            else if (TensorProtos.ByteCount(proto) * 8 / ElementType.BitsOf(proto.DataType) <= SmallCount
                && (!ElementType.IsFloating(proto.DataType) || settings.Contains(name)))
            {
                TensorProto raw = TensorProtos.Read(proto, model.External).ToProto("");
                raw.ClearName();
                inline.Add(name, raw);
            }
        }

        return inline;
    }

    private int[] Order(Region region, Dictionary<string, TensorProto> inline)
    {
        var index = new Dictionary<string, int>();
        var values = new List<byte[]>();
        HashSet<string> computed = [.. region.Nodes.SelectMany(n => view.Nodes[n].Output)];
        HashSet<string> constants = [.. region.Constants];
        int IndexOf(string value)
        {
            if (!index.TryGetValue(value, out int known))
            {
                index.Add(value, known = values.Count);
                values.Add(inline.TryGetValue(value, out TensorProto? tensor) ? tensor.ToByteArray()
                    : computed.Contains(value) ? []
                    : Declare(value, constants.Contains(value) ? "constant" : "fed").ToByteArray());
            }

            return known;
        }

        OrderedNode[] nodes =
        [
            .. region.Nodes.Select(n =>
            {
                IReadOnlyList<string> read = view.Inputs[n];
                NodeProto written = CanonicalNode.Write(view.Nodes[n], v => v.Length == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"@{IndexIn(read, v)}"), new CanonicalNames());
                return new OrderedNode(written.ToByteArray(), [.. read.Select(IndexOf)], [.. view.Nodes[n].Output.Where(o => o.Length > 0).Select(IndexOf)]);
            }),
        ];
        return [.. CanonicalOrder.Of(nodes, values).Select(n => region.Nodes[n])];
    }

    /// <summary>Place of a value among those a node reads, or -1 for those it computes.</summary>
    private static int IndexIn(IReadOnlyList<string> read, string value)
    {
        for (int i = 0; i < read.Count; i++)
        {
            if (read[i] == value)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>The declaration of a value that enters, under another name.</summary>
    private ValueInfoProto Declare(string value, string name)
    {
        if (Weights.Proto(model, view, value) is TensorProto stored && view.Constants.Contains(value))
        {
            return new TensorType(stored.DataType, [.. stored.Dims.Select(Dimension.Of)]).ToProto(name);
        }

        ValueInfoProto own = Extraction.Declaration(model, types, value);
        return new ValueInfoProto { Name = name, Type = CanonicalNames.Type(own.Type) };
    }
}
